"""The benchmarks of the graph at small sizes, so that they stay alive; their tables hold the real figures."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    """Import a benchmark by name, from its folder."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(FOLDER)

    def imported(name: str) -> ModuleType:
        return import_module(name)

    yield imported
    for name in set(sys.modules) - before:
        file = getattr(sys.modules[name], "__file__", None)
        if file is not None and Path(file).parent == FOLDER:
            del sys.modules[name]


def test_the_fused_plan_does_the_work_of_a_pool_written_by_hand(benchmark):
    result = benchmark("graph").run(quick=True)
    assert result.same_bits
    assert result.tasks_per_chunk == 1
    # This catches the loss of a factor; the benchmark at full size measures the 5 %.
    assert result.fastest_ratio < 1.5
    assert result.hour_tasks == 1800
    assert result.hour_build_s < 1
    assert result.hour_pickle_bytes < 1e6
    assert result.hour_slice_s < 5


def test_a_look_at_ten_milliseconds_of_an_hour_reads_two_chunks_at_most(benchmark):
    result = benchmark("latency").run(quick=True)
    assert max(result.chunks) <= 2
    assert max(result.read_bytes) <= 2 * result.chunk_bytes
    assert min(result.looks_s) < 0.5
