"""Peak memory of ``xephys sort`` on 384 channels: five minutes against one.

    python benchmarks/memory.py [--quick] [--folder DIR]

The five minutes (7 GB, removed afterwards) are simulated straight to disk in a process of their own; the one minute is
their beginning. Only the stored spikes may grow with the recording, so the growth is given per spike.
"""

import argparse
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import Process, run_process, table, write_result, xephys_command

LIMIT_BYTES = 2 * 2**30


@dataclass(frozen=True)
class Run:
    """One sort: its cost and its result."""

    duration_s: float
    process: Process
    n_spikes: int
    n_units: int


@dataclass(frozen=True)
class Result:
    """Sorts of the beginning and of the whole recording."""

    n_channels: int
    runs: list[Run]

    @property
    def growth_per_spike(self) -> float:
        """Additional bytes of peak memory per additional spike."""
        short, long = self.runs
        return (long.process.peak_bytes - short.process.peak_bytes) / max(1, long.n_spikes - short.n_spikes)


def run(quick: bool = False, folder: Path | None = None) -> Result:
    """Sort both lengths; ``quick`` uses 16 channels, 6 and 12 seconds."""
    n_channels, durations_s = (16, (6.0, 12.0)) if quick else (384, (60.0, 300.0))
    with tempfile.TemporaryDirectory(dir=folder) as name:
        place = Path(name)
        long = simulated(place, duration_s=durations_s[1], n_channels=n_channels)
        runs = [sorted_run(beginning(long, place, durations_s[0]), place, durations_s[0])]
        shutil.rmtree(place / "short")
        runs.append(sorted_run(long, place, durations_s[1]))
    return Result(n_channels, runs)


def simulated(place: Path, *, duration_s: float, n_channels: int) -> Path:
    """A recording with one unit for every three channels, made by a process that ends before the sorts are measured."""
    out = place / "long"
    options = ["--duration-s", duration_s, "--n-channels", n_channels, "--n-units", max(2, n_channels // 3)]
    run_process(xephys_command("simulate", "--out", out, *options))
    return out / "recording"


def beginning(recording: Path, place: Path, duration_s: float) -> Path:
    """The first seconds of a recording, saved beside it."""
    from xephys import open_recording, save_recording, time_slice

    short = place / "short" / "recording"
    save_recording(time_slice(open_recording(recording), 0.0, duration_s), short, format="binary")
    return short


def sorted_run(recording: Path, place: Path, duration_s: float) -> Run:
    from xephys import open_sorting

    out = place / f"sorted-{duration_s:g}"
    # The white traces of the shorter recording alone would fit in memory, and the two sorts would not be comparable.
    process = run_process(xephys_command("sort", recording, "--out", out, "--cache", "disk"))
    sorting: Any = open_sorting(out / "sorting.zarr")
    return Run(duration_s, process, sorting["spikes"].sizes["spike"], sorting["units"].sizes["unit"])


def report(result: Result) -> tuple[str, ...]:
    rows = [
        (
            f"{r.duration_s:g} s",
            f"{r.process.peak_bytes / 2**30:.2f} GiB",
            f"{r.n_spikes:,}",
            r.n_units,
            f"{r.process.wall_s:.0f} s",
            f"{r.process.cpu_s:.0f} s",
        )
        for r in result.runs
    ]
    raw = result.n_channels * 30_000 * 2 * result.runs[1].duration_s / 2**30
    return (
        "# Peak memory of `xephys sort`",
        f"{result.n_channels} channels at 30 kHz, int16 on disk ({raw:.1f} GiB for the longer), two cores, default "
        "chunks of 2 s, white traces on disk; resident memory of the whole process as the system counts it. "
        "Limit: 2 GiB.",
        table(["recording", "peak", "spikes", "units", "wall", "CPU"], rows),
        f"Growth: {result.growth_per_spike:.0f} bytes per spike more.",
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="16 channels, 6 and 12 seconds; writes no table")
    parser.add_argument("--folder", type=Path, help="where 16 GB are free; the system's temporary folder if absent")
    options = parser.parse_args()
    parts = report(run(quick=options.quick, folder=options.folder))
    if options.quick:
        print("\n\n".join(parts))
    else:
        write_result("memory", *parts)


if __name__ == "__main__":
    main()
