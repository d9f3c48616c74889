"""The record of a peak has SpikeInterface's fields, and more can be appended; tables are read in blocks."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from spikeinterface.core.node_pipeline import base_peak_dtype

from xephys.kernels.lib import records
from xephys.kernels.lib.records import PEAK_DTYPE, add_fields


def test_fields_are_those_of_spikeinterface():
    theirs = dict(base_peak_dtype)
    assert set(PEAK_DTYPE.names) == set(theirs)
    for name in PEAK_DTYPE.names:
        assert PEAK_DTYPE[name].kind == np.dtype(theirs[name]).kind, name


def test_add_fields_keeps_the_old_ones():
    events = np.zeros(2, dtype=PEAK_DTYPE)
    events["amplitude"] = 1, 2
    table = add_fields(events, [("x", "<f8", ()), ("p", "<f4", (2, 3))])
    assert table["p"].shape == (2, 2, 3)
    assert table["amplitude"].tolist() == [1, 2]
    with pytest.raises(ValueError, match="already have a field 'x'"):
        add_fields(table, [("x", "<f8", ())])


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(records, "row_blocks", partial(records.row_blocks, size=32))


def test_blocks_cover_all_rows_once():
    blocks = records.row_blocks(100, size=32)
    assert np.concatenate([np.arange(100)[block] for block in blocks]).tolist() == list(range(100))
    assert [block.stop - block.start for block in records.row_blocks(100, size=32, overlap=1)] == [33, 33, 33, 4]
    assert records.row_blocks(0) == []


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.int64])
def test_labels_are_counted_and_ordered_as_numpy_does(small_blocks, dtype):
    labels = np.random.default_rng(0).integers(-1, 9, 200).astype(dtype)
    assert records.count_labels(labels, n_labels=12).tolist() == np.bincount(labels[labels >= 0], minlength=12).tolist()
    assert records.order_by_label(labels).tolist() == np.argsort(labels, kind="stable").tolist()
    far = labels.astype(np.int64) * 100_000
    assert records.order_by_label(far).tolist() == np.argsort(far, kind="stable").tolist()


@pytest.mark.parametrize("step", [1, 3, 40])
def test_pairs_are_found_across_the_borders_of_blocks(step):
    samples = np.sort(np.random.default_rng(1).integers(0, 900, 200))
    found = [
        records.rows_within(samples, block, step=step, window_samples=12) for block in records.row_blocks(200, size=32)
    ]
    expected = np.flatnonzero(samples[step:] - samples[:-step] <= 12)
    assert np.concatenate(found).tolist() == expected.tolist()
