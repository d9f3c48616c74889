"""The truth against the samples, and the statistics of trains and motion."""

import json

import numpy as np
import pytest

from xephys.errors import ParameterError
from xephys.simulation.config import make_config
from xephys.simulation.source import SimulationSource
from xephys.simulation.truth import Truth

ABSENT = ["n_far_units", "n_dead_channels", "n_noisy_channels", "stimulation_period_s", "movement_rate_hz"]
SILENT = {
    **dict.fromkeys([*ABSENT, "noise_uv", "field_uv", "slow_wave_uv", "mains_uv", "offset_uv"], 0),
    "gain_uv": 0.195,
}


def isolated(truth, gap=150):
    """Spikes with no other spike within ``gap`` samples."""
    s = truth.spikes["sample_index"]
    apart = np.diff(s, prepend=-(10**6), append=10**9)
    return truth.spikes[(apart[:-1] > gap) & (apart[1:] > gap)]


@pytest.mark.parametrize("shift", [False, True])
def test_spikes_are_where_and_as_large_as_the_truth_says(shift):
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
    # A channel sampled late sees its spikes up to a sample early.
    assert np.mean(np.abs(error) <= 1) > 0.98


def test_templates_are_the_mean_of_isolated_spikes():
    config = make_config("easy", n_channels=16, n_units=3, duration_s=10.0, amplitude_cv=(0, 0), **SILENT)
    truth = Truth(config)
    traces = SimulationSource(config).read(0, config.n_samples) * config.gain_uv
    before, length = truth.template_before, truth.templates.shape[1]
    for u in range(3):
        at = [s["sample_index"] for s in isolated(truth) if s["unit_index"] == u]
        mean = np.mean([traces[s - before : s - before + length] for s in at], axis=0)
        assert len(at) > 10
        # Spikes fall anywhere between two samples, which blunts the mean a little.
        np.testing.assert_allclose(mean, truth.templates[u], atol=0.06 * np.abs(truth.templates[u]).max())


def test_amplitudes_fill_the_range():
    config = make_config("hard", n_channels=64, n_units=40, amplitude_range_uv=(20, 250), amplitude_skew=1.0)
    peak = np.abs(Truth(config).templates).max(axis=(1, 2))
    assert 19 < peak.min() < 25 and 220 < peak.max() < 251
    assert np.median(peak) == pytest.approx(np.sqrt(20 * 250), rel=0.1)


def test_trains_are_refractory_and_within_the_recording():
    config = make_config("hard", n_channels=32, n_units=30, duration_s=60.0, rate_median_hz=10.0)
    truth = Truth(config)
    refractory = truth.scene.population.refractory_ms
    assert refractory.min() >= 1.5
    time, unit = truth.scene.trains.time / config.sampling_frequency, truth.scene.trains.unit
    assert np.all(np.diff(time) >= 0) and time[0] > 0 and time[-1] < config.duration_s
    for u in range(30):
        assert np.diff(time[unit == u]).min() * 1000 >= refractory[u] - 1e-6


def test_bursts_shrink_and_widen():
    truth = Truth(make_config("hard", n_channels=32, n_units=20, duration_s=60.0, bursting_fraction=1.0))
    trains, population = truth.scene.trains, truth.scene.population
    for u in np.flatnonzero(population.bursting)[:5]:
        mine = trains.unit == u
        follows = np.diff(trains.time[mine], prepend=-np.inf) < 0.008 * 30_000
        assert follows.mean() > 0.15
        scale, stretch = trains.scale[mine], trains.stretch[mine]
        assert scale[follows].mean() < 0.9 * scale[~follows].mean()
        assert stretch[follows].mean() > stretch[~follows].mean() + 0.05
        assert stretch.max() <= 1.3


def test_partial_units_come_and_go_and_partners_fire_together():
    config = make_config(
        "hard", n_channels=32, n_units=20, duration_s=120.0, partial_fraction=0.3, synchronous_fraction=0.3
    )
    truth = Truth(config)
    population, trains = truth.scene.population, truth.scene.trains
    span = lambda u: np.ptp(trains.time[trains.unit == u]) / 30_000  # noqa: E731
    assert population.partial.sum() == 6
    assert max(span(u) for u in np.flatnonzero(population.partial & (population.partner < 0))) < 0.62 * 120
    assert min(span(u) for u in np.flatnonzero(~population.partial)) > 0.6 * 120
    paired = np.flatnonzero(population.partner >= 0)
    assert len(paired) >= 3
    for u in paired:
        a, b = (trains.time[trains.unit == v] for v in (u, population.partner[u]))
        near, later = (np.abs(b[:, None] - (a + d)[None]).min(axis=1) < 30 for d in (0, 3000))
        assert near.mean() > 0.05 > later.mean()


def test_partners_share_as_many_spikes_as_they_are_told():
    config = make_config(
        "easy", n_channels=32, n_units=8, duration_s=120.0, synchronous_fraction=1.0, synchronous_share=(0.4, 0.4)
    )
    truth = Truth(config)
    population, trains = truth.scene.population, truth.scene.trains
    for u in np.flatnonzero(population.partner >= 0):
        a, b = (trains.time[trains.unit == v] for v in (u, population.partner[u]))
        near = np.abs(b[:, None] - a[None]).min(axis=1) < 30
        assert 0.33 < near.mean() < 0.5
    with pytest.raises(ParameterError, match="synchronous_share"):
        make_config("easy", synchronous_share=(0.5, 0.1))


@pytest.mark.parametrize("drift", ["slow", "rigid", "nonrigid", "steps", "breathing", "slow+breathing"])
def test_drift_moves_the_tissue(drift):
    config = make_config("easy", n_channels=64, n_units=4, duration_s=120.0, drift=drift, drift_um=30.0, seed=2)
    time, low, high = np.linspace(0, 120, 4000), 0.0, 620.0
    tip, top = (Truth(config).motion.displacement(time, np.array(y)) for y in (low, high))
    size = max(np.ptp(tip), np.ptp(top))
    assert (2.0 if drift == "breathing" else 9.0) < size < 65.0
    assert ("nonrigid" in drift or "breathing" in drift) == bool(np.abs(tip - top).max() > 0.5)


def test_drift_moves_the_spikes():
    same = dict(n_channels=64, n_units=4, duration_s=60.0, seed=2, amplitude_cv=(0, 0), **SILENT)
    truth = Truth(make_config("easy", drift="slow", drift_um=40.0, **same))
    source = SimulationSource(truth.config)
    y = truth.layout.xy[:, 1]
    for u in range(4):
        depth = []
        for s in (t for t in isolated(truth) if t["unit_index"] == u):
            around = source.read(max(0, s["sample_index"] - 30), s["sample_index"] + 30) * truth.config.gain_uv
            power = np.ptp(around, axis=0) ** 4
            depth.append((s["sample_index"] / 30_000, (power * y).sum() / power.sum()))
        t, d = np.array(depth).T
        assert np.polyfit(t, d, 1)[0] * 60 == pytest.approx(40.0, rel=0.35)


def test_no_drift_by_default():
    assert not Truth(make_config("hard")).motion.displacement(np.linspace(0, 10, 50), np.zeros(50)).any()


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
    assert np.all(np.diff(far["sample"]) >= 0) and far["artefacts_s"].shape[1] == 2


def test_spikeinterface_sorting():
    truth = Truth(make_config("easy", n_channels=8, n_units=3, duration_s=3.0))
    sorting = truth.to_spikeinterface()
    np.testing.assert_array_equal(sorting.unit_ids, [0, 1, 2])
    mine = truth.spikes["sample_index"][truth.spikes["unit_index"] == 1]
    np.testing.assert_array_equal(sorting.get_unit_spike_train(1, segment_index=0), mine)


def test_no_units_at_all():
    truth = Truth(make_config("easy", n_channels=4, n_units=0, duration_s=1.0))
    assert len(truth.spikes) == 0 and truth.units_info() == [] and len(truth.to_spikeinterface().unit_ids) == 0


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"nois_uv": 3}, "did you mean 'noise_uv'"),
        ({"preset": "medium"}, "choose 'easy' or 'hard'"),
        ({"probe": "utah"}, "choose one of"),
        ({"drift": "slow+fast"}, "no 'fast'"),
        ({"amplitude_range_uv": (100, 20)}, "low <= high"),
        ({"duration_s": 0}, "below its limit"),
        ({"n_channels": 0}, "below its limit"),
        ({"gain_uv": 0.01}, "int16"),
        ({"spike_shapes": {"square": 1.0}}, "choose among"),
        ({"n_channels": 2, "n_dead_channels": 2}, "leave none"),
    ],
)
def test_bad_parameters_are_named(parameters, message):
    with pytest.raises(ParameterError, match=message):
        make_config(**{"preset": "easy", **parameters})
