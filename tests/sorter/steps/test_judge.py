"""Units are judged: metrics of their spikes and waveforms, and labels by the given limits."""

from __future__ import annotations

import numpy as np
import pytest

from xephys.metrics.table import METRICS
from xephys.schema import make_recording
from xephys.sorter.steps.assemble import Appearance
from xephys.sorter.steps.judge import judge_units, unit_facts

RECORDING = make_recording(np.zeros((60_000, 2), "i2"), sampling_frequency=30_000.0)


def units():
    """One large unit, one small, and one with three spikes."""
    samples = np.sort(np.concatenate([np.arange(300, 60_000, 600), np.arange(500, 60_000, 600), [100, 20_050, 40_050]]))
    index = np.where(np.isin(samples, [100, 20_050, 40_050]), 2, (samples - 300) % 600 != 0).astype("i8")
    spikes = np.zeros(len(samples), [("sample_index", "i8"), ("unit_index", "i8")])
    spikes["sample_index"], spikes["unit_index"] = samples, index
    waveform = np.zeros((3, 4, 2), np.float32)
    waveform[:, 1, 0] = [-90, -30, -90]
    return spikes, Appearance(waveform, 1, np.zeros(3, "i8"), np.zeros((3, 2)), np.full(3, 10.0))


@pytest.mark.parametrize(
    ("changes", "labels"),
    [
        ({}, ["good", "mua", "mua"]),
        ({"good_snr_min": 2.0}, ["good", "good", "mua"]),
        ({"n_spikes_min": 2, "good_snr_min": 2.0}, None),
    ],
)
def test_labels_follow_the_limits(changes, labels):
    spikes, seen = units()
    limits = {"contamination_max": 0.2, "good_snr_min": 5.0, "n_spikes_min": 20, **changes}
    found = judge_units(RECORDING, spikes, seen, **limits)
    assert set(found) == {"label", *METRICS}
    assert found["snr"].tolist() == [9.0, 3.0, 9.0]
    assert found["num_spikes"].tolist() == np.bincount(spikes["unit_index"]).tolist()
    if labels is not None:
        assert found["label"][:2].tolist() == labels[:2]
        assert found["label"][2] != "good"


def test_facts_about_units_are_those_of_the_sort():
    spikes, seen = units()
    facts = unit_facts(RECORDING, spikes, seen)
    assert (facts.n_units, facts.n_samples, facts.sampling_frequency) == (3, 60_000, 30_000.0)
    assert facts.amplitude.tolist() == [90.0, 30.0, 90.0]
    assert facts.samples(1.5) == 45
