"""The cost of the graph: the fused plan on Dask's threads against a hand-written thread pool over the same kernels.

    python benchmarks/graph.py [--quick]

Band-pass, median reference and local whitening of an int16 file; both sides read the same chunks with the same halo,
run the same kernels on the same tiles, and keep one number per channel and chunk. On a busy machine the rounds differ
more than the two sides do, so the cost is the fastest round of each side, in wall and in processor time. Last comes the
size of the graph of an hour.
"""

import argparse
import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from harness import our_chain, recording_on_disk, seconds, table, write_result

WORKERS = 2
BLOCK_ROWS = 512


@dataclass(frozen=True)
class Result:
    """Wall and processor seconds of both sides in each round."""

    duration_s: float
    n_channels: int
    n_chunks: int
    tasks_per_chunk: float
    fused_s: list[float]
    by_hand_s: list[float]
    fused_cpu_s: list[float]
    by_hand_cpu_s: list[float]
    same_bits: bool
    hour_tasks: int
    hour_build_s: float
    hour_pickle_bytes: int
    hour_slice_s: float

    @property
    def ratio(self) -> float:
        """Fused over hand-written, in wall time: median over the rounds."""
        return statistics.median(a / b for a, b in zip(self.fused_s, self.by_hand_s, strict=True))

    @property
    def fastest_ratio(self) -> float:
        """Ratio of the fastest rounds, in wall time."""
        return min(self.fused_s) / min(self.by_hand_s)

    @property
    def fastest_cpu_ratio(self) -> float:
        """Ratio of the rounds with the least processor time of all threads."""
        return min(self.fused_cpu_s) / min(self.by_hand_cpu_s)


def run(quick: bool = False) -> Result:
    """Time both in alternation; ``quick`` is small enough for a test."""
    from xephys.graph.build import count_tasks, plan_of

    duration_s, n_channels, rounds = (4.0, 32, 3) if quick else (24.0, 384, 11)
    with tempfile.TemporaryDirectory() as folder:
        recording, _ = recording_on_disk(Path(folder), duration_s=duration_s, n_channels=n_channels)
        chain = our_chain(recording)
        plan = plan_of(chain.data)
        assert fused(chain).tobytes()  # compiles
        same = bool(np.array_equal(fused(chain), by_hand(plan)))
        wall, cpu = in_turn(lambda: fused(chain), lambda: by_hand(plan), rounds=rounds)
        return Result(
            duration_s,
            n_channels,
            len(plan.chunks),
            count_tasks(chain) / len(plan.chunks),
            *wall,
            *cpu,
            same,
            *hour_graph(plan),
        )


def in_turn(*calls: Any, rounds: int) -> tuple[list[list[float]], list[list[float]]]:
    """Wall and processor seconds of each call in each round; every second round is in reversed order."""
    wall: list[list[float]] = [[] for _ in calls]
    cpu: list[list[float]] = [[] for _ in calls]
    for k in range(rounds):
        for i in range(len(calls))[:: -1 if k % 2 else 1]:
            began, spent = time.perf_counter(), time.process_time()
            calls[i]()
            wall[i].append(time.perf_counter() - began)
            cpu[i].append(time.process_time() - spent)
    return wall, cpu


def fused(chain: Any) -> Any:
    """Sums per chunk and channel through Dask: one task per chunk as before, and no traces to gather."""
    import dask

    data = chain.data
    sums = data.map_blocks(sum_rows, dtype=np.float64, chunks=((1,) * data.numblocks[0], data.chunks[1]))
    with dask.config.set({"optimization.fuse.active": False}):
        return sums.compute(scheduler="threads", num_workers=WORKERS)


def sum_rows(traces: Any) -> Any:
    return traces.sum(axis=0, dtype=np.float64, keepdims=True)


def by_hand(plan: Any) -> Any:
    """The same with a thread pool, using nothing of the graph layer but the kernels and their parameters."""
    from threadpoolctl import threadpool_limits

    source, tile = plan.source, plan.tile_samples
    n, width = source.n_samples, source.n_file_channels
    halos = [(s.before, s.after) for s in plan.stages]
    lead, tail = (sum(halo[side] for halo in halos) for side in (0, 1))
    calls = [(s.func, s.before, s.after, {**s.parameters, **s.arrays}) for s in plan.stages]
    last = len(calls)
    while last and calls[last - 1][1:3] == (0, 0):
        last -= 1

    def chunk(start: int, stop: int) -> Any:
        low, high = max(0, start - lead), min(n, stop + tail)
        offset = source.offset_bytes + low * width * source.dtype.itemsize
        block = np.fromfile(source.path, source.dtype, (high - low) * width, offset=offset).reshape(-1, width)
        out = np.empty((stop - start, width), np.float32)
        for first in range(start, stop, tile):
            final = min(first + tile, stop)
            traces = block[max(0, first - lead - low) : final + tail - low]
            missing = max(0, lead - first), max(0, final + tail - n)
            if any(missing):
                traces = np.pad(traces, (missing, (0, 0)), mode="edge")
            for func, before, after, keywords in calls[:last]:
                traces = func(traces, before=before, after=after, **keywords)
            for row in range(0, final - first, BLOCK_ROWS):
                part = traces[row : row + BLOCK_ROWS]
                for func, before, after, keywords in calls[last:]:
                    part = func(part, before=before, after=after, **keywords)
                out[first - start + row : first - start + row + len(part)] = part
        return sum_rows(out)

    edges = plan.starts.tolist()
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(WORKERS) as pool:
        return np.concatenate(list(pool.map(chunk, edges[:-1], edges[1:])))


def hour_graph(plan: Any) -> tuple[int, float, int, float]:
    """Tasks, seconds to build, pickled bytes and seconds to find the plan of a slice, for an hour of this width."""
    from dataclasses import replace

    import cloudpickle

    from xephys.graph.build import count_tasks, plan_of, to_dask
    from xephys.graph.plan import regular_chunks

    n = round(3600 * plan.sampling_frequency)
    source = replace(plan.source, n_samples=n)
    hour = replace(plan, source=source, chunks=regular_chunks(n, round(2 * plan.sampling_frequency)), stages=())

    def build() -> Any:
        longer = hour
        for stage in plan.stages:
            longer = longer.then(stage)
            array = to_dask(longer)
        return array

    array = build()
    build_s = statistics.median(seconds(build) for _ in range(5))
    slice_s = statistics.median(seconds(lambda: plan_of(array[10_000:-10_000, ::2])) for _ in range(3))
    return count_tasks(array), build_s, len(cloudpickle.dumps(array)), slice_s


def report(result: Result) -> tuple[str, ...]:
    rows = [
        ("tasks per chunk", f"{result.tasks_per_chunk:g}"),
        ("fused plan, median (fastest)", _seconds(result.fused_s)),
        ("thread pool by hand, median (fastest)", _seconds(result.by_hand_s)),
        ("fused over by hand, median of the rounds", f"{result.ratio:.3f}"),
        ("fused over by hand, fastest round of each", f"{result.fastest_ratio:.3f}"),
        ("fused over by hand, least processor time of each", f"{result.fastest_cpu_ratio:.3f}"),
        ("the same bits", "yes" if result.same_bits else "no"),
        ("graph of an hour: tasks", f"{result.hour_tasks:,}"),
        ("graph of an hour: built in", f"{1000 * result.hour_build_s:.1f} ms"),
        ("graph of an hour: pickled", f"{result.hour_pickle_bytes / 1000:.0f} kB"),
        ("plan of a slice of that hour found in", f"{1000 * result.hour_slice_s:.0f} ms"),
    ]
    return (
        "# What the graph costs",
        f"{result.n_channels} channels, {result.duration_s:g} s at 30 kHz in {result.n_chunks} chunks, {WORKERS} "
        f"threads; band-pass → median reference → local whitening; {len(result.fused_s)} rounds, one after the other.",
        table(["", ""], rows),
    )


def _seconds(times: list[float]) -> str:
    return f"{statistics.median(times):.3f} ({min(times):.3f}) s"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="32 channels, 4 s; writes no table")
    quick = parser.parse_args().quick
    parts = report(run(quick=quick))
    if quick:
        print("\n\n".join(parts))
    else:
        write_result("graph", *parts)


if __name__ == "__main__":
    main()
