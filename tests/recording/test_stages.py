"""Operations extend a recording: its plan, its history, and the traces on which an event plan runs."""

from __future__ import annotations

import numpy as np

from xephys.graph.build import plan_of
from xephys.graph.plan import Stage
from xephys.kernels.preprocess.scale import scale
from xephys.recording.stages import as_lazy, describe_step, extend_recording, recording_plan, same_traces
from xephys.schema import make_recording
from xephys.testing import forbid_compute, simulate_recording

HALVED = Stage(scale, dtype=np.dtype("f4"), parameters={"gain": 0.5, "offset": 0.0})


def test_a_stage_extends_the_plan():
    recording, _ = simulate_recording(duration_s=3.0, n_channels=4, n_units=1, seed=0)
    with forbid_compute():
        longer = extend_recording(recording, HALVED, units="uV")
    assert len(plan_of(longer.data).stages) == len(plan_of(recording.data).stages) + 1
    assert longer.attrs["history"].splitlines()[-1] == describe_step(HALVED) == "scale(gain=0.5, offset=0.0)"
    assert longer.attrs["units"] == "uV"
    np.testing.assert_array_equal(longer.values, recording.values.astype("f4") / 2)


def test_traces_in_memory_are_chunked():
    recording = make_recording(np.zeros((5000, 2), "f4"), sampling_frequency=1000.0)
    assert as_lazy(recording).chunks == ((2000, 2000, 1000), (2,))
    assert recording_plan(recording).n_samples == 5000


def test_an_event_plan_knows_its_traces():
    recording, _ = simulate_recording(duration_s=3.0, n_channels=4, n_units=1, seed=0)
    halved = extend_recording(recording, HALVED)
    assert same_traces(halved, recording_plan(halved))
    assert not same_traces(halved, recording_plan(recording))
    assert not same_traces(halved, None)
    assert not same_traces(halved, recording_plan(halved[30_000:]))
