"""Checks before anything runs."""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path
from typing import Any

import pytest

from xephys.errors import XephysWarning
from xephys.pipeline import DockerEnvironmentError, SortingPipelineConfig
from xephys.pipeline.batch.backends import backend_of
from xephys.pipeline.batch.preflight import check_group, docker_trouble, preflight
from xephys.pipeline.batch.sources import Group, Part
from xephys.testing import simulate_recording

ENOUGH = {
    "preflight_min_free_inter_gb": 0.0, "preflight_min_free_results_gb": 0.0, "preflight_min_available_ram_gb": 0.0,
}  # fmt: skip


def findings(folder: Path, given: Any = None, **flat: Any) -> list[tuple[str, bool]]:
    config = SortingPipelineConfig.from_kwargs(**{**ENOUGH, **flat})
    group = Group("a", (Part("a", given),), folder / "i", folder / "r")
    return [(type(one.error).__name__, one.fatal) for one in preflight(group, config, backend_of(config))]


def test_nothing_is_found_where_all_is_well(tmp_path: Path) -> None:
    assert findings(tmp_path) == []


def test_what_ends_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("xephys.pipeline.batch.preflight.installed_sorters", lambda: ["xephys_default"])
    assert findings(tmp_path, tmp_path / "no.bin") == [("RecordingError", True)]
    assert findings(tmp_path, sorter_name="kilosort2") == [("EnvironmentSortFailure", True)]
    assert findings(tmp_path, sorter_name="kilosort2", use_docker=True) == [("DockerEnvironmentError", True)]
    assert findings(tmp_path, sorter_path=str(tmp_path / "matlab")) == [("ParameterError", True)]
    (tmp_path / "file").write_text("")
    assert findings(tmp_path / "file") == [("OutputError", True)] * 2


@pytest.mark.skipif(shutil.which("docker") is None, reason="Docker's client is not installed")
def test_a_docker_that_has_stopped_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "docker.sock"
    with socket.socket(socket.AF_UNIX) as closed:
        closed.bind(str(place))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{place}")
    trouble = docker_trouble("kilosort4")
    assert isinstance(trouble, DockerEnvironmentError) and trouble.reason == "daemon_down"
    assert str(place) in str(trouble)
    assert findings(tmp_path, sorter_name="kilosort4", use_docker=True) == [("DockerEnvironmentError", True)]


@pytest.mark.skipif(os.name != "posix", reason="limits of processes exist on POSIX systems")
def test_limits_of_the_process_are_looked_at(tmp_path: Path) -> None:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (1000, hard))
        assert findings(tmp_path) == [("EnvironmentSortFailure", False)]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_rates_and_gpus_that_a_sorter_is_not_made_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xephys.pipeline.batch.preflight.installed_sorters", lambda: ["kilosort4"])
    monkeypatch.setattr("xephys.pipeline.batch.preflight.gpu_states", lambda: [(1.0, 30.0)])
    slow, _ = simulate_recording(duration_s=0.1, n_channels=4, n_units=0, sampling_frequency=8000.0)
    assert findings(tmp_path, slow, sorter_name="kilosort4") == [("RecordingError", False)]
    monkeypatch.setattr("xephys.pipeline.batch.preflight.gpu_states", list)
    assert findings(tmp_path, sorter_name="kilosort4") == [("EnvironmentSortFailure", False)]


def test_what_only_warns(tmp_path: Path) -> None:
    assert findings(tmp_path, preflight_min_free_results_gb=1e9) == [("DiskExhaustionError", False)]
    assert findings(tmp_path, preflight_min_available_ram_gb=1e9) == [("HostMemoryWatchdogError", False)]
    config = SortingPipelineConfig.from_kwargs(**{**ENOUGH, "preflight_min_free_results_gb": 1e9})
    group = Group("a", (Part("a", None),), tmp_path / "i", tmp_path / "r")
    with pytest.warns(XephysWarning, match="preflight_min_free_results_gb"):
        check_group(group, config, backend_of(config))
    strict = config.override(preflight_strict=True)
    with pytest.raises(Exception, match="GB free"):
        check_group(group, strict, backend_of(strict))
    check_group(group, strict.override(preflight=False), backend_of(strict))
