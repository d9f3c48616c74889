"""Single steps of the search for merges, on trains simple enough to check by hand."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import xephys
from xephys.curate.merge_steps import PRESETS, STEPS, Search
from xephys.errors import ParameterError
from xephys.schema import make_recording

RATE = 1000.0


def search_of(segments: list[dict[int, list[int]]], *, n_samples: int = 20_000) -> Search:
    parts = [make_recording(np.zeros((n_samples, 2), "i2"), sampling_frequency=RATE) for _ in segments]
    recording = parts[0] if len(parts) == 1 else xephys.append_segments(parts)
    rows = sorted(
        (k, sample, unit) for k, trains in enumerate(segments) for unit, train in trains.items() for sample in train
    )
    segment, sample, unit = (np.array(column) for column in zip(*rows, strict=True))
    tree = xephys.make_sorting(sample_index=sample, labels=unit, segment_index=segment, recording=recording)
    return Search.of(tree, recording)


def kept(search: Search, step: str, **parameters: float) -> list[bool]:
    return STEPS[step].keeps(search, {**STEPS[step].parameters, **parameters}).tolist()


def test_presets_consist_of_known_steps() -> None:
    assert {step for steps in PRESETS.values() for step in steps} == set(STEPS)
    assert all(step.doc for step in STEPS.values())


def test_presence_is_averaged_over_segments() -> None:
    early, late = list(range(0, 6000, 100)), list(range(12_000, 18_000, 100))
    one = search_of([{1: early, 2: late}])
    kept(one, "presence_distance")
    both = search_of([{1: early, 2: late}, {1: early, 2: early}])
    kept(both, "presence_distance")
    apart = one.scores["presence_distance_s"][0]
    assert apart == pytest.approx(12.0)
    assert both.scores["presence_distance_s"][0] == pytest.approx(apart / 2)
    assert kept(one, "presence_distance", distance_min_s=5.0) == [True]


def test_spikes_of_different_segments_do_not_coincide() -> None:
    search = search_of([{1: [19_999], 2: [100]}, {1: [100], 2: [0]}])
    assert search.contaminations({"refractory_ms": 20.0, "censored_ms": 0.0}).tolist() == [0.0, 0.0]
    search.put("x", np.zeros(1))
    kept(search, "cross_contamination", refractory_ms=20.0, censored_ms=0.0)
    assert search.scores["cross_contamination_p"].tolist() == [1.0]


def test_halves_of_a_refractory_unit_score_higher_together_and_strangers_do_not() -> None:
    neuron = list(range(0, 20_000, 40))
    stranger = sorted(np.random.default_rng(0).choice(20_000, 300, replace=False).tolist())
    search = search_of([{1: neuron[::2], 2: neuron[1::2], 3: stranger}])
    assert kept(search, "quality_score", refractory_ms=10.0, censored_ms=0.0) == [True, False, False]
    assert (search.scores["quality_gain"] > 0).tolist() == [True, False, False]
    assert kept(search, "num_spikes", n_spikes_min=260) == [False, False, False]
    assert kept(search, "remove_contaminated", refractory_ms=10.0, censored_ms=0.0) == [True, False, False]


def test_scores_do_not_depend_on_the_order_of_units() -> None:
    rng = np.random.default_rng(1)
    trains = {unit: sorted(rng.choice(20_000, 200, replace=False).tolist()) for unit in (1, 2, 3)}
    search, turned = search_of([trains]), search_of([{4 - unit: train for unit, train in trains.items()}])
    for one in (search, turned):
        kept(one, "quality_score", refractory_ms=10.0, censored_ms=0.0)
        kept(one, "presence_distance")
    for name, scores in search.scores.items():
        np.testing.assert_allclose(scores, turned.scores[name][[2, 1, 0]], err_msg=name)


def test_a_censored_period_beyond_the_refractory_one_is_refused() -> None:
    with pytest.raises(ParameterError, match="censored_ms is 3 and refractory_ms 1"):
        kept(search_of([{1: [5], 2: [9]}]), "remove_contaminated", censored_ms=3.0)


def test_a_single_unit_has_no_pair() -> None:
    search = search_of([{1: [5, 900]}])
    for step in ("num_spikes", "remove_contaminated", "presence_distance", "cross_contamination", "quality_score"):
        assert kept(search, step) == []
    assert isinstance(search.subject.sorting, xr.DataTree)
