"""The phase shift on a device against that for NumPy."""

from __future__ import annotations

import numpy as np

from tests.support.counts import agree
from xephys.kernels.preprocess import phase_shift, phase_shift_device


def test_phase_shift(xp, counts):
    keywords = {"before": 17, "after": 20, "shifts": np.arange(40) % 13 / 13 - 0.4}
    agree(
        phase_shift_device.phase_shift(xp, xp.asarray(counts), **keywords),
        phase_shift.phase_shift(counts, **keywords),
        1e-6,
    )
