"""The table of back-ends."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from xephys.detect.weights import FOLDER as NETWORKS
from xephys.errors import ParameterError
from xephys.pipeline import (
    SorterBackend,
    SortingPipelineConfig,
    add_backend,
    get_backend_class,
    list_sorters,
    sort_recording,
)
from xephys.pipeline.batch.backends import backend_of
from xephys.testing import simulate_recording

#: Nothing of this machine is looked at, and units of few seconds are kept.
ANYWHERE: dict[str, Any] = {
    "preflight": False, "host_ram_watchdog": False, "disk_watchdog": False, "host_ram_poll_interval_s": 0.05,
    "spikes_min_first": 5, "spikes_min_second": 5, "isi_viol_max": None,
}  # fmt: skip


def test_short_names_are_ours_and_all_others_those_of_the_table_of_sorters() -> None:
    assert get_backend_class("default").name == "xephys_default"
    assert get_backend_class("kilosort4").name == "kilosort4"
    assert get_backend_class("xephys_kilosort4").name == "xephys_kilosort4"
    assert {"default", "kilosort2", "kilosort4", "xephys_kilosort4"} <= set(list_sorters())
    with pytest.raises(ParameterError, match="did you mean 'kilosort4'"):
        get_backend_class("kilosrt4")


def test_parameters_are_checked_before_anything_runs() -> None:
    config = SortingPipelineConfig.from_kwargs(sorter_params={"detect_treshold": 3})
    with pytest.raises(ParameterError, match="did you mean 'detect_threshold'"):
        backend_of(config)
    docker = SortingPipelineConfig.from_kwargs(sorter_name="simple", use_docker=True)
    assert backend_of(docker).parameters == {"docker_image": True}


def test_what_can_be_added() -> None:
    with pytest.raises(ParameterError, match="not a subclass"):
        add_backend(dict)  # type: ignore[arg-type]
    with pytest.raises(ParameterError, match="cannot have the name 'default'"):
        add_backend(type("Mine", (SorterBackend,), {"name": "default"}))


@pytest.mark.parametrize("spoil", ["missing", "cut", "other"])
def test_a_model_that_cannot_be_read_is_named(tmp_path: Path, spoil: str) -> None:
    model = tmp_path / "model.npz"
    if spoil == "cut":
        model.write_bytes((NETWORKS / "mea.npz").read_bytes()[:3000])
    if spoil == "other":
        np.savez(model, a=np.zeros(3))
    recording, _ = simulate_recording(duration_s=1, n_channels=8, n_units=1, seed=0)
    (result,) = sort_recording(
        [recording],
        sorter="rt_sort",
        results_folders=[tmp_path / "r"],
        intermediate_folders=[tmp_path / "i"],
        rt_sort_model_path=str(model),
        **ANYWHERE,
    )
    assert result.failure is not None and result.failure.error == "ModelLoadingError"
    assert result.failure.attributes == {"sorter": "xephys_rt_sort", "model_path": str(model)}


def test_rt_sort_in_a_batch_with_a_model_of_a_file(tmp_path: Path) -> None:
    model = shutil.copy(NETWORKS / "neuropixels.npz", tmp_path / "mine.npz")
    recording, _ = simulate_recording(duration_s=10, n_channels=16, n_units=3, seed=1)
    (result,) = sort_recording(
        [recording],
        sorter="rt_sort",
        results_folders=[tmp_path / "r"],
        intermediate_folders=[tmp_path / "i"],
        rt_sort_model_path=str(model),
        rt_sort_probe="neuropixels",
        snr_min=3.0,
        **ANYWHERE,
    )
    assert result.status == "success" and result.spike_data.n_units == 3
    assert result.spike_data.metadata["source_format"] == result.sorter


def test_a_delegated_sorter_runs_in_a_process_of_its_own_and_is_ended_if_it_is_silent(tmp_path: Path) -> None:
    psutil = pytest.importorskip("psutil")
    recording, _ = simulate_recording(duration_s=3, n_channels=4, n_units=2, seed=0)
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    results = [
        sort_recording(
            [recording],
            sorter="simple",
            results_folders=[tmp_path / name],
            intermediate_folders=[tmp_path / "work" / name],
            sorter_params={"clusterer": "kmeans", "clusterer_kwargs": {"n_clusters": 2}},
            sorter_inactivity_base_s=limit_s,
            sorter_inactivity_per_min_s=0.0,
            **ANYWHERE,
        )[0]
        for name, limit_s in (("well", 120.0), ("hung", 0.2))
    ]
    assert results[0].status == "success" and results[0].spike_data.n_units >= 1
    assert (results[1].status, results[1].failure and results[1].failure.error) == (
        "sorter_timeout",
        "SorterTimeoutError",
    )
    left = [child for child in psutil.Process().children(recursive=True) if child.pid not in before]
    assert not [child for child in left if child.status() != psutil.STATUS_ZOMBIE]
