"""Band-pass, median reference and local whitening of 384 channels, against SpikeInterface in the same run.

    python benchmarks/chain.py [--quick]

Both read the same int16 file in chunks, compute float32 and discard it; both have two cores. SpikeInterface runs
through its own chunk executor, with the pool and chunk length that were fastest on an excerpt; if that is a plain loop,
its matrix products may use all cores.
"""

import argparse
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from harness import (
    Job,
    cpu_seconds,
    in_turn,
    jobs,
    median_ratio,
    our_chain,
    recording_on_disk,
    seconds,
    table,
    their_chain,
    write_result,
)
from threadpoolctl import threadpool_limits


@dataclass(frozen=True)
class Result:
    """Seconds of work per second of recording; ``ratio`` is how many times faster we are, both at their best."""

    duration_s: float
    n_channels: int
    tried: list[tuple[Job, float]]
    ours_2: list[float]
    ours_1: list[float]
    theirs: list[float]
    theirs_1: list[float]
    cpu_s: tuple[float, float]
    difference: float

    @property
    def best(self) -> Job:
        return min(self.tried, key=lambda item: item[1])[0]

    @property
    def ratio(self) -> float:
        return median_ratio(self.theirs, self.ours_2)

    @property
    def ratio_1(self) -> float:
        return median_ratio(self.theirs_1, self.ours_1)


def run(quick: bool = False) -> Result:
    """Time both; ``quick`` is small enough for a test."""
    duration_s, n_channels, rounds = (2.0, 32, 1) if quick else (20.0, 384, 5)
    chunks_s = (1.0,) if quick else (0.2, 1.0, 4.0)
    with tempfile.TemporaryDirectory() as folder:
        recording, peer = recording_on_disk(
            Path(folder), duration_s=duration_s, n_channels=n_channels, slow_wave_uv=500.0, offset_uv=100.0
        )
        ours, theirs = our_chain(recording), their_chain(peer)
        excerpt = theirs.frame_slice(0, int(min(duration_s, 6.0) * theirs.sampling_frequency))
        compute_ours(ours, 2)  # compiles
        tried = [
            (job, seconds(lambda job=job: compute_theirs(excerpt, job)) / min(duration_s, 6.0))
            for job in jobs(chunks_s)
        ]
        best = min(tried, key=lambda item: item[1])[0]
        best_1 = min((item for item in tried if item[0].n_jobs == 1), key=lambda item: item[1])[0]
        times = in_turn(
            [
                lambda: compute_ours(ours, 2),
                lambda: compute_theirs(theirs, best),
                lambda: compute_ours(ours, 1),
                lambda: compute_theirs_on_one_thread(theirs, best_1),
            ],
            rounds=rounds,
        )
        cpu_s = tuple(
            cpu_seconds(call) / duration_s
            for call in (lambda: compute_ours(ours, 2), lambda: compute_theirs(theirs, best))
        )
        ours_2, theirs_2, ours_1, theirs_1 = ([t / duration_s for t in taken] for taken in times)
        return Result(
            duration_s, n_channels, tried, ours_2, ours_1, theirs_2, theirs_1, cpu_s, difference(ours, theirs)
        )


def compute_ours(chain: Any, n_workers: int) -> None:
    """Compute every chunk and discard it."""
    chain.data.map_blocks(_nothing, dtype=np.float32, chunks=((1,) * chain.data.numblocks[0], (1,))).compute(
        scheduler="threads", num_workers=n_workers
    )


def _nothing(block: Any) -> Any:
    return block[:1, :1].copy()


def compute_theirs(chain: Any, job: Job) -> None:
    """Compute every chunk and discard it."""
    from spikeinterface.core.job_tools import TimeSeriesChunkExecutor

    executor = TimeSeriesChunkExecutor(chain, _get_traces, _init_worker, (chain,), **job.keywords)
    executor.run()


def compute_theirs_on_one_thread(chain: Any, job: Job) -> None:
    with threadpool_limits(limits=1):
        compute_theirs(chain, job)


def _init_worker(recording: Any) -> dict[str, Any]:
    return {"recording": recording}


def _get_traces(segment_index: int, start_frame: int, end_frame: int, worker: dict[str, Any]) -> None:
    worker["recording"].get_traces(start_frame=start_frame, end_frame=end_frame, segment_index=segment_index)


def difference(ours: Any, theirs: Any) -> float:
    """Median over channels of the correlation of both results over half a second: shows that both do the same job."""
    rate = theirs.sampling_frequency
    first, last = int(0.5 * rate), int(1.0 * rate)
    a = ours.isel(time=slice(first, last)).values.astype(float)
    b = theirs.get_traces(start_frame=first, end_frame=last).astype(float)
    return float(np.median([np.corrcoef(a[:, k], b[:, k])[0, 1] for k in range(a.shape[1])]))


def report(result: Result) -> tuple[str, ...]:
    def ms(times: list[float]) -> str:
        return f"{1e3 * float(np.median(times)):.0f}"

    rows = [
        ("2 workers", ms(result.ours_2), f"{ms(result.theirs)} ({result.best})", f"**{result.ratio:.1f}**"),
        ("CPU time of these", *(f"{1e3 * s:.0f}" for s in result.cpu_s), f"{result.cpu_s[1] / result.cpu_s[0]:.1f}"),
        ("1 thread", ms(result.ours_1), ms(result.theirs_1), f"{result.ratio_1:.1f}"),
    ]
    tried = [(job, f"{1e3 * taken:.0f}") for job, taken in sorted(result.tried, key=lambda item: item[1])]
    return (
        "# Band-pass 300–6000 Hz → median reference → local whitening",
        f"{result.n_channels} channels, {result.duration_s:g} s at 30 kHz from an int16 file with ±500 µV slow waves; "
        f"milliseconds per second of recording, median of {len(result.ours_2)} rounds made in turn; the ratio is the "
        f"median of the rounds'. Both results correlate with {result.difference:.4f} (median over channels; the "
        "neighborhoods of the whitening differ).",
        table(["", "xephys", "SpikeInterface", "ratio"], rows),
        "What SpikeInterface was tried with, on six seconds:",
        table(["pool and chunks", "ms"], tried),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="32 channels, two seconds, one round; writes no table")
    quick = parser.parse_args().quick
    parts = report(run(quick=quick))
    if quick:
        print("\n\n".join(parts))
    else:
        write_result("chain", *parts)


if __name__ == "__main__":
    main()
