"""Many runs as one graph: lazy, parallel, resumable; a failed run does not affect the others."""

from __future__ import annotations

import dask
import numpy as np
import pytest

import xephys
from tests.pipeline.conftest import failing_sorter, quick_sorter
from xephys.errors import OutputError, ParameterError
from xephys.graph.workers import local_cluster
from xephys.testing import forbid_compute

SORTERS = {"two": quick_sorter, "three": (quick_sorter, {"n_units": 3}), "broken": failing_sorter}


def test_nothing_runs_before_compute(recordings, tmp_path) -> None:
    with forbid_compute():
        runs = xephys.run_sorters(SORTERS, recordings, folder=tmp_path)
        assert len(runs.jobs) == len(runs) == 6
    assert repr(runs) == "<SorterRuns: 3 sorters x 2 recordings, 6 runs, not computed>"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("n_at_once", [1, 4])
def test_a_failure_is_classified_and_the_others_finish(recordings, tmp_path, n_at_once) -> None:
    results = xephys.run_sorters(SORTERS, recordings, folder=tmp_path).compute(n_at_once=n_at_once)
    assert repr(results) == "<SorterResults: 4 results, 2 failures>"
    assert {key: failure.kind for key, failure in results.failures.items()} == {
        ("monday", "broken"): "unexpected",
        ("tuesday", "broken"): "unexpected",
    }
    assert "failing_sorter" in results.failures["monday", "broken"].trace
    assert [results[name, "three"]["units"].sizes["unit"] for name in recordings] == [3, 3]
    with pytest.raises(KeyError, match="has no sorting: unexpected: no peaks in 30000 samples"):
        results["monday", "broken"]
    table = results.table()
    assert table["status"].tolist() == ["done", "done", "unexpected"] * 2
    assert set(table["recording"]) == set(recordings)


def test_finished_runs_are_kept_and_failed_ones_repeated(recordings, tmp_path) -> None:
    xephys.run_sorters(SORTERS, recordings, folder=tmp_path).compute()
    mended = {**SORTERS, "broken": ("xephys_default", {}), "new": quick_sorter}
    with pytest.raises(OutputError, match="already"):
        xephys.run_sorters(mended, recordings, folder=tmp_path)
    results = xephys.run_sorters(SORTERS | {"new": quick_sorter}, recordings, folder=tmp_path, mode="keep").compute()
    table = results.table().set_index(["recording", "sorter"])
    assert table["kept"].tolist() == [True, True, False, False] * 2
    assert len(results) == 6


def test_parts_are_runs_of_their_own(recordings, tmp_path) -> None:
    runs = xephys.run_sorters({"two": quick_sorter}, recordings, folder=tmp_path, by="group")
    assert len(runs) == 4
    results = runs.compute()
    assert len(results) == 2
    assert results["monday", "two"]["units"]["group"].values.tolist() == [0, 0, 1, 1]
    assert (tmp_path / "monday" / "two" / "group_1" / "sorting.zarr").is_dir()


def test_delayed_objects_fit_into_any_graph(recordings) -> None:
    jobs = xephys.run_sorters({"two": quick_sorter}, recordings).jobs
    ended = dask.compute(*jobs.values(), scheduler="synchronous")
    assert [run.sorting()["units"].sizes["unit"] for run in ended] == [2, 2]


@pytest.mark.slow
def test_on_a_cluster_with_resources(recordings, tmp_path) -> None:
    with (
        dask.config.set({"distributed.worker.resources.GPU": 1}),
        local_cluster(n_workers=1, threads_per_worker=2),
    ):
        runs = xephys.run_sorters(SORTERS, recordings, folder=tmp_path, resources={"three": {"GPU": 1}})
        results = runs.compute()
    assert (len(results), len(results.failures)) == (4, 2)
    here = quick_sorter(recordings["monday"])
    np.testing.assert_array_equal(results["monday", "two"]["spikes"]["sample_index"], here["spikes"]["sample_index"])


def test_bad_input_is_refused_before_anything_runs(recordings) -> None:
    with pytest.raises(ParameterError, match=r"no sorter 'simpel'; .*did you mean 'simple'"):
        xephys.run_sorters(["simpel"], recordings)
    with pytest.raises(ParameterError, match="no parameter 'tresh'"):
        xephys.run_sorters({"a": ("simple", {"tresh": 1})}, recordings)
    with pytest.raises(ParameterError, match=r"'a/b' cannot be the name of a folder"):
        xephys.run_sorters({"a/b": quick_sorter}, recordings)
    with pytest.raises(ParameterError, match=r"resources are given for 'too', .*did you mean 'two'"):
        xephys.run_sorters(SORTERS, recordings, resources={"too": {"GPU": 1}})


def test_a_list_of_recordings_is_numbered(recordings) -> None:
    results = xephys.run_sorters({"two": quick_sorter}, list(recordings.values())).compute()
    assert list(results) == [("0", "two"), ("1", "two")]
