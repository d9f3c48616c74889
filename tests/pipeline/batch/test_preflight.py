"""Checks before anything runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from xephys.errors import XephysWarning
from xephys.pipeline import SortingPipelineConfig
from xephys.pipeline.batch.backends import backend_of
from xephys.pipeline.batch.preflight import check_group, preflight
from xephys.pipeline.batch.sources import Group, Part

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
