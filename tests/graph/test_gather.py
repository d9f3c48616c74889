"""Rows and sums of a pass: the same bits for any chunks, and with any empty tiles left out."""

from __future__ import annotations

from typing import Any

import dask
import numpy as np
import pytest

from xephys.graph import gather as gather_module
from xephys.graph.build import root_plan
from xephys.graph.gather import _filled, gather, lazy_gather, tile_runs
from xephys.graph.plan import Plan, Stage
from xephys.graph.reduce import grow

from . import toys


def rows_and_sums(traces: Any, *, before: int, after: int, start: int) -> dict[str, Any]:
    """The sum of a tile, and its rows that are multiples of seven; nothing of tile 2."""
    if start == 2000:
        return {}
    core = traces[before : len(traces) - after].astype(np.float64)
    where = np.arange(start, start + len(core))
    return {"sum": (core * 0.1).sum(axis=0), "row": where[where % 7 == 0]}


def plan_in(chunk: int) -> Plan:
    rng = np.random.default_rng(0)
    import dask.array as da

    data = da.from_array(rng.normal(size=(toys.N_SAMPLES, toys.N_CHANNELS)), chunks=(chunk, -1))
    stage = Stage(rows_and_sums, dtype=np.dtype("f8"), emits="partials", before=3, after=2)
    return root_plan(data, sampling_frequency=toys.RATE).then(stage)


@pytest.mark.parametrize("chunk", [700, 1000, 2300, toys.N_SAMPLES])
def test_results_do_not_depend_on_chunks(chunk: int) -> None:
    expected = gather([plan_in(toys.N_SAMPLES)], summed=("sum",))
    found = gather([plan_in(chunk)], summed=("sum",))
    np.testing.assert_array_equal(found["sum"], expected["sum"])
    np.testing.assert_array_equal(found["row"], expected["row"])


def test_large_sums_are_merged_in_pairs_to_the_same_bits() -> None:
    expected = gather([plan_in(700)], summed=("sum",))
    found = gather([plan_in(700)], summed=("sum",), sum_bytes=1 << 30)
    np.testing.assert_array_equal(found["sum"], expected["sum"])
    np.testing.assert_array_equal(found["row"], expected["row"])
    for sum_bytes, most in ((0, 8), (1 << 30, 2)):
        merges = lazy_gather(plan_in(300), summed=("sum",), sum_bytes=sum_bytes).dask
        assert max(len(task.dependencies) for key, task in merges.items() if "merge" in str(key)) == most


def test_sums_are_joined_while_tiles_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many tiles in a chunk, no more sums are in memory than the tree has levels."""
    most = 0

    def counted(nodes: Any, **options: Any) -> Any:
        nonlocal most
        most = max(most, len(nodes))
        return grow(nodes, **options)

    monkeypatch.setattr(gather_module, "grow", counted)
    (whole,) = [lazy_gather(plan_in(toys.N_SAMPLES), summed=("sum",))]
    whole.compute(scheduler="synchronous")
    n_tiles = -(-toys.N_SAMPLES // 1000)
    assert n_tiles >= 6 and most <= 1 + int(np.log2(n_tiles)) < n_tiles


def test_tiles_without_rows_may_be_left_out() -> None:
    plan = plan_in(1500)
    expected = gather([plan], summed=("sum",))
    parts = tile_runs(plan, np.array([0, 1, 3, 4, 5]))
    assert [(part.start, part.stop) for part in parts] == [(0, 2000), (3000, toys.N_SAMPLES)]
    found = gather(parts, summed=("sum",))
    np.testing.assert_array_equal(found["sum"], expected["sum"])
    np.testing.assert_array_equal(found["row"], expected["row"])


def test_layers_are_named_after_what_they_hold() -> None:
    """A layer named after an address is lost when another one at the same address is merged with it."""
    parts = tile_runs(plan_in(1500), np.array([0, 1, 3, 4, 5]))
    merged = [lazy_gather(part, summed=("sum",)) for part in parts]
    names = [set(map(str, delayed.dask.layers)) for delayed in merged]
    assert not any(name.isdigit() for name in names[0] | names[1])
    assert len({name for name in names[0] ^ names[1] if name.startswith("gather-")}) == len(parts)


def test_no_tiles_give_empty_results() -> None:
    assert gather(tile_runs(plan_in(1000), np.zeros(0, int))) == {}


def test_only_plans_of_partials_can_be_gathered() -> None:
    with pytest.raises(ValueError, match="add a stage that emits partials"):
        lazy_gather(Plan(plan_in(1000).source, toys.RATE, 0, (1000,), 1000))


def test_large_arrays_are_joined_by_several_threads_in_order():
    """Every part is freed, and none lands in the place of another, however unequal the parts are."""
    rng = np.random.default_rng(0)
    lengths = [0, 5, 0, 70_000, 1, 400_000, 3, 0]
    parts = [{"row": rng.integers(0, 1 << 40, (n, 3))} for n in lengths]
    expected = np.concatenate([part["row"] for part in parts])
    with dask.config.set(num_workers=3):
        found = _filled(parts, "row")
    assert found.nbytes > 8 << 20
    np.testing.assert_array_equal(found, expected)
    assert all(part == {} for part in parts)
