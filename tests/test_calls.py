"""Operations record their call: in the history, on estimates, and in the names of tasks."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import xephys
from xephys.calls import current_call, history_of, made_by, operation
from xephys.graph.build import plan_of
from xephys.testing import simulate_recording


@pytest.fixture(scope="module")
def recording():
    return simulate_recording(duration_s=3, n_channels=8, n_units=2, seed=0)[0]


def test_the_outermost_operation_is_the_step(recording):
    filtered = xephys.bandpass_filter(recording, freq_min_hz=400)
    (step,) = history_of(filtered)
    assert step.startswith("bandpass_filter(freq_min_hz=400, freq_max_hz=6000.0, order=5")
    assert [stage.name for stage in plan_of(filtered.data).stages] == ["bandpass_filter"]
    assert [stage.kernel for stage in plan_of(filtered.data).stages] == ["sos_filtfilt"]
    assert current_call() == ""


def test_an_operation_that_fails_leaves_no_trace(recording):
    with pytest.raises(xephys.ParameterError):
        xephys.bandpass_filter(recording, freq_min_hz=-1)
    assert current_call() == ""


def test_the_name_of_a_step_changes_no_token(recording):
    inside = xephys.bandpass_filter(recording)

    @operation
    def my_filter(recording):
        return xephys.bandpass_filter(recording)

    mine = my_filter(recording)
    assert history_of(mine) == ["my_filter()"]
    assert plan_of(mine.data).token == plan_of(inside.data).token
    assert mine.data.name.startswith("my_filter-")


def test_an_estimate_knows_its_call_until_it_is_changed(recording):
    filtered = xephys.bandpass_filter(recording)
    levels = xephys.estimate_noise_levels(filtered, seed=3)
    call = "estimate_noise_levels(after=1, method='mad', seed=3)"
    assert made_by(levels, history_of(filtered)) == call
    assert made_by(levels.assign_attrs(made_by=levels.attrs["made_by"]) * 2, history_of(filtered)) is None
    assert made_by(levels, []) is None
    assert made_by(levels, ["notch_filter(freq_hz=50.0)"]) is None
    assert made_by(np.zeros(3), []) is None
    blanked = xephys.blank_common_artifacts(filtered, noise_levels=levels)
    assert f"noise_levels={call}" in history_of(blanked)[-1]


def test_arithmetic_between_operations_is_an_unknown_step(recording):
    step = history_of(xephys.notch_filter(xephys.bandpass_filter(recording) * 2, freq_hz=3000.0))
    assert [s.partition("(")[0] for s in step] == ["bandpass_filter", "unknown", "notch_filter"]


def test_operations_are_functions_of_their_module():
    assert pickle.loads(pickle.dumps(xephys.preprocess.filter.bandpass_filter)).__name__ == "bandpass_filter"


@pytest.mark.parametrize("preset", ["default", "kilosort4"])
def test_tasks_of_a_sort_are_named_after_operations(preset, recording):
    from dask.callbacks import Callback
    from dask.utils import key_split

    class Names(Callback):
        def __init__(self):
            super().__init__()
            self.seen = set()

        def _pretask(self, key, dsk, state):
            self.seen.add(key_split(key).partition("-")[0])

    with Names() as names:
        xephys.sort(recording, preset=preset, progress=False)
    # Beside operations, only reading the source, joining blocks and starting the pool of threads have tasks.
    assert names.seen - set(xephys.__all__) <= {"simulationsource", "finalize", "start"}
    assert {"project_peaks", "learn_shapes" if preset == "kilosort4" else "learn_components"} <= names.seen
    assert {"estimate_templates", "match_templates"} <= names.seen


def test_every_operation_on_a_recording_is_marked():
    from xephys.accessor import RecordingAccessor

    others = {
        "sample_times", "sort", "checkpoint", "save_recording", "to_spikeinterface", "describe", "plot_traces",
        "plot_probe", "apply_pipeline",  # the steps are operations
    }  # fmt: skip
    methods = {name for name in vars(RecordingAccessor) if not name.startswith("_")}
    unmarked = {name for name in methods if not getattr(getattr(xephys, name), "is_operation", False)}
    assert unmarked <= others, "decorate it with @operation, or say here why it is none"


def test_a_history_that_was_stored_as_a_list_is_read(recording):
    filtered = xephys.bandpass_filter(recording)
    stored = filtered.assign_attrs(history=filtered.attrs["history"].splitlines())
    assert history_of(stored) == history_of(filtered)
    assert len(history_of(xephys.scale(stored, gain=2.0))) == 2
