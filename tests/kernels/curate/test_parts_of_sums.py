"""Spikes of a sum of two units become spikes of both units; all others stay."""

from __future__ import annotations

import numpy as np

from xephys.kernels.curate.parts_of_sums import give_to_parts
from xephys.kernels.templates.composites import COMPOSITE

FIELDS = [("sample_index", "i8"), ("unit_index", "i8"), ("gain", "f8")]


def reference(spikes, sums):
    out = []
    for sample, unit, gain in spikes.tolist():
        found = [row for row in sums if row["unit"] == unit]
        if not found:
            out.append((sample, unit, gain))
        for row in found:
            out.append((sample + int(row["first_lag"]), int(row["first"]), gain))
            out.append((sample + int(row["first_lag"] + row["lag"]), int(row["second"]), gain))
    return sorted(out)


def test_every_spike_of_a_sum_becomes_two():
    rng = np.random.default_rng(0)
    spikes = np.zeros(200, FIELDS)
    spikes["sample_index"], spikes["unit_index"] = np.sort(rng.integers(0, 9999, 200)), rng.integers(0, 6, 200)
    spikes["gain"] = rng.random(200)
    sums = np.array([(2, 0, 1, -3, 8, 0.1, False), (5, 4, 1, 2, -6, 0.3, True)], COMPOSITE)
    given = give_to_parts(spikes, sums)
    assert sorted(given.tolist()) == reference(spikes, sums)
    assert given.dtype == spikes.dtype


def test_without_sums_nothing_changes():
    spikes = np.array([(5, 1, 2.0), (9, 0, 3.0)], FIELDS)
    assert give_to_parts(spikes, np.empty(0, COMPOSITE)).tolist() == spikes.tolist()
    assert not len(give_to_parts(spikes[:0], np.array([(2, 0, 1, 0, 0, 0.1, False)], COMPOSITE)))
