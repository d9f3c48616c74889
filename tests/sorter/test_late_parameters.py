"""With a changed parameter in the same folder, only the stages that depend on it run again."""

from __future__ import annotations

import pytest

import xephys
from xephys.graph import run
from xephys.recording.stages import recording_plan

from ..support.sortings import assert_identical

CHUNK_S = 2.0


@pytest.fixture(scope="module")
def sorted_folder(opened, tmp_path_factory):
    folder = tmp_path_factory.mktemp("late")
    xephys.sort(opened(CHUNK_S), folder=folder)
    return folder


def files(folder):
    """Inode and modification time of each file."""
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in paths}


def stages(paths, folder):
    """Kinds of results: names of folders and files without the hash of their content."""
    return sorted({path.relative_to(folder).parts[0].rsplit("-", 1)[0] for path in paths})


def sort_again(opened, folder, **parameters):
    """The sorting with other parameters, and the kinds of the files that were added; existing files stay unchanged."""
    before = files(folder)
    sorting = xephys.sort(opened(CHUNK_S), folder=folder, **parameters)
    after = files(folder)
    assert {path: after[path] for path in before} == before
    return sorting, stages(set(after) - set(before), folder)


PREPARATION = ["estimates", "find_constant_channels", "plain_noise_levels", "share_of_silence"]
DETECTION = ["components", "estimate_motion", "project_waveforms"]
CLUSTERING = ["cluster_peaks", "estimate_feature_noise"]
MATCHING = [
    "balance_thresholds",
    "cluster_missed",
    "estimate_noise_gain",
    "localize_center_of_mass",
    "match_and_look",
    "match_and_project",
    "refine_clusters",
    "sum_waveforms",
]


def test_the_folder_has_every_stage(sorted_folder):
    kinds = stages(files(sorted_folder), sorted_folder)
    assert kinds == sorted([*PREPARATION, *DETECTION, *CLUSTERING, *MATCHING])


def test_repeating_a_sort_computes_nothing(opened, expected, sorted_folder, monkeypatch):
    monkeypatch.setattr(run, "_tiles", lambda *_, **__: pytest.fail("a tile was computed"))
    sorting, written = sort_again(opened, sorted_folder)
    assert written == []
    assert_identical(sorting, expected)


def test_contamination_max_repeats_the_labels(opened, expected, sorted_folder, monkeypatch):
    """It affects labels alone, so no sample is read."""
    source = type(recording_plan(opened(CHUNK_S)).source)
    monkeypatch.setattr(source, "read", lambda *_: pytest.fail("the recording was read"))
    sorting, written = sort_again(opened, sorted_folder, contamination_max=1e-6)
    assert written == []
    assert sorting["spikes"].equals(expected["spikes"])
    assert '"contamination_max": 1e-06' in sorting.attrs["parameters"]


def test_match_threshold_repeats_matching(opened, sorted_folder):
    sorting, written = sort_again(opened, sorted_folder, match_threshold=25.0)
    assert set(written) <= set(MATCHING) and {"match_and_project", "localize_center_of_mass"} <= set(written)
    assert_identical(sorting, xephys.sort(opened(CHUNK_S), match_threshold=25.0))


def test_drift_repeats_nothing_on_still_tissue(opened, expected, sorted_folder):
    """Whether drift is followed is decided after detection; without motion, nothing else depends on it."""
    for way in ("off", "interpolate"):
        sorting, written = sort_again(opened, sorted_folder, drift=way)
        assert written == []
        assert sorting["spikes"].equals(expected["spikes"])


def test_detect_threshold_repeats_detection_and_later_stages(opened, sorted_folder):
    sorting, written = sort_again(opened, sorted_folder, detect_threshold=6.0)
    assert written == sorted([*DETECTION, *CLUSTERING, *MATCHING])
    assert_identical(sorting, xephys.sort(opened(CHUNK_S), detect_threshold=6.0))


def test_freq_min_hz_repeats_everything_filtered(opened, sorted_folder):
    """Only estimates from raw samples are reused."""
    _, written = sort_again(opened, sorted_folder, freq_min_hz=400.0)
    rest = [name for name in PREPARATION if name not in ("find_constant_channels", "share_of_silence")]
    assert written == sorted([*rest, *DETECTION, *CLUSTERING, *MATCHING])


def test_other_chunks_repeat_nothing(opened, expected, sorted_folder):
    """Chunks only schedule, so a folder begun with other chunks is reused."""
    before = files(sorted_folder)
    assert_identical(xephys.sort(opened(0.7001), folder=sorted_folder), expected)
    assert files(sorted_folder) == before


@pytest.mark.slow
def test_late_parameters_of_the_preset_kilosort4(opened, tmp_path):
    """The same holds for every preset: a limit of the last step, and a threshold of matching."""
    given = {"preset": "kilosort4", "nblocks": 0}
    expected, first = sort_again(opened, tmp_path, **given)
    assert {"project_waveforms", "cluster_by_modularity"} <= set(first)
    again, written = sort_again(opened, tmp_path, **given)
    assert written == []
    assert_identical(again, expected)
    _, written = sort_again(opened, tmp_path, **given, acg_threshold=0.1)
    assert set(written) <= {"sum_waveforms"}
    late, written = sort_again(opened, tmp_path, **given, Th_learned=20.0)
    assert "project_waveforms" not in written
    assert not set(written) & {"estimates", "learn_shapes", "plain_noise_levels"}
    assert "match_and_project" in written
    assert_identical(late, xephys.sort(opened(CHUNK_S), **given, Th_learned=20.0))
