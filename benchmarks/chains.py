"""Two chains of preprocessing, six and eight steps long, against SpikeInterface in the same run.

    python benchmarks/chains.py [--quick]

As in ``chain.py``, both read the same int16 file in chunks, compute float32 and discard it, and SpikeInterface runs
with
the pool and chunk length that were fastest on an excerpt. Estimates (statistics, whitening) are not timed.
"""

import argparse
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from chain import compute_ours, compute_theirs, difference
from harness import Job, cpu_seconds, in_turn, jobs, median_ratio, recording_on_disk, seconds, table, write_result


class Chain(NamedTuple):
    """The same steps in xephys and in SpikeInterface."""

    steps: str
    ours: Callable[[Any], Any]
    theirs: Callable[[Any], Any]


@dataclass(frozen=True)
class Result:
    """Seconds of work per second of recording, for one chain."""

    tasks_per_chunk: float
    best: Job
    ours: list[float]
    theirs: list[float]
    cpu_s: tuple[float, float]
    difference: float

    @property
    def ratio(self) -> float:
        return median_ratio(self.theirs, self.ours)


#: The channel that is interpolated, and how many channels are mirrored at the ends of the probe.
BAD, N_PAD = 5, 20


def our_destriping(recording: Any) -> Any:
    import xephys

    shifted = xephys.phase_shift(xephys.highpass_filter(xephys.to_uv(recording), freq_min_hz=300.0, order=3))
    mended = xephys.interpolate_bad_channels(shifted, shifted.channel.values == BAD)
    flat = xephys.highpass_spatial_filter(mended, gain_window_s=None, n_channel_pad=N_PAD)
    return xephys.whiten(flat, whitening=xephys.estimate_whitening(flat, mode="local", n_nearest=32))


def their_destriping(recording: Any) -> Any:
    import spikeinterface.preprocessing as steps

    filtered = steps.highpass_filter(steps.scale_to_uV(recording), 300.0, filter_order=3, dtype="float32")
    mended = steps.interpolate_bad_channels(steps.phase_shift(filtered), [BAD])
    flat = steps.highpass_spatial_filter(mended, apply_agc=False, n_channel_pad=N_PAD)
    return steps.whiten(flat, mode="local", radius_um=160.0, dtype="float32", seed=0)


def our_scaling(recording: Any) -> Any:
    import xephys

    scaled = xephys.to_uv(recording)
    centered = xephys.center(scaled, statistics=xephys.estimate_statistics(scaled))
    notched = xephys.notch_filter(centered, freq_hz=3000.0, quality=30.0)
    filtered = xephys.bandpass_filter(notched, freq_min_hz=300.0, freq_max_hz=6000.0)
    blanked = xephys.blank_saturation(filtered, threshold=400.0)
    referenced = xephys.common_reference(blanked)
    scored = xephys.zscore(referenced, statistics=xephys.estimate_statistics(referenced))
    return xephys.clip(scored, low=-50.0, high=50.0)


def their_scaling(recording: Any) -> Any:
    import spikeinterface.preprocessing as steps

    centered = steps.center(steps.scale_to_uV(recording), seed=0)
    filtered = steps.bandpass_filter(steps.notch_filter(centered, 3000.0, 30.0), 300.0, 6000.0)
    blanked = steps.blank_saturation(filtered, abs_threshold=400.0, direction="both", fill_value=0.0)
    return steps.clip(steps.zscore(steps.common_reference(blanked), seed=0), -50.0, 50.0)


CHAINS = {
    "destriping": Chain(
        "to µV → high-pass 300 Hz → phase shift → interpolation of a bad channel → spatial high-pass → local whitening",
        our_destriping,
        their_destriping,
    ),
    "scaling": Chain(
        "to µV → centering → notch 3 kHz → band-pass 300–6000 Hz → blanking of saturation → median reference → z-score "
        "→ clipping",
        our_scaling,
        their_scaling,
    ),
}


def run(quick: bool = False) -> tuple[dict[str, Result], float, int]:
    """Time both chains; ``quick`` is small enough for a test."""
    duration_s, n_channels, rounds = (1.0, 32, 1) if quick else (10.0, 128, 3)
    with tempfile.TemporaryDirectory() as folder:
        recording, peer = recording_on_disk(
            Path(folder), duration_s=duration_s, n_channels=n_channels, slow_wave_uv=500.0, inter_sample_shift=True
        )
        return {name: _result(chain, recording, peer, rounds) for name, chain in CHAINS.items()}, duration_s, n_channels


def _result(chain: Chain, recording: Any, peer: Any, rounds: int) -> Result:
    import xephys

    ours, theirs = chain.ours(recording), chain.theirs(peer)
    length_s = peer.get_total_duration()
    excerpt = theirs.frame_slice(0, int(min(length_s, 3.0) * theirs.sampling_frequency))
    compute_ours(ours, 2)  # compiles
    tried = [
        (seconds(lambda job=job: compute_theirs(excerpt, job)), job)
        for job in jobs((1.0,) if rounds == 1 else (0.5, 2.0))
    ]
    best = min(tried, key=lambda item: item[0])[1]
    calls = [lambda: compute_ours(ours, 2), lambda: compute_theirs(theirs, best)]
    times = [[each / length_s for each in taken] for taken in in_turn(calls, rounds=rounds)]
    cpu_s = (cpu_seconds(calls[0]) / length_s, cpu_seconds(calls[1]) / length_s)
    tasks = float(xephys.describe(ours).tasks_per_chunk)
    return Result(tasks, best, *times, cpu_s, difference(ours, theirs))


def report(results: dict[str, Result], duration_s: float, n_channels: int) -> tuple[str, ...]:
    rows = [
        (
            name,
            f"{1e3 * sorted(r.ours)[len(r.ours) // 2]:.0f}",
            f"{1e3 * sorted(r.theirs)[len(r.theirs) // 2]:.0f} ({r.best})",
            f"**{r.ratio:.1f}**",
            f"{1e3 * r.cpu_s[0]:.0f}",
            f"{1e3 * r.cpu_s[1]:.0f}",
            f"{r.cpu_s[1] / r.cpu_s[0]:.1f}",
            f"{r.tasks_per_chunk:g}",
            f"{r.difference:.4f}",
        )
        for name, r in results.items()
    ]
    headings = [
        "chain",
        "xephys",
        "SpikeInterface",
        "ratio",
        "CPU",
        "CPU there",
        "ratio of CPU",
        "tasks a chunk",
        "correlation",
    ]
    return (
        "# Two chains of six and eight steps",
        f"{n_channels} channels, {duration_s:g} s at 30 kHz from an int16 file; milliseconds per second of recording, "
        f"two workers on both sides, median of {len(next(iter(results.values())).ours)} rounds made in turn; the "
        "correlation of both results is the median over channels (neighborhoods of the whitening differ).",
        table(headings, rows),
        "\n".join(f"- *{name}*: {chain.steps}." for name, chain in CHAINS.items()),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="32 channels, one round; writes no table")
    quick = parser.parse_args().quick
    parts = report(*run(quick=quick))
    if quick:
        print("\n\n".join(parts))
    else:
        write_result("chains", *parts)


if __name__ == "__main__":
    main()
