"""Detection and localization on the preprocessing chain of 384 channels, against SpikeInterface in the same run.

    python benchmarks/detection.py [--quick]

Raw samples in, a table of located peaks out: band-pass, median reference, local whitening, locally exclusive peaks,
center of mass. Ours is one lazy table with one task per chunk; SpikeInterface runs its node pipeline with the pool and
chunk length that were fastest on an excerpt.
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

THRESHOLD = 5.0
SWEEP_MS = 1.0
DETECTION_RADIUS_UM = 50.0
LOCALIZATION_RADIUS_UM = 75.0
WINDOW_MS = 0.5


@dataclass(frozen=True)
class Result:
    """Seconds of work per second of recording; ``same`` is the share of our peaks that SpikeInterface finds as well."""

    duration_s: float
    n_channels: int
    tried: list[tuple[Job, float]]
    ours: list[float]
    theirs: list[float]
    cpu_s: tuple[float, float]
    n_ours: int
    n_theirs: int
    same: float
    distance_um: float

    @property
    def best(self) -> Job:
        return min(self.tried, key=lambda item: item[1])[0]

    @property
    def ratio(self) -> float:
        return median_ratio(self.theirs, self.ours)


def run(quick: bool = False) -> Result:
    """Time both; ``quick`` is small enough for a test."""
    duration_s, n_channels, rounds = (2.0, 32, 1) if quick else (20.0, 384, 5)
    chunks_s = (1.0,) if quick else (0.2, 1.0, 4.0)
    with tempfile.TemporaryDirectory() as folder:
        recording, peer = recording_on_disk(Path(folder), duration_s=duration_s, n_channels=n_channels)
        ours = our_peaks(our_chain(recording))
        theirs = their_chain(peer)
        levels = their_noise_levels(theirs)
        mine = compute_ours(ours)  # compiles
        excerpt_s = min(duration_s, 6.0)
        excerpt = theirs.frame_slice(0, int(excerpt_s * theirs.sampling_frequency))
        compute_theirs(excerpt, levels, Job("thread", 1, 1.0))  # compiles
        tried = [
            (job, seconds(lambda job=job: compute_theirs(excerpt, levels, job)) / excerpt_s) for job in jobs(chunks_s)
        ]
        best = min(tried, key=lambda item: item[1])[0]
        times = in_turn([lambda: compute_ours(ours), lambda: compute_theirs(theirs, levels, best)], rounds=rounds)
        cpu_s = tuple(
            cpu_seconds(call) / duration_s
            for call in (lambda: compute_ours(ours), lambda: compute_theirs(theirs, levels, best))
        )
        peaks, locations = compute_theirs(theirs, levels, best)
        same, distance_um = agreement(mine, peaks, locations)
        per_second = [[t / duration_s for t in taken] for taken in times]
        return Result(duration_s, n_channels, tried, *per_second, cpu_s, len(mine), len(peaks), same, distance_um)


def our_peaks(chain: Any) -> Any:
    """The lazy table of located peaks."""
    import xephys

    peaks = xephys.detect_peaks(
        chain,
        noise_levels=xephys.estimate_noise_levels(chain),
        method="locally_exclusive",
        detect_threshold=THRESHOLD,
        peak_sign="neg",
        exclude_sweep_ms=SWEEP_MS,
        radius_um=DETECTION_RADIUS_UM,
    )
    return xephys.localize_peaks(
        chain,
        peaks,
        method="center_of_mass",
        radius_um=LOCALIZATION_RADIUS_UM,
        ms_before=WINDOW_MS,
        ms_after=WINDOW_MS,
    )


def compute_ours(peaks: Any) -> Any:
    return peaks.compute(scheduler="threads", num_workers=2)


def their_noise_levels(chain: Any) -> Any:
    from spikeinterface import get_noise_levels

    return get_noise_levels(chain, return_in_uV=False, random_slices_kwargs={"seed": 0}, progress_bar=False)


def compute_theirs(chain: Any, levels: Any, job: Job) -> Any:
    """Peaks and locations of SpikeInterface's node pipeline."""
    from spikeinterface.core.node_pipeline import run_node_pipeline
    from spikeinterface.sortingcomponents.peak_detection.locally_exclusive import LocallyExclusivePeakDetector
    from spikeinterface.sortingcomponents.peak_localization.main import get_localization_pipeline_nodes

    detector = LocallyExclusivePeakDetector(
        chain,
        peak_sign="neg",
        detect_threshold=THRESHOLD,
        exclude_sweep_ms=SWEEP_MS,
        radius_um=DETECTION_RADIUS_UM,
        noise_levels=levels,
    )
    nodes = get_localization_pipeline_nodes(
        chain,
        detector,
        method="center_of_mass",
        method_kwargs={"radius_um": LOCALIZATION_RADIUS_UM, "feature": "ptp"},
        ms_before=WINDOW_MS,
        ms_after=WINDOW_MS,
    )
    return run_node_pipeline(chain, nodes, job.keywords, job_name="detection", squeeze_output=True)


def agreement(mine: Any, peaks: Any, locations: Any) -> tuple[float, float]:
    """Share of our peaks that they have within 0.1 ms and one neighboring channel, and the median distance in µm."""
    window, found, distances = 3, 0, []
    samples = peaks["sample_index"]
    first = np.searchsorted(samples, mine["sample_index"] - window)
    last = np.searchsorted(samples, mine["sample_index"] + window, side="right")
    for record, lo, hi in zip(mine, first, last, strict=True):
        apart = np.hypot(locations["x"][lo:hi] - record["x"], locations["y"][lo:hi] - record["y"])
        if apart.size and apart.min() < DETECTION_RADIUS_UM:
            found += 1
            distances.append(apart.min())
    return found / max(1, len(mine)), float(np.median(distances)) if distances else float("nan")


def report(result: Result) -> tuple[str, ...]:
    def ms(times: list[float]) -> str:
        return f"{1e3 * float(np.median(times)):.0f}"

    cpu = [f"{1e3 * s:.0f}" for s in result.cpu_s]
    rows = [
        ("2 workers", ms(result.ours), f"{ms(result.theirs)} ({result.best})", f"**{result.ratio:.1f}**"),
        ("CPU time of these", *cpu, f"{result.cpu_s[1] / result.cpu_s[0]:.1f}"),
    ]
    tried = [(job, f"{1e3 * taken:.0f}") for job, taken in sorted(result.tried, key=lambda item: item[1])]
    return (
        "# Detection and localization on the chain",
        f"{result.n_channels} channels, {result.duration_s:g} s at 30 kHz from an int16 file; band-pass, median "
        f"reference, local whitening, locally exclusive peaks (5 × noise, 1 ms, 50 µm), center of mass (75 µm, "
        f"±0.5 ms); milliseconds per second of recording, median of {len(result.ours)} rounds made in turn.",
        table(["", "xephys", "SpikeInterface", "ratio"], rows),
        f"xephys finds {result.n_ours:,} peaks and SpikeInterface {result.n_theirs:,}; {100 * result.same:.1f} % of "
        f"ours are also theirs, {result.distance_um:.2f} µm apart in the median.",
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
        write_result("detection", *parts)


if __name__ == "__main__":
    main()
