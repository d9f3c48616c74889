"""The table of presets: every row can be imported, and refuses what the preset cannot do."""

from __future__ import annotations

import inspect
import subprocess
import sys

import numpy as np
import pytest

from xephys import ParameterError, RecordingError
from xephys.schema import make_recording
from xephys.sorter.presets import DEFAULT_PRESET, PRESETS, find_preset, presets_that, read_parameters

RATE = 30_000


def recording(*, duration_s=1.0, sampling_frequency=RATE, places=True):
    traces = np.zeros((int(duration_s * sampling_frequency), 4), "f4")
    coordinates = {"x": np.zeros(4), "y": 20.0 * np.arange(4)} if places else {}
    return make_recording(traces, sampling_frequency=float(sampling_frequency), coordinates=coordinates)


@pytest.mark.parametrize("name", PRESETS)
def test_a_row_names_existing_functions(name):
    preset = PRESETS[name]
    assert preset.name == name
    assert list(inspect.signature(preset.sorter).parameters)[:3] == ["recording", "parameters", "run"]
    parameters = read_parameters(name, {})
    assert isinstance(parameters, preset.model)
    nbefore, n_samples = parameters.template_window(RATE)
    assert 0 < nbefore < n_samples
    preset.check_recording(recording(), parameters)


@pytest.mark.parametrize("name", PRESETS)
def test_recordings_are_refused_by_the_filter_that_will_be_used(name, forbid_compute):
    check, parameters = PRESETS[name].check_recording, read_parameters(name, {})
    with pytest.raises(RecordingError, match="sorting needs the positions of the channels"):
        check(recording(places=False), parameters)
    with pytest.raises(RecordingError, match="samples"):
        check(recording(duration_s=0.001), parameters)
    with pytest.raises(ParameterError, match="must lie between 0 and the Nyquist frequency, 250 Hz"):
        check(recording(duration_s=60, sampling_frequency=500), parameters)


def test_an_upper_corner_that_the_sort_lowers_is_accepted():
    parameters = read_parameters(DEFAULT_PRESET, {"freq_max_hz": 40_000})
    PRESETS[DEFAULT_PRESET].check_recording(recording(), parameters)


def test_what_a_preset_cannot_do_is_refused_with_one_that_can():
    for use in ({"device": "cuda"}, {"learn_s": 30.0}):
        PRESETS["default"].check_use(**use)
        with pytest.raises(ParameterError, match="which preset 'kilosort4' cannot do yet; use preset 'default'"):
            PRESETS["kilosort4"].check_use(**use)
    assert list(presets_that(lambda preset: preset.reusable)) == ["default"]


def test_unknown_presets_propose_the_nearest():
    with pytest.raises(ParameterError, match=r"preset 'kilosrt4' does not exist; .*did you mean 'kilosort4'"):
        find_preset("kilosrt4")


def test_the_table_imports_no_sorter():
    code = "import sys, xephys.sorter.presets as p; print([m for m in sys.modules if 'sorter.default' in m])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", PRESETS)
def test_no_number_is_a_truth_value(name):
    """Python counts True as 1, so that a slip would set a threshold of one."""
    fields = find_preset(name).model.model_fields
    for field in (name for name, of in fields.items() if "bool" not in str(of.annotation)):
        with pytest.raises(ParameterError, match=f"{field} is True, a truth value"):
            read_parameters(name, {field: True})
