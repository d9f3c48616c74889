"""Matched spikes become spikes of units: in the way of a readable reference, from memory or from disk."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from tests.kernels.curate.test_repeats import reference as without_repeats
from tests.match.test_others import stored
from xephys.graph import columns
from xephys.kernels.lib import records
from xephys.kernels.templates.composites import COMPOSITE
from xephys.sorter.steps.assign import Assigned, assign_spikes, columns_of_spikes

TARGET, SHIFT = np.array([0, 0, 2, -1, -1]), np.array([0, -7, 3, 0, 0])
UNIT, SIZES = np.array([1, 1, 0, -1, -1]), np.array([1.0, 0.5, 2.0, 1.0, 1.0])
#: Spikes of template 4 are spikes of 1 and 2 at once, the latter six samples later.
SUMS = np.array([(4, 1, 2, -2, 6, 0.1, False)], COMPOSITE)
RANGE, DEAD = {"first_sample": 50, "n_samples": 3000}, 15


def matched(n=600):
    rng = np.random.default_rng(3)
    names = [("sample_index", "i8"), ("unit_index", "i8"), *[(name, "f8") for name in ("gain", "amplitude", "x", "y")]]
    matches = np.zeros(n, names)
    matches["sample_index"], matches["unit_index"] = np.sort(rng.integers(50, 3050, n)), rng.integers(0, 5, n)
    for name in ("gain", "amplitude", "x", "y"):
        matches[name] = rng.random(n)
    return matches


def reference(matches):
    """Spike by spike: sample, template, row."""
    spikes = []
    for row, match in enumerate(matches):
        sample, template = int(match["sample_index"]), int(match["unit_index"])
        parts = [(sample - 2, 1), (sample + 4, 2)] if template == 4 else [(sample, template)]
        spikes += [(sample, template, row) for sample, template in parts if TARGET[template] >= 0]
    rows = [
        (min(max(sample + SHIFT[template], 50), 3049), TARGET[template], matches["gain"][row], row, template)
        for sample, template, row in spikes
    ]
    table = np.array(rows, [("sample", "i8"), ("unit", "i8"), ("gain", "f8"), ("row", "i8"), ("template", "i8")])
    return [(sample, template, row) for sample, _, _, row, template in without_repeats(table, DEAD)]


@pytest.mark.parametrize("kind", ["memory", "disk"])
@pytest.mark.parametrize("size", [50, 1 << 18])
def test_spikes_are_those_of_the_reference(kind, size, tmp_path, monkeypatch):
    monkeypatch.setattr(columns, "BLOCK_ROWS", size)
    monkeypatch.setattr(records, "row_blocks", partial(records.row_blocks, size=size))
    matches = matched()
    given = stored(matches, tmp_path / "all", n_chunks=4) if kind == "disk" else matches
    spikes = Assigned.of(given)
    assign_spikes(spikes, given, target=TARGET, shift=SHIFT, sums=SUMS, dead_samples=DEAD, **RANGE)
    found = list(zip(*(part.tolist() for part in (spikes.sample_index, spikes.template, spikes.row)), strict=True))
    assert found == reference(matches)
    assert 0 < len(found) < len(matches)
    table = columns_of_spikes(given, spikes, UNIT, SIZES)
    assert table["unit_index"].tolist() == [UNIT[template] for _, template, _ in found]
    assert table["amplitude"].tolist() == [matches["amplitude"][row] * SIZES[template] for _, template, row in found]
    assert table["x"].dtype == np.float32
    assert table["y"].tolist() == matches["y"][spikes.row].astype(np.float32).tolist()


def test_matches_in_memory_stay_as_they_are():
    matches = matched()
    before = matches.copy()
    assign_spikes(Assigned.of(matches), matches, target=TARGET, shift=SHIFT, dead_samples=DEAD, **RANGE)
    assert matches.tolist() == before.tolist()


def test_without_matches_there_are_no_spikes():
    spikes = Assigned.of(matched(0))
    assign_spikes(spikes, matched(0), target=TARGET, shift=SHIFT, sums=SUMS, dead_samples=DEAD, **RANGE)
    assert len(columns_of_spikes(matched(0), spikes, UNIT, SIZES)["sample_index"]) == 0
