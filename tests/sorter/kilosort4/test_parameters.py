"""Parameters of the preset ``kilosort4``: all of Kilosort4's, and the values that are refused."""

from __future__ import annotations

import pytest

from tests.support.sortings import sort_kilosort4 as sort
from xephys import ParameterError
from xephys.sorter.kilosort4.parameters import Kilosort4Parameters
from xephys.sorter.presets import read_parameters


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"Th_learnt": 7}, "has no parameter 'Th_learnt'; .*did you mean 'Th_learned'"),
        ({"Th_learned": 0}, "Th_learned is 0: Input should be greater than 0"),
        ({"Th_universal": float("nan")}, "Th_universal is nan: Input should be a finite number"),
        ({"scale": float("inf")}, "scale is inf: Input should be a finite number"),
        ({"tmax": float("nan")}, "tmax is nan: Input should be greater than 0"),
        ({"nt": 60}, "nt is 60: it must be odd, for example 61"),
        ({"nt0min": 70}, "nt0min is 70; it must lie inside the 61 samples of nt"),
        ({"tmin": 5, "tmax": 5}, "tmax is 5; it must be greater than tmin, 5"),
        ({"tmin": 100}, "tmin is 100 s and the recording lasts 12 s"),
        ({"n_chan_bin": 385}, "n_chan_bin is 385 and the recording has 32 channels"),
        ({"fs": 25_000}, "fs is 25000 Hz and the recording has 30000 Hz"),
        ({"cluster_downsampling": 0}, "cluster_downsampling is 0: Input should be greater than or equal to 1"),
        ({"template_sizes": 21}, "template_sizes is 21: Input should be less than or equal to 20"),
        ({"nearest_templates": 20_001}, "nearest_templates is 20001: Input should be less than or equal to 20000"),
        ({"highpass_cutoff": 20_000}, "is 20000 Hz; it must lie between 0 and the Nyquist frequency"),
    ],
)
def test_wrong_parameters(opened, parameters, message):
    with pytest.raises(ParameterError, match=message):
        sort(opened(2.0), **parameters)


def test_every_parameter_of_kilosort4_exists():
    known = """n_chan_bin fs batch_size nblocks Th_universal Th_learned tmin tmax nt shift scale batch_downsampling
    artifact_threshold nskip whitening_range highpass_cutoff binning_depth sig_interp drift_smoothing nt0min dmin dminx
    min_template_size template_sizes nearest_chans nearest_templates max_channel_distance max_peels templates_from_data
    n_templates n_pcs Th_single_ch acg_threshold ccg_threshold cluster_neighbors cluster_downsampling max_cluster_subset
    x_centers cluster_init_seed duplicate_spike_ms position_limit do_CAR invert_sign bad_channels shank_idx"""
    assert set(known.split()) == set(Kilosort4Parameters.model_fields)
    assert all(field.description for field in Kilosort4Parameters.model_fields.values())
    assert read_parameters("kilosort4", {"Th_learned": "7"}).Th_learned == 7.0
    assert Kilosort4Parameters().nbefore == 20
