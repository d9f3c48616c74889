"""Stored traces: the same values in any place, and neither partial nor foreign tiles are ever read."""

from __future__ import annotations

import logging
import pickle
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from unittest.mock import Mock

import numpy as np
import pytest

from tests.graph import toys
from xephys.graph.build import plan_of, root_plan, to_dask
from xephys.graph.events import SpikeTable
from xephys.graph.keep.traces import KeptSource, chosen_place, forget_kept, keep_traces
from xephys.graph.plan import Stage
from xephys.kernels.lib.quantize import quantize

STEP = 0.25
ROUND = Stage(quantize, dtype=np.dtype("i2"), parameters={"step": STEP})
RESTORE = Stage(toys.scale, dtype=np.dtype("f4"), parameters={"gain": STEP})


@pytest.fixture
def make_plan(source):
    """The toy recording, or an array, smoothed and rounded: the plan to be stored."""

    def make(array=None, start=None, stop=None):
        array = to_dask(toys.plan_on(source)) if array is None else array
        array = array if start is None else array[start:stop]
        return root_plan(array, sampling_frequency=toys.RATE).then(toys.MEAN).then(ROUND)

    return make


def events_of(plan):
    return SpikeTable.of_plan(plan.then(RESTORE).then(toys.MINIMA)).compute()


@pytest.mark.parametrize("place", ["memory", "disk", "none"])
@pytest.mark.parametrize("span", [(None, None), (1300, 4100)], ids=["whole", "slice"])
def test_values_do_not_depend_on_the_place(make_plan, tmp_path, place, span):
    plan = make_plan(start=span[0], stop=span[1])
    expected = to_dask(plan).compute(scheduler="synchronous")
    kept = keep_traces(plan, tmp_path, place=place)
    assert (kept.start, kept.stop, kept.chunks, kept.tile_samples) == (
        plan.start, plan.stop, plan.chunks, plan.tile_samples,
    )  # fmt: skip
    for _ in range(2):  # first computed, then read
        assert np.array_equal(to_dask(kept).compute(), expected)
    found = events_of(kept)
    assert len(found) and np.array_equal(found, events_of(keep_traces(plan, None, place="none")))


def test_values_do_not_depend_on_chunks(make_plan, tmp_path):
    plan = make_plan()
    expected = events_of(keep_traces(plan, tmp_path, place="none"))
    for length in (700, 1000, 5437):
        assert np.array_equal(events_of(keep_traces(plan, tmp_path, place="disk").rechunked(length)), expected)


def test_a_dask_array_can_be_stored_too(make_plan, tmp_path):
    array = to_dask(make_plan()).persist()
    opaque = array.map_blocks(np.negative)
    plan = make_plan(opaque)
    assert plan_of(opaque) is None
    expected = events_of(keep_traces(plan, None, place="none"))
    for place in ("memory", "disk"):
        assert np.array_equal(events_of(keep_traces(plan, tmp_path, place=place)), expected)


def test_each_tile_is_computed_once(make_plan, tmp_path, monkeypatch):
    computed = []
    inner = KeptSource.keep
    monkeypatch.setattr(
        KeptSource, "keep", lambda self, number, tile: (computed.append(number), inner(self, number, tile))
    )
    kept = keep_traces(make_plan(), tmp_path, place="disk")
    for _ in range(3):
        to_dask(kept).compute(scheduler="synchronous")
    assert sorted(computed) == list(range(6))


@pytest.mark.parametrize("place", ["memory", "disk"])
def test_threads_never_compute_the_same_tile(make_plan, tmp_path, monkeypatch, place):
    """All threads begin with the same stretch; each tile takes long enough for the others to arrive at it."""
    computed, together = [], threading.Barrier(4)
    inner = KeptSource._computed

    def slowly(self, number, **keywords):
        computed.append(number)
        time.sleep(0.01)
        return inner(self, number, **keywords)

    monkeypatch.setattr(KeptSource, "_computed", slowly)
    source = keep_traces(make_plan(), tmp_path, place=place).source

    def read(_):
        together.wait(timeout=60)
        return source.read(0, source.n_samples)

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(read, range(4)))
    assert sorted(computed) == list(range(6))
    assert all(np.array_equal(part, found[0]) for part in found)


def test_after_a_tile_that_failed_others_are_not_waited_for_in_vain(make_plan, tmp_path, monkeypatch):
    source = keep_traces(make_plan(), tmp_path, place="memory").source
    with monkeypatch.context() as patch:
        patch.setattr(KeptSource, "_computed", Mock(side_effect=ValueError("broken")))
        with pytest.raises(ValueError, match="broken"):
            source.read(0, 100)
    assert source.read(0, 100).shape[0] == 100


@pytest.mark.parametrize("damage", ["short", "long", "absent"])
def test_a_partial_tile_is_computed_again(make_plan, tmp_path, damage):
    kept = keep_traces(make_plan(), tmp_path, place="disk")
    expected = to_dask(kept).compute()
    (folder,) = tmp_path.iterdir()
    tile = folder / "tile_00000002.bin"
    if damage == "absent":
        tile.unlink()
    else:
        content = tile.read_bytes()
        tile.write_bytes(content[:-7] if damage == "short" else content + b"more")
    assert np.array_equal(to_dask(kept).compute(), expected)
    assert tile.stat().st_size == 1000 * toys.N_CHANNELS * 2


def test_samples_beyond_the_stored_range_are_computed(make_plan, tmp_path):
    whole = to_dask(make_plan()).compute()
    kept = keep_traces(make_plan(start=3100, stop=3900), None, place="memory")
    for _ in range(2):
        assert np.array_equal(kept.source.read(900, 5100), whole[900:5100])
        assert np.array_equal(kept.source.read(2950, 4050), whole[2950:4050])
    assert kept.source._done == {2, 3, 4}


def test_tiles_of_other_traces_are_never_read(make_plan, tmp_path):
    to_dask(keep_traces(make_plan(), tmp_path, place="disk")).compute()
    other = make_plan(start=100, stop=5000)
    expected = to_dask(other).compute()
    assert np.array_equal(to_dask(keep_traces(other, tmp_path, place="disk")).compute(), expected)
    assert len(list(tmp_path.iterdir())) == 2
    forget_kept(tmp_path)
    assert not list(tmp_path.iterdir())


def test_tiles_of_another_version_are_never_read(make_plan, tmp_path, monkeypatch):
    from xephys.graph import checkpoint

    expected = to_dask(keep_traces(make_plan(), tmp_path, place="disk")).compute()
    (older,) = tmp_path.iterdir()
    for tile in older.iterdir():
        tile.write_bytes(b"\x7f" * tile.stat().st_size)  # whole, and wrong
    assert not np.array_equal(to_dask(keep_traces(make_plan(), tmp_path, place="disk")).compute(), expected)
    monkeypatch.setattr(checkpoint, "__version__", "0.0.0")
    assert np.array_equal(to_dask(keep_traces(make_plan(), tmp_path, place="disk")).compute(), expected)
    assert len(list(tmp_path.iterdir())) == 2


def test_a_full_disk_costs_only_time(make_plan, tmp_path, monkeypatch, caplog):
    from xephys.errors import OutputError
    from xephys.graph.keep import traces as kept

    plan = make_plan()
    expected = to_dask(plan).compute()

    def full(*_, **__):
        raise OutputError("cannot write: no space left")

    monkeypatch.setattr(kept, "write_atomically", full)
    with caplog.at_level(logging.WARNING):
        assert np.array_equal(to_dask(keep_traces(plan, tmp_path, place="disk")).compute(), expected)
    assert "no space left: a tile of white traces is not kept" in caplog.text


def test_the_place_follows_from_size_and_free_space(make_plan, tmp_path, monkeypatch, caplog):
    from xephys.graph.keep import traces as kept

    plan = make_plan()
    monkeypatch.setattr(kept, "lies_in_memory", lambda _: False)
    monkeypatch.setattr(kept, "memory_free_bytes", lambda: 1 << 40)
    assert chosen_place(plan, tmp_path) == "memory"
    monkeypatch.setattr(kept, "memory_free_bytes", lambda: 8000)
    assert chosen_place(plan, tmp_path) == "disk"  # an eighth of the memory does not suffice
    assert chosen_place(plan, tmp_path, place="memory") == "memory"
    monkeypatch.setattr(kept, "lies_in_memory", lambda _: True)
    assert chosen_place(plan, tmp_path) == "none"  # the folder is a file system in memory
    monkeypatch.setattr(kept, "memory_free_bytes", lambda: 1 << 40)
    monkeypatch.setattr(kept, "MEMORY_BYTES_MAX", 1000)
    assert chosen_place(plan, tmp_path) == "memory"  # a sixteenth of much memory
    monkeypatch.setattr(kept, "lies_in_memory", lambda _: False)
    monkeypatch.setattr(kept, "memory_free_bytes", lambda: 15 * sum(plan.chunks) * plan.n_channels * 2)
    assert chosen_place(plan, tmp_path) == "disk"
    assert chosen_place(plan, tmp_path, bytes_max=5000) == "none"  # less than one tile
    assert chosen_place(plan, None) == "none"
    monkeypatch.setattr(kept, "disk_free_bytes", lambda _: 100)
    with caplog.at_level(logging.WARNING):
        assert chosen_place(plan, tmp_path) == "none"
    assert "do not fit on the disk" in caplog.text


def test_tiles_on_disk_pickle_small_and_tiles_in_memory_do_not(make_plan, tmp_path):
    kept = keep_traces(make_plan(), tmp_path, place="disk")
    expected = to_dask(kept).compute()
    again = pickle.loads(pickle.dumps(kept.source))
    assert np.array_equal(again.read(500, 2500), expected[500:2500])
    assert again.token == kept.source.token
    held = keep_traces(make_plan(), None, place="memory")
    to_dask(held).compute()
    with pytest.raises(TypeError, match="keep them on disk"):
        pickle.dumps(held.source)
