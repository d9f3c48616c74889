"""The preset ``dartsort``: its accuracy, what does not change its result, and the units it does not invent."""

from __future__ import annotations

from typing import Any

import pytest

import xephys
from tests.support.sortings import assert_identical
from xephys import ParameterError
from xephys.testing import simulate_recording


def sort(recording: Any, **parameters: Any) -> Any:
    return xephys.sort(recording, preset="dartsort", **parameters)


@pytest.fixture(scope="module")
def kept(opened, tmp_path_factory):
    """A sorting without motion, what is given to sort again in the same folder, and the reports of progress."""
    calls: list[tuple[str, int, int]] = []
    once = {
        "folder": tmp_path_factory.mktemp("kept"),
        "do_motion_estimation": False,
        "progress": lambda *call: calls.append(call),
    }
    return sort(opened(2.0), **once), once, calls


@pytest.fixture(scope="module")
def still_sorting(kept):
    return kept[0]


def test_an_easy_recording_is_sorted():
    recording, truth = simulate_recording(duration_s=20, n_channels=32, n_units=8, amplitude_range_uv=(60, 150), seed=1)
    sorting = sort(recording)
    found = xephys.compare(sorting, truth).summary
    assert found["num_well_detected"] == 8
    assert found["num_false_positive"] == found["num_overmerged"] == 0
    assert found["accuracy"] > 0.97
    assert sorting.attrs["preset"] == "dartsort"


def test_small_units_keep_their_spikes():
    recording, truth = simulate_recording(preset="hard", duration_s=20, n_channels=16, n_units=8, seed=102)
    theirs = {"matching_threshold": 8.0, "amplitude_scaling_stddev": 0.01, "amplitude_scaling_boundary": 1 / 3}
    usual, strict = (xephys.compare(sort(recording, **given), truth).summary for given in ({}, theirs))
    assert usual["num_well_detected"] > strict["num_well_detected"]
    assert usual["accuracy"] > strict["accuracy"]


def test_thresholds_of_templates_are_for_the_amplitudes_of_matching(opened, monkeypatch):
    given = []

    def balanced(*args, amplitude_std, **more):
        given.append(amplitude_std)
        return xephys.balance_thresholds(*args, amplitude_std=amplitude_std, **more)

    monkeypatch.setattr("xephys.sorter.default.templates.balance_thresholds", balanced)
    sort(opened(2.0), do_motion_estimation=False, amplitude_scaling_stddev=0.03)
    assert given == [0.03]


def test_chunks_do_not_change_a_bit(opened, still_sorting):
    assert_identical(sort(opened(0.7), do_motion_estimation=False), still_sorting)


def test_a_stopped_sort_resumes(opened, kept):
    still_sorting, once, calls = kept
    assert {stage for stage, *_ in calls} == {"subtract", "refine 1", "match"}
    calls.clear()
    assert_identical(sort(opened(2.0), **once), still_sorting)
    assert all(done == total for _, done, total in calls)  # nothing was computed again


def test_background_of_far_units_has_no_units():
    background, _ = simulate_recording(duration_s=30, n_channels=32, n_units=0, preset="hard", seed=1)
    assert sort(background, do_motion_estimation=False)["units"].sizes["unit"] == 0


def test_a_probe_of_one_column_is_sorted():
    recording, truth = simulate_recording(duration_s=8, n_channels=16, n_units=4, probe="linear", seed=1)
    found = xephys.compare(sort(recording, do_motion_estimation=False), truth).summary
    assert found["num_well_detected"] == found["num_tested_units"] == 4


def test_what_the_preset_cannot_do_is_refused(opened):
    with pytest.raises(ParameterError, match=r"dredge_only is True.*call xephys.dartsort.dartsort"):
        sort(opened(2.0), dredge_only=True)
    with pytest.raises(ParameterError, match="device is 'cuda:0', which preset 'dartsort' cannot do yet"):
        sort(opened(2.0), device="cuda:0")
    with pytest.raises(ParameterError, match=r"no parameter 'voltage_treshold'.*did you mean 'voltage_threshold'"):
        sort(opened(2.0), voltage_treshold=4)
