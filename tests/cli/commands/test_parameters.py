"""``xephys parameters`` prints the parameters of a preset."""

import pytest

import xephys

from ...support.command_line import refused, run


@pytest.mark.parametrize("preset", ["default", "kilosort4"])
def test_every_parameter_is_listed(preset):
    shown = run("parameters", preset).stdout
    for row in xephys.parameters(preset).rows:
        assert row.name in shown


def test_the_default_preset_is_listed_and_a_misspelt_one_refused():
    assert run("parameters").stdout == run("parameters", "default").stdout
    assert "did you mean 'default'" in refused("parameters", "defualt", status=2)
