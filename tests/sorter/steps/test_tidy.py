"""What is tidied after matching: artefacts of the whole probe, repeats; and the second split of clusters."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from xephys.cluster.peaks import split_cluster
from xephys.sorter.presets import read_parameters
from xephys.sorter.steps.tidy import Tidied, common_events, drop_repeats, tidy_templates, tidy_units

N_SAMPLES = 3_000_000
SPIKE = [("sample_index", "i8"), ("unit_index", "i8"), ("gain", "f8")]


def trains(*samples):
    units = np.repeat(np.arange(len(samples)), [len(s) for s in samples])
    joined = np.concatenate(samples)
    order = np.argsort(joined, kind="stable")
    return joined[order], units[order]


@pytest.mark.parametrize(("channels", "expected"), [([[0], [90]], True), ([[0, 1], [1, 0]], False)])
def test_common_events_are_artefacts_only_far_apart(channels, expected):
    """Near neurons may share spikes, as copies or as bursts; far ones do not."""
    first = np.sort(np.random.default_rng(0).choice(N_SAMPLES, 500, replace=False))
    samples, units = trains(first, first + 3)
    window = {"window_samples": 15, "n_samples": N_SAMPLES}
    assert common_events(samples, units, np.array(channels), np.ones(2), **window).tolist() == [expected, expected]
    # Of a very large unit and what is left of it far away, the large one stays.
    assert common_events(samples, units, np.array(channels), np.array([9, 1]), **window).tolist() == [False, expected]


def test_busy_units_that_meet_by_chance_are_none():
    rng = np.random.default_rng(1)
    busy = [np.sort(rng.choice(N_SAMPLES, 100_000, replace=False)) for _ in range(2)]
    samples, units = trains(*busy)
    window = {"window_samples": 15, "n_samples": N_SAMPLES}
    assert not common_events(samples, units, np.array([[0], [90]]), np.ones(2), **window).any()


def test_of_two_repeats_the_better_match_stays():
    rng = np.random.default_rng(2)
    spikes = np.zeros(2000, SPIKE)
    spikes["sample_index"] = np.sort(rng.integers(0, 20_000, 2000))
    spikes["unit_index"], spikes["gain"] = rng.integers(0, 3, 2000), rng.random(2000)
    kept = drop_repeats(spikes, dead_samples=15)
    assert (np.diff(kept["sample_index"]) >= 0).all()
    for unit in range(3):
        own = kept[kept["unit_index"] == unit]
        assert (np.diff(own["sample_index"]) >= 15).all()
        before = spikes[spikes["unit_index"] == unit]
        assert own["gain"].max() == before["gain"].max()


def test_weak_templates_are_not_matched():
    waveform = np.zeros((2, 60, 4), np.float32)
    waveform[0, 20, 0], waveform[1, 20, 0] = -20, -3
    templates = xr.Dataset(
        {
            "waveform": (("unit", "sample", "slot"), waveform),
            "num_averaged": ("unit", [500, 500]),
            "channel_index": (("unit", "slot"), np.tile(np.arange(4, dtype=np.int32), (2, 1))),
        },
        attrs={"n_channels": 4},
    )
    tidied = tidy_templates(templates, np.array([500.0, 500.0]), read_parameters("default", {}))
    assert tidied.templates.sizes["unit"] == 1
    assert [(entry["unit"], entry["reason"]) for entry in tidied.log] == [(1, "too weak to match")]


@pytest.mark.parametrize("together", [True, False])
def test_what_was_merged_with_an_artefact_goes_with_it(together):
    """Templates 0 and 1 are one unit on one channel; 2 lies far away, and fires with 0, or does not."""
    rng = np.random.default_rng(4)
    waveform = np.zeros((3, 60, 2), np.float32)
    waveform[:, 18:24, 0] = [-5, -20, -30, -20, -5, 4]
    waveform[1] *= 0.8
    templates = xr.Dataset(
        {
            "waveform": (("unit", "sample", "slot"), waveform),
            "channel_index": (("unit", "slot"), np.array([[0, 1], [0, 1], [90, 91]], np.int32)),
        },
        attrs={"n_channels": 92, "sampling_frequency": 30_000.0},
    )
    every = np.sort(rng.choice(N_SAMPLES // 300, 900, replace=False)) * 300
    own = np.sort(rng.permutation(every)[:600])
    others = np.setdiff1d(every, own)
    far = own + 3 if together else np.sort(rng.choice(N_SAMPLES // 300, 600, replace=False)) * 300 + 150
    samples, units = trains(own, others, far)
    matches = np.zeros(
        len(samples), [("sample_index", "i8"), ("unit_index", "i8"), ("gain", "f8"), ("amplitude", "f4")]
    )
    matches["sample_index"], matches["unit_index"], matches["amplitude"] = samples, units, 1
    final = tidy_units(
        matches,
        Tidied(templates, np.arange(3), []),
        read_parameters("default", {}),
        first_sample=0,
        n_samples=N_SAMPLES,
    )
    assert [entry["action"] for entry in final.log if "action" in entry] == ["merge"]
    assert final.unit_of_template.tolist() == ([-1, -1, -1] if together else [0, 0, 1])
    assert len(final.spikes) == (0 if together else 1500)
    if not together:  # 600 spikes of the larger part and 300 of the other, each in terms of the unit's mean
        own = final.spikes["amplitude"][final.spikes["unit_index"] == 0]
        assert np.unique(own, return_counts=True)[1].tolist() == [300, 600]
        assert own.min() / own.max() == pytest.approx(0.8)
        assert own.mean() == pytest.approx(1.0)


@pytest.mark.parametrize("apart", [0.0, 12.0])
def test_a_cluster_is_split_where_its_own_channels_show_a_gap(apart):
    """Two neurons that differ on one channel only, large and variable in amplitude; or one neuron."""
    rng = np.random.default_rng(3)
    n = 600
    projection = rng.standard_normal((n, 3, 2)).astype(np.float32)
    projection[:, 0, 0] += 60 * (1 + 0.2 * rng.standard_normal(n))
    projection[n // 2 :, 2, 1] += apart
    neighbours = np.tile(np.arange(3, dtype=np.int32), (3, 1))
    labels = split_cluster(projection, np.zeros(n, np.int64), np.arange(n), neighbours, 20)
    assert labels.max() == (1 if apart else 0)
    if apart:
        assert (labels[: n // 2] == labels[0]).mean() > 0.98
        assert (labels[n // 2 :] == labels[-1]).mean() > 0.98
