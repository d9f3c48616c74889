"""Random sequences of curations: the same units as SpikeInterface's, read back as written, undone to the bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from spikeinterface.curation import apply_curation as apply_theirs
from spikeinterface.curation.curation_model import SequentialCuration

import xephys
from xephys.curate.merge_search import Merges
from xephys.curate.undo import Curation, begin_curation
from xephys.errors import ParameterError

from .trains import trains_of


def sorting(seed: int, *, texts: bool = False) -> xr.DataTree:
    rng = np.random.default_rng(seed)
    labels: Any = rng.integers(1, 9, 400)
    if texts:
        labels = np.array([f"u{label}" for label in labels])
    samples = np.sort(rng.choice(20_000, 400, replace=False))
    return xephys.make_sorting(sample_index=samples, labels=labels, sampling_frequency=1000.0)


def drawn_step(rng: np.random.Generator, tree: xr.DataTree) -> dict[str, Any]:
    """Labels, removals, merges and splits of different units; some units are split twice, some get a given name."""
    trains = trains_of(tree)
    ids = rng.permutation(np.array(list(trains), dtype=object)).tolist()
    n_removed, n_merged = int(rng.integers(0, 2)), int(rng.choice([0, 2, 3]))
    removed, merged, rest = ids[:n_removed], ids[n_removed:][:n_merged], ids[n_removed + n_merged :]
    splits = []
    for unit in [unit for unit in rest if len(trains[unit]) >= 8][: int(rng.integers(0, 3))]:
        n = len(trains[unit])
        for _ in range(int(rng.integers(1, 3))):
            rows = rng.permutation(n)
            first, second = np.sort(rng.choice(np.arange(1, n), 2, replace=False)).tolist()
            if rng.random() < 0.3:
                one = {"mode": "labels", "labels": [*rng.integers(0, 3, n - 2).tolist(), 0, 1]}
            elif rng.random() < 0.5:
                one = {"mode": "indices", "indices": [rows[:first].tolist(), rows[first:second].tolist()]}
            else:
                one = {"mode": "indices", "indices": [rows[:first].tolist()]}
            splits.append({"unit_id": unit, **one})
    definitions = {
        "quality": {"label_options": ["good", "noise", "MUA"], "exclusive": True},
        "tags": {"label_options": ["bursting", "drifting"], "exclusive": False},
    }
    labels = [
        {"unit_id": unit, "labels": {"quality": [str(rng.choice(["good", "noise", "MUA"]))], "tags": ["bursting"]}}
        for unit in ids[: int(rng.integers(0, 4))]
    ]
    name = f"m{rng.integers(1_000_000)}" if isinstance(ids[0], str) else int(rng.integers(1000, 1_000_000))
    merges = [{"unit_ids": merged, "new_unit_id": name if rng.random() < 0.5 else None}] if len(merged) > 1 else []
    return {
        "format_version": "2", "unit_ids": list(trains), "label_definitions": definitions, "manual_labels": labels,
        "removed": removed, "merges": merges, "splits": splits,
    }  # fmt: skip


def drawn_curation(seed: int) -> Curation:
    rng = np.random.default_rng(1000 + seed)
    curation = begin_curation(sorting(seed, texts=seed % 3 == 0))
    for _ in range(int(rng.integers(2, 5))):
        curation = curation.apply(drawn_step(rng, curation.sorting))
    return curation


def test_thirty_sequences_equal_spikeinterfaces(tmp_path: Path) -> None:
    n_split_twice = n_merged = n_removed = 0
    for seed in range(30):
        curation = drawn_curation(seed)
        sequence = curation.to_dict()
        theirs = apply_theirs(xephys.to_spikeinterface(curation.states[0]), SequentialCuration(**sequence))
        ours = trains_of(curation.sorting)
        assert ours == {
            unit: theirs.get_unit_spike_train(unit, segment_index=0).tolist() for unit in theirs.unit_ids.tolist()
        }, seed
        curation.save(tmp_path / "curation.json")
        assert xephys.read_curation(tmp_path / "curation.json") == xephys.read_curation(sequence), seed
        again = begin_curation(curation.states[0], tmp_path / "curation.json")
        assert again.to_dict() == sequence
        assert all(one.identical(other) for one, other in zip(again.states, curation.states, strict=True)), seed
        for step in curation.steps:
            n_split_twice += sum(len(split["new_unit_ids"]) > 3 for split in step["splits"])
            n_merged, n_removed = n_merged + len(step["merges"]), n_removed + len(step["removed"])
    assert min(n_split_twice, n_merged, n_removed) > 10


@pytest.mark.parametrize("seed", range(3))
def test_every_step_is_undone_and_redone(seed: int) -> None:
    whole = drawn_curation(seed)
    back = whole
    for n_left in reversed(range(len(whole.steps))):
        back = back.undo()
        assert back.sorting.identical(whole.states[n_left]) and len(back.steps) == n_left
    with pytest.raises(ParameterError, match="no step to undo"):
        back.undo()
    forth = back
    for _ in whole.steps:
        forth = forth.redo()
    assert forth.to_dict() == whole.to_dict() and forth.sorting.identical(whole.sorting)
    with pytest.raises(ParameterError, match="no step to make again"):
        forth.redo()
    assert not back.label({back.sorting["units"]["unit_id"].values.tolist()[0]: "good"}).undone


def test_splits_of_one_unit_are_applied_together() -> None:
    tree = xephys.make_sorting(sample_index=np.arange(6) * 10, labels=np.ones(6, int), sampling_frequency=1000.0)
    splits: list[dict[str, Any]] = [
        {"unit_id": 1, "mode": "indices", "indices": indices} for indices in ([[0, 1, 2]], [[2, 3]])
    ]
    step = {"format_version": "2", "unit_ids": [1], "splits": splits}
    curation = begin_curation(tree).apply(step)
    assert sorted(trains_of(curation.sorting).values()) == [[0, 10], [20], [30], [40, 50]]
    assert curation.steps[0]["splits"][0]["mode"] == "labels"
    for split in splits:
        split["new_unit_ids"] = [5, 6]
    with pytest.raises(ParameterError, match="names are given for each"):
        begin_curation(tree).apply(step)


def test_single_steps_are_recorded() -> None:
    tree = sorting(1)
    curation = begin_curation(tree).label({1: "MUA"}).remove([2]).merge([3, 4]).split(5, [[0, 1], [2]])
    ids = curation.sorting["units"]["unit_id"].values.tolist()
    assert set(ids) == {1, 6, 7, 8, 9, 10, 11, 12}
    assert curation.sorting["units"]["label"].values[ids.index(1)] == "mua"
    assert [len(trains_of(curation.sorting)[unit]) for unit in (10, 11)] == [2, 1]
    assert trains_of(tree) == trains_of(curation.states[0])


def test_rules_and_found_merges_are_recorded_too(tmp_path: Path) -> None:
    tree = sorting(2)
    counts = dict(zip(tree["units"]["unit_id"].values.tolist(), tree["units"]["num_spikes"].values, strict=True))
    limit = int(sorted(counts.values())[3])
    found = Merges(xr.Dataset(), ((1, 2), (3, 4, 5)), {})
    curation = (
        begin_curation(tree)
        .merge_found(found)
        .by_rules(f"num_spikes > {limit}")
        .like_bombcell(thresholds={"mua": [f"num_spikes > {2 * limit}"]})
        .by_rules("label == 'good'", passed=None, remove=True)
    )
    assert len(curation.steps) == 4 and curation.steps[3]["removed"]
    assert {label["labels"]["quality"][0] for label in curation.steps[2]["manual_labels"]} >= {"MUA"}
    curation.save(tmp_path / "curation.json")
    again = begin_curation(tree, tmp_path / "curation.json")
    for one, other in zip(curation.states, again.states, strict=True):
        assert trains_of(one) == trains_of(other)
        assert one["units"]["label"].values.tolist() == other["units"]["label"].values.tolist()
    theirs = apply_theirs(xephys.to_spikeinterface(tree), SequentialCuration(**curation.to_dict()))
    assert set(theirs.unit_ids.tolist()) == set(trains_of(curation.sorting))
    assert curation.undo().sorting.identical(curation.states[3])
