"""The truth against the samples, and the statistics of trains and motion."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.support.simulated import isolated
from xephys.simulation.config import make_config
from xephys.simulation.source import SimulationSource
from xephys.simulation.truth import Truth

ABSENT = ["n_far_units", "n_dead_channels", "n_noisy_channels", "stimulation_period_s", "movement_rate_hz"]
SILENT = {
    **dict.fromkeys([*ABSENT, "noise_uv", "field_uv", "slow_wave_uv", "mains_uv", "offset_uv"], 0),
    "gain_uv": 0.195,
}


@pytest.mark.parametrize("shift", [False, True])
def test_spikes_have_the_place_and_size_of_the_truth(shift):
    config = make_config("hard", n_channels=24, n_units=8, duration_s=12.0, seed=5, inter_sample_shift=shift, **SILENT)
    truth = Truth(config)
    traces = SimulationSource(config).read(0, config.n_samples) * config.gain_uv
    chosen = isolated(truth)
    assert len(chosen) > 100 and len(np.unique(chosen["unit_index"])) >= 7
    error = []
    for spike in chosen:
        channel = truth.peak_channels[spike["unit_index"]]
        at, sign = spike["sample_index"], np.sign(spike["amplitude"])
        around = sign * traces[max(0, at - 12) : at + 13, channel]
        error.append(around.argmax() - min(12, at))
        assert around.max() == pytest.approx(abs(spike["amplitude"]), rel=0.08, abs=1.0)
    assert np.abs(error).max() <= 2
    # A channel that is sampled late sees its spikes up to one sample early.
    assert np.mean(np.abs(error) <= 1) > 0.98


def test_templates_are_the_mean_of_isolated_spikes():
    config = make_config("easy", n_channels=16, n_units=3, duration_s=10.0, amplitude_cv=(0, 0), **SILENT)
    truth = Truth(config)
    traces = SimulationSource(config).read(0, config.n_samples) * config.gain_uv
    before, length = truth.nbefore, truth.templates.shape[1]
    for u in range(3):
        at = [s["sample_index"] for s in isolated(truth) if s["unit_index"] == u]
        mean = np.mean([traces[s - before : s - before + length] for s in at], axis=0)
        assert len(at) > 10
        # Spikes occur anywhere between two samples, which blurs the mean a little.
        np.testing.assert_allclose(mean, truth.templates[u], atol=0.06 * np.abs(truth.templates[u]).max())


def test_score_files(tmp_path):
    config = make_config("hard", n_channels=64, n_units=10, duration_s=6.0, stimulation_period_s=4.0)
    truth = Truth(config)
    info_path, far_path = truth.write_score_files(tmp_path / "out")
    info = json.loads(info_path.read_text())
    assert info["duration"] == 6.0 and len(info["noise_per_channel_uV"]) == 64 and len(info["dead_channels"]) == 1
    wanted = {"unit", "snr", "spikes", "overlap", "bursting", "partial", "positive", "real_waveform"}
    assert all(wanted <= set(u) for u in info["units_info"]) and len(info["units_info"]) == 10
    assert [u["spikes"] for u in info["units_info"]] == np.bincount(truth.spikes["unit_index"], minlength=10).tolist()
    far = np.load(far_path)
    assert far["sample"].shape == far["unit"].shape and far["x"].shape == far["y"].shape == (config.n_far_units,)
    assert len(far["sample"]) == pytest.approx(config.n_far_units * config.far_rate_hz * 6, rel=0.15)
    assert np.all(np.diff(far["sample"]) >= 0) and far["artifacts_s"].shape[1] == 2


def test_spikeinterface_sorting():
    truth = Truth(make_config("easy", n_channels=8, n_units=3, duration_s=3.0))
    sorting = truth.to_spikeinterface()
    np.testing.assert_array_equal(sorting.unit_ids, [0, 1, 2])
    mine = truth.spikes["sample_index"][truth.spikes["unit_index"] == 1]
    np.testing.assert_array_equal(sorting.get_unit_spike_train(1, segment_index=0), mine)


def test_a_recording_without_units_is_simulated():
    truth = Truth(make_config("easy", n_channels=4, n_units=0, duration_s=1.0))
    assert len(truth.spikes) == 0 and truth.units_info() == [] and len(truth.to_spikeinterface().unit_ids) == 0


def test_a_truth_is_printed_in_three_lines_without_computing():
    truth = Truth(make_config("easy", duration_s=3, n_channels=8, n_units=2, seed=5))
    assert repr(truth).startswith(
        "<Truth of a simulated recording: 2 units on 8 channels (neuropixels-like), 3 s, seed 5"
    )
    assert repr(truth).count("\n") == 2
    assert "spikes" not in vars(truth)
    for name in repr(truth).splitlines()[1].partition(":")[0].split(", "):
        assert hasattr(truth, name.strip())
