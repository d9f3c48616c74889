"""Agreement of a kernel on a device with the NumPy kernel, relative to the RMS."""

from __future__ import annotations

import numpy as np

from xephys.kernels.lib.dispatch import to_host

TOLERANCE = 1e-4


def agree(found, expected, tolerance=TOLERANCE):
    found = to_host(found)
    assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
    assert np.abs(found - expected).max() <= tolerance * expected.std()
