"""Fields of the configuration: each is described; those without effect and what replaces them."""

from __future__ import annotations

from xephys.sorter.dartsort.parameters import DARTsortParameters, DARTsortUserConfig, idle_fields


def test_every_field_says_what_it_does():
    assert all(field.description for field in DARTsortUserConfig.model_fields.values())


def test_four_defaults_of_the_preset_are_not_those_of_dartsort():
    theirs, ours = DARTsortUserConfig(), DARTsortParameters()
    other = {name: value for name, value in ours.model_dump().items() if value != getattr(theirs, name)}
    assert other == {
        "preprocessing": "ibllikecmr",
        "matching_threshold": 7.0,
        "amplitude_scaling_stddev": 0.1,
        "amplitude_scaling_boundary": 1.0,
    }


def test_fields_with_their_default_are_not_idle():
    assert idle_fields(DARTsortUserConfig(rigid=True)) == {}
    cfg = DARTsortUserConfig(executor="process", subsampling_presence=0.2)
    assert idle_fields(cfg) == {
        "subsampling_presence": "every chunk is detected, so that no unit is missed",
        "executor": "the active Dask scheduler decides",
    }
