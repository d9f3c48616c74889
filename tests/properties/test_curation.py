"""Any sequence of selecting, renaming, merging and splitting units gives the trains of a plain dictionary."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import xephys
from tests.curate.trains import trains_of
from tests.support.sorting_trees import sorting_of
from xephys.schema import make_recording
from xephys.sorting import validate_sorting

DEAD = 3


def tree():
    places = {"x": np.zeros(4), "y": 20.0 * np.arange(4)}
    recording = make_recording(np.zeros((2000, 4), "i2"), sampling_frequency=1000.0, coordinates=places)
    return sorting_of(recording, n_units=5, n_spikes=300)


def merged_train(spikes):
    """Pairs (sample, size); of any two that are closer than the dead time, the weaker is removed."""
    spikes = sorted(spikes, key=lambda spike: spike[0])
    while True:
        weaker = set()
        for k, (first, second) in enumerate(pairwise(spikes)):
            if second[0] - first[0] < DEAD:
                weaker.add(k if first[1] < second[1] else k + 1)
        if not weaker:
            return spikes
        spikes = [spike for k, spike in enumerate(spikes) if k not in weaker]


def reference_of(sorting):
    spikes = sorting["spikes"].dataset
    ids = sorting["units"]["unit_id"].values.tolist()
    trains = {unit: [] for unit in ids}
    for sample, unit, size in zip(
        spikes["sample_index"].values.tolist(),
        spikes["unit_index"].values.tolist(),
        np.abs(spikes["amplitude"].values).tolist(),
        strict=True,
    ):
        trains[ids[unit]].append((sample, size))
    return trains


@settings(max_examples=40)
@given(data=st.data())
def test_sequences_agree_with_a_dictionary_of_trains(data):
    sorting = tree()
    trains = reference_of(sorting)
    for _ in range(data.draw(st.integers(1, 6))):
        ids = list(trains)
        step = data.draw(st.sampled_from(["merge", "split", "select", "rename"]))
        if step == "merge" and len(ids) > 1:
            group = data.draw(st.lists(st.sampled_from(ids), min_size=2, max_size=3, unique=True))
            sorting = xephys.merge_units(sorting, group, duplicate_ms=float(DEAD))
            name = json.loads(sorting.attrs["log"])[-1]["new_unit_id"]
            assert len(trains[name]) == max(len(trains[unit]) for unit in group)
            trains[name] = merged_train([spike for unit in group for spike in trains[unit]])
            for unit in set(group) - {name}:
                del trains[unit]
        elif step == "split":
            unit = data.draw(st.sampled_from(ids))
            n = len(trains[unit])
            if n < 2:
                continue
            labels = np.arange(n) % data.draw(st.integers(2, min(3, n)))
            labels = labels[np.random.default_rng(data.draw(st.integers(0, 99))).permutation(n)]
            sorting = xephys.split_unit(sorting, unit, labels=labels)
            names = json.loads(sorting.attrs["log"])[-1]["new_unit_ids"]
            assert not set(names) & set(trains)
            train = trains.pop(unit)
            for part, name in enumerate(names):
                trains[name] = [spike for spike, label in zip(train, labels, strict=True) if label == part]
        elif step == "select":
            kept = data.draw(st.lists(st.sampled_from(ids), min_size=1, unique=True))
            sorting = xephys.select_units(sorting, kept)
            trains = {unit: trains[unit] for unit in kept}
        elif step == "rename":
            unit, name = data.draw(st.sampled_from(ids)), 1000 + max(ids)
            sorting = xephys.relabel_units(sorting, unit_ids={unit: name})
            trains = {name if one == unit else one: train for one, train in trains.items()}
        validate_sorting(sorting)
        expected = {unit: [sample for sample, _ in train] for unit, train in trains.items()}
        assert trains_of(sorting) == expected
        assert sorting["units"]["num_spikes"].values.tolist() == [
            len(expected[unit]) for unit in sorting["units"]["unit_id"].values.tolist()
        ]
        assert sorting["templates"].sizes["unit"] == len(trains)
        theirs = xephys.to_spikeinterface(sorting)
        assert all(theirs.get_unit_spike_train(unit).tolist() == train for unit, train in expected.items())
