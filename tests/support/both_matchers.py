"""Both pursuits on the same padded traces, and what makes their spikes the same."""

from __future__ import annotations

import numpy as np

from tests.support.matching import N_BEFORE, N_SAMPLES
from xephys.kernels.match import templates as cpu
from xephys.kernels.match import templates_device as device

HALO = dict(zip(("before", "after"), cpu.match_halo(N_SAMPLES, nbefore=N_BEFORE), strict=True))


def both(xp, traces, model, *, start=5000, **parameters):
    """Spikes of a padded recording from either kernel."""
    padded = np.pad(traces, ((HALO["before"], HALO["after"]), (0, 0)))
    keywords = {**HALO, "start": start, "nbefore": N_BEFORE, "model": model, **parameters}
    return (
        device.match_templates(xp, xp.asarray(padded), **keywords).get(),
        cpu.match_templates(padded, **keywords),
    )


def assert_same(found, expected):
    assert found.dtype == expected.dtype
    assert len(found) == len(expected)
    for name in ("sample_index", "channel_index", "unit_index", "sample_offset", "segment_index"):
        np.testing.assert_array_equal(found[name], expected[name])
    np.testing.assert_allclose(found["amplitude"], expected["amplitude"], rtol=1e-4)
    np.testing.assert_allclose(found["gain"], expected["gain"], rtol=1e-3)
