"""Templates that are not matched, and units that are merged or dropped after matching."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from xephys.sorter.steps.tails import Weakest
from xephys.sorter.steps.tidy import Finish, tidy_templates, tidy_units

N_SAMPLES = 3_000_000


def trains(*samples):
    units = np.repeat(np.arange(len(samples)), [len(s) for s in samples])
    joined = np.concatenate(samples)
    order = np.argsort(joined, kind="stable")
    return joined[order], units[order]


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
    matchable = tidy_templates(templates, np.array([500.0, 500.0]), n_spikes_min=20)
    assert matchable.templates.sizes["unit"] == 1
    assert [(entry["unit"], entry["reason"]) for entry in matchable.log] == [(1, "too weak to match")]


@pytest.mark.parametrize("together", [True, False])
def test_units_merged_with_an_artifact_are_dropped_with_it(together):
    """Templates 0 and 1 are one unit on one channel; 2 is far away and fires with 0, or independently."""
    rng = np.random.default_rng(4)
    waveform = np.zeros((3, 60, 2), np.float32)
    waveform[:, 18:24, 0] = [-5, -20, -30, -20, -5, 4]
    waveform[1] *= 0.8
    templates = xr.Dataset(
        {
            "waveform": (("unit", "sample", "slot"), waveform),
            "channel_index": (("unit", "slot"), np.array([[0, 1], [0, 1], [90, 91]], np.int32)),
            "num_averaged": ("unit", [600, 300, 600]),
        },
        attrs={"n_channels": 92, "sampling_frequency": 30_000.0, "nbefore": 20},
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
    tidied = tidy_units(matches, templates, n_spikes_min=20, first_sample=0, n_samples=N_SAMPLES)
    assert [entry["action"] for entry in tidied.log if "action" in entry] == ["merge"]
    assert tidied.origin.unit_of_template.tolist() == ([-1, -1, -1] if together else [0, 0, 1])
    assert len(tidied.spikes["sample_index"]) == (0 if together else 1500)
    if not together:  # 600 spikes of the larger part and 300 of the other, each in units of the merged mean
        own = tidied.spikes["amplitude"][tidied.spikes["unit_index"] == 0]
        assert np.unique(own, return_counts=True)[1].tolist() == [300, 600]
        assert own.min() / own.max() == pytest.approx(0.8)
        assert own.mean() == pytest.approx(1.0)


@pytest.mark.parametrize("lacking", [True, False])
def test_a_rare_unit_made_of_coincidences_is_dropped_and_an_independent_one_kept(lacking):
    """Template 2 resembles the sum of 0 and 1. Its spikes are their coincidences, or it fires independently."""
    rng, n_samples = np.random.default_rng(5), 600 * 30_000
    waveform = np.zeros((3, 60, 3), np.float32)
    waveform[0, 20:26, 0] = [-5, -25, -30, -12, 5, 4]
    waveform[1, 20:26, 2] = [-4, -20, -28, -16, 2, 6]
    waveform[2] = waveform[0] + 0.7 * waveform[1]
    templates = xr.Dataset(
        {
            "waveform": (("unit", "sample", "slot"), waveform),
            "channel_index": (("unit", "slot"), np.tile(np.arange(3, dtype=np.int32), (3, 1))),
            "num_averaged": ("unit", [1000, 1000, 60]),
        },
        attrs={"n_channels": 3, "sampling_frequency": 30_000.0, "nbefore": 20},
    )
    first, second = (np.sort(rng.choice(n_samples, 18_000, replace=False)) for _ in range(2))
    if lacking:
        after = np.searchsorted(second, first).clip(1, len(second) - 1)
        apart = np.minimum(np.abs(second[after] - first), np.abs(second[after - 1] - first))
        own, first = first[apart <= 9][:120], first[apart > 9]
    else:
        own = np.sort(rng.choice(n_samples, 120, replace=False))
    samples, units = trains(first, second, own)
    matches = np.zeros(
        len(samples), [("sample_index", "i8"), ("unit_index", "i8"), ("gain", "f8"), ("amplitude", "f4")]
    )
    matches["sample_index"], matches["unit_index"], matches["amplitude"] = samples, units, 1
    tidied = tidy_units(matches, templates, n_spikes_min=20, first_sample=0, n_samples=n_samples)
    assert tidied.origin.unit_of_template.tolist() == [0, 1, -1 if lacking else 2]
    reasons = [entry["reason"] for entry in tidied.log if entry.get("action") != "keep"]
    assert ("coincidences of two units" in reasons) == lacking


def test_late_spikes_of_bursts_are_merged_with_their_unit():
    """Template 1 is smaller and wider, and each of its spikes follows one of template 0 by milliseconds."""
    rng, time = np.random.default_rng(2), np.arange(60)[:, None] - 20
    courses = [size * np.exp(-0.5 * (time / width) ** 2) for size, width in ((-20, 3.0), (-9, 4.2))]
    waveform = np.stack([course * np.array([1.0, 0.5, 0.2]) for course in courses]).astype(np.float32)
    templates = xr.Dataset(
        {
            "waveform": (("unit", "sample", "slot"), waveform),
            "channel_index": (("unit", "slot"), np.tile(np.arange(3, dtype=np.int32), (2, 1))),
            "num_averaged": ("unit", [500, 400]),
        },
        attrs={"n_channels": 3, "sampling_frequency": 30_000.0, "nbefore": 20},
    )
    first = np.sort(rng.choice(N_SAMPLES // 3000, 500, replace=False)) * 3000
    late = first[:400] + rng.integers(90, 240, 400)
    samples, units = trains(first, late)
    matches = np.zeros(
        len(samples), [("sample_index", "i8"), ("unit_index", "i8"), ("gain", "f8"), ("amplitude", "f4")]
    )
    matches["sample_index"], matches["unit_index"], matches["amplitude"] = samples, units, 1
    tidied = tidy_units(matches, templates, n_spikes_min=20, first_sample=0, n_samples=N_SAMPLES)
    assert tidied.templates.sizes["unit"] == 1
    assert len(tidied.spikes["sample_index"]) == 900
    entry = next(row for row in tidied.log if row.get("reason") == "late spikes of bursts")
    assert (entry["unit"], entry["piece_of"], entry["follow"]) == (1, 0, 1.0)


@pytest.mark.parametrize("accompanied", [True, False])
def test_a_small_unit_that_is_never_alone_is_merged_with_the_unit_that_it_resembles(accompanied):
    """Template 1 resembles 0 at a lag of 3 samples; its spikes are next to those of 2, or independent of them."""
    rng, time = np.random.default_rng(3), np.arange(60)[:, None] - 20
    course = -20 * np.exp(-0.5 * (time / 3.0) ** 2)
    places = np.array([[1.0, 0.5, 0.2], [0.8, 0.5, 0.9], [-0.1, 0.2, 1.0]])
    waveform = np.stack([course * place for place in places]).astype(np.float32)
    waveform[1] = np.roll(waveform[1], 3, axis=0)
    templates = xr.Dataset(
        {
            "waveform": (("unit", "sample", "slot"), waveform),
            "channel_index": (("unit", "slot"), np.tile(np.arange(3, dtype=np.int32), (3, 1))),
            "num_averaged": ("unit", [4000, 100, 2000]),
        },
        attrs={"n_channels": 3, "sampling_frequency": 30_000.0, "nbefore": 20},
    )
    every = rng.permutation(N_SAMPLES // 300) * 300
    first, own, third = np.sort(every[:4000]), np.sort(every[4000:4100]), np.sort(every[4100:6000] + 100)
    if accompanied:
        third = np.sort(np.concatenate([third, own + 20]))
    samples, units = trains(first, own - 3, third)
    matches = np.zeros(
        len(samples), [("sample_index", "i8"), ("unit_index", "i8"), ("gain", "f8"), ("amplitude", "f4")]
    )
    matches["sample_index"], matches["unit_index"], matches["amplitude"] = samples, units, 1
    tidied = tidy_units(matches, templates, n_spikes_min=20, first_sample=0, n_samples=N_SAMPLES)
    assert tidied.origin.unit_of_template.tolist() == ([0, 0, 1] if accompanied else [0, 1, 2])
    joins = [entry for entry in tidied.log if entry["reason"].startswith("hardly ever alone")]
    assert [(entry["unit"], entry["piece_of"], entry["alone"]) for entry in joins] == [(1, 0, 0)] * accompanied
    if accompanied:
        of_first = tidied.spikes["sample_index"][tidied.spikes["unit_index"] == 0]
        assert np.isin(own, of_first).mean() == 1.0


def two_templates(waveform, num_averaged):
    n_slots = waveform.shape[2]
    return xr.Dataset(
        {
            "waveform": (("unit", "sample", "slot"), waveform.astype(np.float32)),
            "channel_index": (("unit", "slot"), np.tile(np.arange(n_slots, dtype=np.int32), (2, 1))),
            "num_averaged": ("unit", num_averaged),
        },
        attrs={"n_channels": n_slots, "sampling_frequency": 30_000.0, "nbefore": 20},
    )


def tidied_units(templates, *samples):
    joined, units = trains(*samples)
    matches = np.zeros(len(joined), [("sample_index", "i8"), ("unit_index", "i8"), ("gain", "f8"), ("amplitude", "f4")])
    matches["sample_index"], matches["unit_index"], matches["amplitude"] = joined, units, 1
    return tidy_units(matches, templates, n_spikes_min=20, first_sample=0, n_samples=N_SAMPLES)


@pytest.mark.parametrize("cosine", [1.0, 0.8])
def test_a_piece_of_few_spikes_joins_its_neuron_though_its_mean_is_noisy(cosine):
    """Noise lowers the cosine of the mean of 20 spikes on 48 channels to 0.93; that of other neurons is lower still."""
    rng = np.random.default_rng(6)
    course = np.exp(-0.5 * ((np.arange(60) - 20) / 3.0) ** 2)[:, None]
    places = np.zeros((2, 48))
    places[:, 0], places[0, 1], places[1, 2] = np.sqrt(cosine), np.sqrt(1 - cosine), np.sqrt(1 - cosine)
    waveform = -12.0 * course * places[:, None]
    noise = rng.standard_normal(waveform.shape) / np.sqrt([[[300]], [[20]]])
    every = rng.permutation(N_SAMPLES // 300)[:320] * 300
    tidied = tidied_units(two_templates(waveform + noise, [300, 20]), np.sort(every[:300]), np.sort(every[300:]))
    assert tidied.templates.sizes["unit"] == (1 if cosine == 1.0 else 2)


@pytest.mark.parametrize("turns", [True, False])
def test_pieces_that_take_turns_are_one_unit(turns):
    """The tissue moves at 40 s and back at 70 s, and the probe is too short to tell; or two neurons fire throughout."""
    rng = np.random.default_rng(7)
    course = np.exp(-0.5 * ((np.arange(60) - 20) / 3.0) ** 2)[:, None]
    places = np.array([[1.0, 0.6, 0.2], [0.6, 1.0, 0.3]])
    waveform = -15.0 * course * places[:, None]
    every = np.sort(rng.permutation(N_SAMPLES // 300)[:300] * 300)
    moved = (every > 40 * 30_000) & (every < 70 * 30_000) if turns else rng.random(300) < 0.3
    tidied = tidied_units(two_templates(waveform, [200, 100]), every[~moved], every[moved])
    assert tidied.templates.sizes["unit"] == (1 if turns else 2)
    reasons = [entry["reason"] for entry in tidied.log]
    assert reasons == (["alike, and they take turns"] if turns else [])


def test_units_stay_apart_and_repeats_stay_if_asked():
    """Two templates of one unit take turns, and unit 0 has pairs of spikes 0.7 ms apart."""
    rng = np.random.default_rng(3)
    waveform = np.zeros((2, 60, 1), np.float32)
    waveform[:, 18:24, 0] = [-5, -20, -30, -20, -5, 4]
    waveform[1] *= 0.8
    templates = xr.Dataset(
        {
            "waveform": (("unit", "sample", "slot"), waveform),
            "channel_index": (("unit", "slot"), np.zeros((2, 1), np.int32)),
            "num_averaged": ("unit", [600, 600]),
        },
        attrs={"n_channels": 1, "sampling_frequency": 30_000.0, "nbefore": 20},
    )
    every = rng.permutation(np.arange(100, N_SAMPLES, 2000))[:1200]
    samples, units = trains(np.sort(every[:600]), np.sort(every[600:]))
    fields = [("sample_index", "i8"), ("unit_index", "i8"), ("gain", "f8"), ("amplitude", "f4")]
    matches = np.zeros(len(samples), fields)
    matches["sample_index"], matches["unit_index"], matches["amplitude"], matches["gain"] = samples, units, 1, 9

    def units_and_spikes(matches, **finish):
        tidied = tidy_units(
            matches, templates, n_spikes_min=20, first_sample=0, n_samples=N_SAMPLES, finish=Finish(**finish)
        )
        return tidied.templates.sizes["unit"], len(tidied.spikes["sample_index"])

    assert units_and_spikes(matches) == (1, 1200)
    assert units_and_spikes(matches, joins=False) == (2, 1200)
    twice = matches[matches["unit_index"] == 0][:50].copy()
    twice["sample_index"] += 21
    twice = np.sort(np.concatenate([matches, twice]), order="sample_index")
    assert units_and_spikes(twice, joins=False) == (2, 1250)
    assert units_and_spikes(twice, joins=False, repeat_ms=1.0) == (2, 1200)


@pytest.mark.parametrize("center", [None, 9.0])
def test_a_unit_whose_scores_are_the_tail_of_false_alarms_is_dropped(center):
    """Unit 0 is a neuron. Of unit 1, matches of a lower threshold fall off from there, or lie around a center."""
    rng, floor, threshold = np.random.default_rng(6), 5.6, 7.0
    waveform = np.zeros((2, 60, 1), np.float32)
    waveform[0, 18:24, 0] = [-5, -20, -30, -20, -5, 4]
    waveform[1, 22:36, 0] = np.linspace(-8, 8, 14)
    templates = xr.Dataset(
        {
            "waveform": (("unit", "sample", "slot"), waveform),
            "channel_index": (("unit", "slot"), np.array([[0], [1]], np.int32)),
            "num_averaged": ("unit", [400, 60]),
        },
        attrs={"n_channels": 2, "sampling_frequency": 30_000.0, "nbefore": 20},
    )
    scores = floor + rng.exponential(1.0, 200) if center is None else rng.normal(center, 1.0, 60)
    every = rng.permutation(np.arange(100, N_SAMPLES, 2000))[: 400 + len(scores)]
    samples, units = trains(np.sort(every[:400]), np.sort(every[400:]))
    fields = [("sample_index", "i8"), ("unit_index", "i8"), ("gain", "f8"), ("amplitude", "f4")]
    weakest = np.zeros(len(samples), fields)
    weakest["sample_index"], weakest["unit_index"], weakest["amplitude"] = samples, units, 1
    weakest["gain"][units == 0], weakest["gain"][units == 1] = rng.normal(25.0, 1.0, 400) ** 2, scores**2
    matches = weakest[weakest["gain"] >= threshold**2]
    given = {"n_spikes_min": 20, "first_sample": 0, "n_samples": N_SAMPLES}
    assert tidy_units(matches, templates, **given).templates.sizes["unit"] == 2
    tidied = tidy_units(matches, templates, weakest=Weakest(weakest, floor), **given)
    dropped = [entry["unit"] for entry in tidied.log if entry["reason"] == "scores of false alarms"]
    assert dropped == ([1] if center is None else [])
    assert tidied.origin.unit_of_template.tolist() == [0, -1 if dropped else 1]
