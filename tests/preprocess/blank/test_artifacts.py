"""Samples of impossible size are zeroed lazily, together with their traces in the filter's output."""

from __future__ import annotations

import numpy as np
import pytest

import xephys
from xephys import ParameterError
from xephys.graph.build import count_tasks
from xephys.testing import forbid_compute, simulate_recording


@pytest.fixture(scope="module")
def struck():
    """4 s of 8 channels with an artifact at 1.5 s on one channel and at 2.5 s on a bad one."""
    recording, _ = simulate_recording(duration_s=4, n_channels=8, n_units=2, seed=0)
    traces = recording.values.astype("f4")
    traces[45_000, 3] += 20_000
    traces[75_000, 5] += 20_000
    bad = np.arange(8) == 5
    return xephys.highpass_filter(recording.copy(data=traces).assign_coords(bad=("channel", bad)))


def test_only_what_the_artifact_touched_is_zeroed(struck):
    with forbid_compute():
        blanked = xephys.blank_artifacts(struck, threshold=2000.0)
    assert count_tasks(blanked) == count_tasks(struck)
    before, after = struck.values, blanked.values
    silent = (after == 0).all(axis=1)
    assert silent[45_000 - 90 : 45_000 + 91].all()
    assert silent.sum() < 400
    # Not to the bit: filtering starts further before a tile, and the artifact is 20 000.
    np.testing.assert_allclose(after[~silent], before[~silent], atol=1e-3)
    assert not silent[74_000:76_000].any()
    # The remainder of the artifact is no larger than spikes and noise elsewhere.
    near = np.abs(after[45_000 - 600 : 45_000 + 600, 3]).max()
    assert near <= np.abs(before[:40_000]).max()


def test_bad_limits_are_refused(struck):
    with pytest.raises(ParameterError, match="threshold is 0; it must be greater than 0"):
        xephys.blank_artifacts(struck, threshold=0)
    with pytest.raises(ParameterError, match="reach_ms is -1; it must be at least 0"):
        xephys.blank_artifacts(struck, threshold=5, reach_ms=-1)
