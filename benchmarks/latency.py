"""How long it takes to look at 10 ms of a preprocessed hour, and how much of the recording is read.

    python benchmarks/latency.py [--quick]

A sparse file stands for an hour of 384 channels: noise where it is looked at, holes elsewhere. The four stages are
phase shift, band-pass, median reference and local whitening.
"""

import argparse
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from harness import BAND_HZ, ORDER, seconds, table, write_result

RATE = 30_000


@dataclass(frozen=True)
class Result:
    """Seconds of each look, and the chunks and bytes that it reads."""

    duration_s: float
    n_channels: int
    first_s: float
    looks_s: list[float]
    chunks: list[int]
    read_bytes: list[int]
    chunk_bytes: int


def run(quick: bool = False) -> Result:
    """Look at 10 ms in several places; ``quick`` uses 32 channels."""
    import xephys

    duration_s, n_channels, n_looks = (3600.0, 32, 3) if quick else (3600.0, 384, 12)
    with tempfile.TemporaryDirectory() as folder:
        # Excerpts of 10 ms with arbitrary starts; the last crosses a border between two chunks.
        starts_s = [*np.linspace(20, duration_s - 20, n_looks - 1).tolist(), 1799.995]
        path = sparse_recording(Path(folder), duration_s=duration_s, n_channels=n_channels, starts_s=starts_s)
        chain = four_stages(opened(path, n_channels))
        parts = [xephys.time_slice(chain, start, start + 0.01) for start in starts_s]
        first_s = seconds(lambda: parts[0].compute())  # compiles
        looks_s = [seconds(lambda part=part: part.compute()) for part in parts]
        reads = [bytes_read(part, n_channels) for part in parts]
        chunks = [part.data.numblocks[0] for part in parts]
        return Result(duration_s, n_channels, first_s, looks_s, chunks, reads, 2 * RATE * n_channels * 2)


def sparse_recording(folder: Path, *, duration_s: float, n_channels: int, starts_s: list[float]) -> Path:
    """An int16 file with noise in its first eight seconds, for the estimates, and in two seconds around each place."""
    path = folder / "hour.bin"
    noise = np.random.default_rng(0).normal(0, 40, (8 * RATE, n_channels)).astype("int16")
    with path.open("wb") as file:
        file.write(noise.tobytes())
        for start_s in starts_s:
            file.seek(round((start_s - 2) * RATE) * n_channels * 2)
            file.write(noise[: 4 * RATE].tobytes())
        file.truncate(round(duration_s * RATE) * n_channels * 2)
    return path


def opened(path: Path, n_channels: int) -> Any:
    import xephys

    recording = xephys.open_recording(
        path, n_channels=n_channels, sampling_frequency=RATE, dtype="int16", gain_to_uv=0.195
    )
    row = np.arange(n_channels)
    return recording.assign_coords(
        x=("channel", (row % 2) * 32.0),
        y=("channel", (row // 2) * 20.0),
        inter_sample_shift=("channel", (row % 12) / 13),
    )


def four_stages(recording: Any) -> Any:
    """Phase shift, band-pass, median reference and local whitening, estimated from the first eight seconds."""
    import xephys

    def referenced(part: Any) -> Any:
        filtered = xephys.bandpass_filter(
            xephys.phase_shift(part), freq_min_hz=BAND_HZ[0], freq_max_hz=BAND_HZ[1], order=ORDER
        )
        return xephys.common_reference(filtered)

    whitening = xephys.estimate_whitening(referenced(xephys.time_slice(recording, 0, 8)))
    return xephys.whiten(referenced(recording), whitening=whitening)


def bytes_read(part: Any, n_channels: int) -> int:
    """Bytes read from the file to compute a part, counted where the source is read."""
    from xephys.graph.source import BinarySource

    counted = 0
    read = BinarySource.read

    def counting(self: Any, start: int, stop: int, **options: Any) -> Any:
        nonlocal counted
        counted += (stop - start) * n_channels * 2
        return read(self, start, stop, **options)

    BinarySource.read = counting  # type: ignore[method-assign]
    try:
        part.compute()
    finally:
        BinarySource.read = read  # type: ignore[method-assign]
    return counted


def report(result: Result) -> tuple[str, ...]:
    rows = [
        ("10 ms, median of the looks", f"{median(result.looks_s):.3f} s"),
        ("10 ms, slowest look", f"{max(result.looks_s):.3f} s"),
        ("the very first one, kernels loaded or compiled", f"{result.first_s:.2f} s"),
        ("chunks touched, at most", max(result.chunks)),
        ("read from the file, at most", f"{max(result.read_bytes) / result.chunk_bytes:.2f} chunks"),
    ]
    return (
        "# Looking at 10 ms of an hour",
        f"{result.n_channels} channels, {result.duration_s:g} s at 30 kHz, chunks of 2 s; phase shift → band-pass → "
        f"median reference → local whitening; {len(result.looks_s)} places, one of them across a chunk border.",
        table(["", ""], rows),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="32 channels; writes no table")
    quick = parser.parse_args().quick
    parts = report(run(quick=quick))
    if quick:
        print("\n\n".join(parts))
    else:
        write_result("latency", *parts)


if __name__ == "__main__":
    main()
