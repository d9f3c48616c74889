"""Units are assembled: their amplitude, their noise, and the tree that holds them, even if there are none."""

from __future__ import annotations

import json

import numpy as np
import xarray as xr

from xephys.schema import SPIKE_VARIABLES, make_recording
from xephys.sorter.default.parameters import DefaultParameters
from xephys.sorter.steps.assemble import Appearance, assemble, empty_sorting

RECORDING = make_recording(
    np.zeros((3000, 2), "f4"), sampling_frequency=1000.0, coordinates={"x": [0.0, 0.0], "y": [0.0, 20.0]}
)


def appearance():
    waveform = np.zeros((2, 5, 2), np.float32)
    waveform[0, 2], waveform[1, 2] = [-30, -80], [50, 10]
    return Appearance(waveform, 2, np.array([1, 0]), np.array([[0.0, 15.0], [0.0, 2.0]]), np.array([8.0, 5.0]))


def test_the_amplitude_is_that_of_the_peak_channel():
    assert appearance().amplitude.tolist() == [80.0, 50.0]


def test_the_tree_holds_units_spikes_and_templates():
    spikes = np.array(
        [(150, 0, 1.0, 0.0, 15.0, 0), (160, 1, 0.5, 0.0, 2.0, 0)],
        [
            ("sample_index", "i8"),
            ("unit_index", "i8"),
            ("amplitude", "f8"),
            ("x", "f8"),
            ("y", "f8"),
            ("segment_index", "i8"),
        ],
    )
    quality = {"label": np.array(["good", "mua"]), "snr": np.array([10.0, 10.0])}
    tree = assemble(
        RECORDING, spikes, appearance(), quality, preset="default", parameters=DefaultParameters(), log=[]
    )  # fmt: skip
    assert tree["spikes"]["sample_index"].values.tolist() == [150, 160]
    assert tree["spikes"]["amplitude"].values.tolist() == [80.0, 25.0]
    assert tree["spikes"]["scale"].values.tolist() == [1.0, 0.5]
    assert tree["units"]["y"].values.tolist() == [15.0, 2.0]
    assert json.loads(tree.attrs["parameters"]) == DefaultParameters().model_dump()


def test_a_sorting_without_units_is_complete():
    tree = empty_sorting(RECORDING, preset="default", parameters=DefaultParameters(), log=[{"step": "detect"}])
    assert isinstance(tree, xr.DataTree)
    assert tree["units"].sizes["unit"] == tree["spikes"].sizes["spike"] == 0
    assert set(tree["spikes"].data_vars) >= set(SPIKE_VARIABLES)
    assert tree["templates"]["templates"].shape[::2] == (0, 2)
    assert json.loads(tree.attrs["log"]) == [{"step": "detect"}]
