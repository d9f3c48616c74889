"""One table of sorters: our presets and those wrapped by SpikeInterface, with parameters and descriptions."""

from __future__ import annotations

import pytest
import spikeinterface.sorters as theirs

import xephys
from xephys.errors import ParameterError
from xephys.pipeline.sorters import find_sorter
from xephys.sorter.presets import PRESETS


def test_every_sorter_is_listed_once() -> None:
    listed = xephys.available_sorters()
    assert listed == [f"xephys_{preset}" for preset in PRESETS] + theirs.available_sorters()
    assert len(set(listed)) == len(listed)


def test_installed_sorters_are_ours_and_those_spikeinterface_finds() -> None:
    assert xephys.installed_sorters() == [f"xephys_{p}" for p in PRESETS] + theirs.installed_sorters()
    assert set(xephys.sorter_versions()) == set(xephys.installed_sorters())
    assert xephys.sorter_versions()["simple"] == theirs.sorter_dict["simple"].get_sorter_version()


@pytest.mark.parametrize("name", xephys.available_sorters())
def test_parameters_and_description_of_each(name: str) -> None:
    table = xephys.sorter_parameters(name)
    assert isinstance(xephys.sorter_description(name), str)
    if name.startswith("xephys_"):
        assert table == xephys.parameters(name.removeprefix("xephys_"))
        return
    try:
        defaults = theirs.get_default_sorter_params(name)
    except ImportError:  # this sorter has to be installed to report them
        assert not len(table)
        return
    assert {row.name: row.default for row in table.rows} == {key: str(value) for key, value in defaults.items()}


def test_an_unknown_sorter_is_refused() -> None:
    with pytest.raises(ParameterError, match=r"'kilosort5'; .*did you mean 'kilosort"):
        find_sorter("kilosort5")
    with pytest.raises(ParameterError, match="did you mean 'xephys_default'"):
        find_sorter("default")


def test_parameters_are_checked_before_anything_runs() -> None:
    find_sorter("simple").check({"detect_threshold": 4, "docker_image": True})
    with pytest.raises(ParameterError, match=r"no parameter 'detect_treshold'; .*did you mean 'detect_threshold'"):
        find_sorter("simple").check({"detect_treshold": 4})
    with pytest.raises(ParameterError, match="did you mean 'detect_threshold'"):
        find_sorter("xephys_default").check({"detect_treshold": 4})
    find_sorter("xephys_default").check({"learn_s": 10.0, "device": "cpu"})


def test_a_function_is_a_sorter_named_after_it() -> None:
    def mine(recording, *, gain):
        return gain

    sorter = find_sorter(mine)
    assert (sorter.name, sorter.run(None, None, {"gain": 3})) == ("mine", 3)
