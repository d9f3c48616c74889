"""The table of back-ends."""

from __future__ import annotations

import pytest

from xephys.errors import ParameterError
from xephys.pipeline import SorterBackend, SortingPipelineConfig, add_backend, get_backend_class, list_sorters
from xephys.pipeline.batch.backends import backend_of


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
