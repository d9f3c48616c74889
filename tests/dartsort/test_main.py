"""The main call: what it leaves in its folder, that it resumes only its own runs, and motions that are given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import xephys
from xephys import ParameterError
from xephys.dartsort import DARTsortSorting, MotionInfo, dartsort
from xephys.testing import simulate_recording

CFG = {"preprocessing": "ibllikecmr", "do_motion_estimation": False}


@pytest.fixture(scope="module")
def recording() -> Any:
    return simulate_recording(duration_s=8, n_channels=16, n_units=3, seed=0, amplitude_range_uv=(80, 150))[0]


@pytest.fixture(scope="module")
def finished(recording: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    pytest.importorskip("h5py")
    folder = tmp_path_factory.mktemp("dartsort") / "out"
    return folder, dartsort(recording, folder, CFG)


def test_a_folder_holds_the_results(finished: tuple[Path, Any], recording: Any) -> None:
    folder, found = finished
    names = {"dartsort_sorting.npz", "matching1.h5", "motion.npz", "dartsort_config.toml", "recording.txt"}
    assert {path.name for path in folder.iterdir()} == names
    sorting, motion = found["sorting"], found["motion"]
    assert sorting.n_units == 3 and not motion.drifting
    theirs = {"matching_threshold": 8, "amplitude_scaling_stddev": 0.01, "amplitude_scaling_boundary": 1 / 3}
    ours = xephys.sort(recording, preset="dartsort", do_motion_estimation=False, **theirs)
    np.testing.assert_array_equal(sorting.times_samples, ours["spikes"]["sample_index"])
    back = DARTsortSorting.load(folder / "dartsort_sorting.npz")
    np.testing.assert_array_equal(back.labels, sorting.labels)
    np.testing.assert_array_equal(back.point_source_localizations, sorting.point_source_localizations)


def test_a_finished_run_is_read_and_others_are_refused(
    finished: tuple[Path, Any], recording: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, found = finished
    monkeypatch.setattr("xephys.dartsort.main._units", None)  # sorting again would fail
    again = dartsort(recording, folder, CFG)
    np.testing.assert_array_equal(again["sorting"].times_samples, found["sorting"].times_samples)
    with pytest.raises(ParameterError, match=r"a run with other settings \(matching_threshold\)"):
        dartsort(recording, folder, {**CFG, "matching_threshold": 7})
    with pytest.raises(ParameterError, match="a run with another recording"):
        dartsort(recording.isel(time=slice(0, 100_000)), folder, CFG)


def test_spikeinterfaces_recordings_and_motions_are_accepted(recording: Any, tmp_path: Path) -> None:
    cfg = {**CFG, "save_final_features": False, "work_in_tmpdir": True, "dredge_only": True}
    motion = xephys.make_motion([[0.0], [25.0]], time_s=[2.0, 6.0], depth_um=[0.0])
    found = dartsort(
        xephys.to_spikeinterface(recording),
        tmp_path / "a",
        cfg,
        si_motion=xephys.to_spikeinterface_motion(motion),
    )
    assert found["motion"].drifting and found["sorting"].labels is None
    assert found["sorting"].n_spikes > 100 and np.isfinite(found["sorting"].point_source_localizations).all()
    assert not (tmp_path / "a" / "passes").exists()


def test_what_does_not_fit_is_refused_before_any_work(recording: Any, tmp_path: Path) -> None:
    other = MotionInfo.static(np.column_stack([np.zeros(4), 20.0 * np.arange(4)]))
    with pytest.raises(ParameterError, match="of a probe with 4 channels and the recording has 16"):
        dartsort(recording, tmp_path / "a", CFG, motion=other)
    places = np.column_stack([recording["x"].values, recording["y"].values])
    with pytest.raises(ParameterError, match="channels are up to 500 um from the recording's"):
        dartsort(recording, tmp_path / "a", CFG, motion=MotionInfo.static(places + np.array([0.0, 500.0])))
    for wrong in ("traces.bin", recording.values, None):
        with pytest.raises(ParameterError, match="give one from open_recording or make_recording"):
            dartsort(wrong, tmp_path / "a", CFG)
    with pytest.raises(ParameterError, match="motion and si_motion are given; give at most one"):
        dartsort(recording, tmp_path / "a", CFG, motion=other, si_motion=other)
    with pytest.raises(ParameterError, match="motion is a str"):
        dartsort(recording, tmp_path / "a", CFG, motion="rigid")  # type: ignore[arg-type]
    with pytest.raises(ParameterError, match="did you mean 'rigid'"):
        dartsort(recording, tmp_path / "a", {"rigit": True})
    segments = xephys.append_segments([recording, recording])
    with pytest.raises(ParameterError, match="has 2 segments, and dartsort's files hold one"):
        dartsort(segments, tmp_path / "a", CFG)
    assert not (tmp_path / "a").exists()


def test_an_unfinished_folder_resumes_with_the_same_settings_alone(
    recording: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cfg = {**CFG, "save_final_features": False, "dredge_only": True}
    with monkeypatch.context() as patched:
        patched.setattr("xephys.dartsort.main.MotionInfo.save", None)  # stops the run after its passes
        with pytest.raises(TypeError):
            dartsort(recording, tmp_path / "a", cfg)
    assert {path.name for path in (tmp_path / "a").iterdir()} == {"dartsort_config.toml", "recording.txt", "passes"}
    with pytest.raises(ParameterError, match=r"a run with other settings \(voltage_threshold\)"):
        dartsort(recording, tmp_path / "a", {**cfg, "voltage_threshold": 4})
    with pytest.raises(ParameterError, match="a run with another recording"):
        dartsort(recording.isel(time=slice(0, 100_000)), tmp_path / "a", cfg)
    found = dartsort(recording, tmp_path / "a", cfg)["sorting"]
    fresh = dartsort(recording, tmp_path / "b", cfg)["sorting"]
    np.testing.assert_array_equal(found.times_samples, fresh.times_samples)
    with_others = dartsort(recording, tmp_path / "a", {**cfg, "voltage_threshold": 6}, overwrite=True)["sorting"]
    assert with_others.n_spikes < found.n_spikes


@pytest.mark.parametrize("dredge_only", [False, True])
def test_a_recording_without_spikes_gives_an_empty_sorting(dredge_only: bool, tmp_path: Path) -> None:
    quiet = simulate_recording(duration_s=3, n_channels=8, n_units=0, seed=1)[0]
    cfg = {**CFG, "save_final_features": False, "dredge_only": dredge_only}
    found = dartsort(quiet, tmp_path, cfg)
    assert found["sorting"].n_spikes == 0 and not found["motion"].drifting
    assert len(DARTsortSorting.load(tmp_path / "dartsort_sorting.npz")) == 0
