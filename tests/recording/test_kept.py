"""Stored traces: values rounded to steps, the same in every place, computed once."""

from __future__ import annotations

import numpy as np
import pytest

from xephys.errors import ParameterError
from xephys.recording.kept import keep_recording
from xephys.testing import forbid_compute, simulate_recording

STEP = 0.5


@pytest.fixture
def recording():
    return simulate_recording(duration_s=4.0, n_channels=4, n_units=1, seed=0)[0]


@pytest.mark.parametrize("place", ["memory", "disk", "none", "auto"])
def test_values_are_multiples_of_the_step(recording, tmp_path, place):
    raw = recording.ephys.bandpass_filter()
    with forbid_compute():
        kept = keep_recording(raw, step=STEP, folder=tmp_path, place=place)
    for _ in range(2):
        np.testing.assert_array_equal(kept.values, np.round(raw.values / STEP).astype("i2") * np.float32(STEP))
    assert kept.dtype == "f4"
    assert kept.attrs["units"] == raw.attrs["units"]
    assert kept.attrs["history"].splitlines()[-1] == "keep_recording(step=0.5)"
    assert kept.x.values.tolist() == raw.x.values.tolist()


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"place": "memroy"}, "cache is 'memroy'.*did you mean 'memory'"),
        ({"step": 0.0}, "step is 0.0; it must be greater than 0"),
        ({"bytes_max": 0}, "cache_bytes_max is 0; it must be greater than 0"),
    ],
)
def test_bad_input_is_refused(recording, tmp_path, parameters, message):
    with pytest.raises(ParameterError, match=message):
        keep_recording(recording, **{"step": STEP, "folder": tmp_path, **parameters})
