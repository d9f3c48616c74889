"""Names of other systems lead to names that exist here."""

from __future__ import annotations

import inspect

import pytest

import xephys
from xephys import plot
from xephys.checks import hint_for
from xephys.foreign import KILOSORT, SPIKEINTERFACE, VALUES, note_on, our_name
from xephys.sorter.presets import PRESETS, find_preset


def _parameters_here():
    known = {name for preset in PRESETS for name in find_preset(preset).model.model_fields}
    functions = [getattr(xephys, name) for name in xephys.__all__] + [getattr(plot, name) for name in plot.__all__]
    for function in functions:
        if inspect.isfunction(function):
            known |= set(inspect.signature(function).parameters)
    from xephys.detect.peaks import METHODS as DETECTION
    from xephys.preprocess.whiten import MODES
    from xephys.simulation.config import SimulationConfig

    for build in (*DETECTION.values(), *MODES.values(), SimulationConfig):
        known |= set(inspect.signature(build).parameters)
    return known


@pytest.mark.parametrize("row", [*SPIKEINTERFACE, *KILOSORT], ids=lambda row: row.name)
def test_what_is_named_exists_here(row):
    assert row.ours or row.note
    assert set(row.ours) <= _parameters_here()


@pytest.mark.parametrize("row", KILOSORT, ids=lambda row: row.name)
def test_kilosort_names_are_those_of_its_preset_or_are_explained(row):
    known = find_preset("kilosort4").model.model_fields
    assert row.name in known or row.ours or row.note


def test_every_foreign_name_is_listed_once():
    names = [row.name for row in (*SPIKEINTERFACE, *KILOSORT)]
    assert len(set(names)) == len(names)


def test_the_first_name_that_a_function_has_is_proposed():
    assert our_name("radius_um", ["n_nearest", "exclude_radius_um"]) == "exclude_radius_um"
    assert our_name("freq_min", ["seed"]) is None
    assert our_name("nothing", ["seed"]) is None
    assert set(VALUES) == {key.lower() for key in VALUES}


def test_hints():
    assert hint_for("n_jobs", ["seed"]) == f"; {note_on('n_jobs')}"
    assert hint_for("nblocks", ["drift"]) == "; did you mean 'drift' ('follow', 'interpolate' or 'off')?"
    assert hint_for("sed", ["seed"]) == "; did you mean 'seed'?"
