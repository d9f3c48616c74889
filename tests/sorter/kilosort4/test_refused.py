"""The preset ``kilosort4``: parameters that are refused, and recordings that are small, silent or strange."""

from __future__ import annotations

import numpy as np
import pytest

import xephys
from xephys import ParameterError, XephysWarning
from xephys.schema import make_recording
from xephys.sorter.kilosort4.parameters import Kilosort4Parameters
from xephys.sorter.presets import read_parameters
from xephys.testing import simulate_recording

from ...support.sortings import sort_kilosort4 as sort

RATE = 30_000


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"Th_learnt": 7}, "has no parameter 'Th_learnt', did you mean 'Th_learned'"),
        ({"Th_learned": 0}, "Th_learned is 0: Input should be greater than 0"),
        ({"Th_universal": float("nan")}, "Th_universal is nan: Input should be a finite number"),
        ({"scale": float("inf")}, "scale is inf: Input should be a finite number"),
        ({"tmax": float("nan")}, "tmax is nan: Input should be greater than 0"),
        ({"nt": 60}, "nt is 60: .* it must be odd, for example 61"),
        ({"nt0min": 70}, "nt0min is 70; it must lie inside the 61 samples of nt"),
        ({"tmin": 5, "tmax": 5}, "tmax is 5; it must be greater than tmin, 5"),
        ({"tmin": 100}, "tmin is 100 s and the recording lasts 12 s"),
        ({"n_chan_bin": 385}, "n_chan_bin is 385 and the recording has 32 channels"),
        ({"fs": 25_000}, "fs is 25000 Hz and the recording has 30000 Hz"),
        ({"cluster_downsampling": 0}, "cluster_downsampling is 0: Input should be greater than or equal to 1"),
        ({"highpass_cutoff": 20_000}, "is 20000 Hz; it must lie between 0 and the Nyquist frequency"),
    ],
)
def test_wrong_parameters(opened, parameters, message):
    with pytest.raises(ParameterError, match=message):
        sort(opened(2.0), **parameters)


def test_every_parameter_of_that_system_is_there():
    known = """n_chan_bin fs batch_size nblocks Th_universal Th_learned tmin tmax nt shift scale batch_downsampling
    artifact_threshold nskip whitening_range highpass_cutoff binning_depth sig_interp drift_smoothing nt0min dmin dminx
    min_template_size template_sizes nearest_chans nearest_templates max_channel_distance max_peels templates_from_data
    n_templates n_pcs Th_single_ch acg_threshold ccg_threshold cluster_neighbors cluster_downsampling max_cluster_subset
    x_centers cluster_init_seed duplicate_spike_ms position_limit do_CAR invert_sign bad_channels shank_idx"""
    assert set(known.split()) == set(Kilosort4Parameters.model_fields)
    assert all(field.description for field in Kilosort4Parameters.model_fields.values())
    assert read_parameters("kilosort4", {"Th_learned": "7"}).Th_learned == 7.0
    assert Kilosort4Parameters().nbefore == 20


def noise(duration_s, n_channels=6, seed=0, level=10.0):
    traces = np.random.default_rng(seed).normal(0, level, (int(duration_s * RATE), n_channels)).astype("f4")
    places = {"x": np.arange(n_channels) % 2 * 20.0, "y": np.arange(n_channels) // 2 * 20.0}
    return make_recording(traces, sampling_frequency=float(RATE), coordinates=places)


def test_noise_has_no_units():
    with pytest.warns(XephysWarning, match="no peak above 6 stands alone"):
        sorting = sort(noise(6))
    assert sorting["units"].sizes["unit"] == sorting["spikes"].sizes["spike"] == 0


def test_constant_channels():
    with pytest.warns(XephysWarning, match="every channel is constant or marked bad"):
        sorting = sort(noise(2, level=0.0))
    assert sorting["units"].sizes["unit"] == 0


def test_identical_spikes_are_one_unit():
    recording = noise(10)
    traces = recording.values.copy()
    shape = -200 * np.exp(-0.5 * ((np.arange(40) - 15) / 4) ** 2)[:, None] * np.array([0.2, 0.5, 1.0, 0.4, 0.2, 0.1])
    samples = 900 + 2100 * np.arange(130)
    for sample in samples:
        traces[sample - 15 : sample + 25] += shape
    sorting = sort(recording.copy(data=traces))
    assert sorting["units"].sizes["unit"] == 1
    assert np.abs(sorting["spikes"]["sample_index"].values[:, None] - samples).min(axis=0).max() <= 2


@pytest.mark.parametrize(
    ("parameters", "n_units"),
    [
        ({"n_channels": 1, "n_units": 1}, 1),
        ({"n_channels": 2, "n_units": 1}, 1),
        ({"n_channels": 16, "n_units": 4, "probe": "linear", "amplitude_range_uv": (80, 200)}, 4),
        ({"n_channels": 4, "n_units": 2, "probe": "tetrode", "amplitude_range_uv": (80, 200)}, 2),
    ],
    ids=str,
)
def test_few_channels(parameters, n_units):
    recording, truth = simulate_recording(duration_s=20, seed=0, **parameters)
    assert xephys.compare(sort(recording), truth).summary["num_well_detected"] == n_units


def test_half_a_second():
    """Fewer spikes than a unit needs: no unit, and no crash."""
    recording, _ = simulate_recording(duration_s=0.5, n_channels=16, n_units=3, seed=0)
    assert sort(recording)["units"].sizes["unit"] == 0
