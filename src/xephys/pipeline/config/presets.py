"""Six configurations that are often wanted. They are values: changing one makes another."""

from __future__ import annotations

from .config import SortingPipelineConfig

KILOSORT2 = SortingPipelineConfig.from_kwargs(sorter_name="kilosort2")
KILOSORT2_DOCKER = KILOSORT2.override(use_docker=True)
KILOSORT4 = SortingPipelineConfig.from_kwargs(sorter_name="kilosort4")
KILOSORT4_DOCKER = KILOSORT4.override(use_docker=True)
RT_SORT_MEA = SortingPipelineConfig.from_kwargs(sorter_name="rt_sort", rt_sort_probe="mea")
RT_SORT_NEUROPIXELS = RT_SORT_MEA.override(rt_sort_probe="neuropixels")
