"""The six configurations."""

from __future__ import annotations

import pytest

from xephys.pipeline.config import presets


@pytest.mark.parametrize(
    ("name", "sorter", "docker", "probe"),
    [
        ("KILOSORT2", "kilosort2", False, "mea"),
        ("KILOSORT2_DOCKER", "kilosort2", True, "mea"),
        ("KILOSORT4", "kilosort4", False, "mea"),
        ("KILOSORT4_DOCKER", "kilosort4", True, "mea"),
        ("RT_SORT_MEA", "rt_sort", False, "mea"),
        ("RT_SORT_NEUROPIXELS", "rt_sort", False, "neuropixels"),
    ],
)
def test_a_preset_names_its_sorter(name: str, sorter: str, docker: bool, probe: str) -> None:
    config = getattr(presets, name)
    assert (config.sorter.sorter_name, config.sorter.use_docker, config.rt_sort.probe) == (sorter, docker, probe)
