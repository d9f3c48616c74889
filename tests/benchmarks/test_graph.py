"""The benchmarks of the graph at small sizes, so that they stay alive; their tables hold the real figures."""

from __future__ import annotations

from statistics import median


def test_the_fused_plan_does_the_work_of_a_pool_written_by_hand(load):
    result = load("graph").run(quick=True)
    assert result.same_bits
    assert result.tasks_per_chunk == 1
    # This catches the loss of a factor; the benchmark at full size measures the 5 %.
    assert result.fastest_cpu_ratio < 1.5
    assert result.hour_tasks == 1800
    assert result.hour_build_s < 1
    assert result.hour_pickle_bytes < 1e6
    assert result.hour_slice_s < 5


def test_looking_reads_two_chunks_at_most_and_takes_less_than_half_a_second(load):
    """A look at ten milliseconds of an hour."""
    latency = load("latency")
    result = latency.run(quick=True)
    assert max(result.chunks) <= 2
    assert max(result.read_bytes) <= 2 * result.chunk_bytes
    assert median(result.looks_s) < 0.5
    assert "10 ms" in "".join(latency.report(result))
