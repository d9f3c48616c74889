"""Templates of 400 units on 1,018 channels from 300 waveforms each: memory, and time beside one read per spike.

``python benchmarks/unit_table.py`` writes half a minute of noise at 20 kHz (1.2 GB), measures all units as a batch does
(``xephys.pipeline``), and then reads some spikes one by one, filtered with a margin on both sides: what all of them
would take follows from these. CPU times of one process, whose peak of memory includes all that is imported.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from harness import table, write_result
from numpy.typing import NDArray

import xephys
from xephys.pipeline import SortingPipelineConfig
from xephys.pipeline.batch.units import RADIUS_UM, measure_units
from xephys.sorting import build_sorting

RATE_HZ, PITCH_UM, N_COLUMNS = 20_000.0, 17.5, 32
#: Filtered samples before and after a waveform that is read by itself, within which the filter settles.
MARGIN_MS, WAVEFORM_MS = 5.0, 2.0


class Result(NamedTuple):
    """Sizes, peak of memory, and CPU seconds: of all units in one pass, and of one read per spike."""

    n_units: int
    n_channels: int
    n_waveforms: int
    duration_s: float
    peak_bytes: int
    ours_s: float
    lazily_s: float
    plainly_s: float


def open_noise(folder: Path, *, duration_s: float, n_channels: int) -> xr.DataArray:
    """A raw file of noise on a square grid of contacts."""
    from probeinterface import Probe
    from probeinterface.io import write_probeinterface

    path, rng = folder / "noise.bin", np.random.default_rng(0)
    second = rng.normal(0, 10, (round(RATE_HZ), n_channels)).astype("<i2")
    with path.open("wb") as file:
        for _ in range(round(duration_s)):
            np.roll(second, int(rng.integers(len(second))), axis=0).tofile(file)
    probe = Probe(ndim=2)
    grid = np.stack(np.divmod(np.arange(n_channels), N_COLUMNS), axis=1) * PITCH_UM
    probe.set_contacts(grid, shapes="circle", shape_params={"radius": 5})
    probe.set_device_channel_indices(np.arange(n_channels))
    write_probeinterface(folder / "probe.json", probe)
    described = {
        "sampling_frequency": RATE_HZ, "n_channels": n_channels, "dtype": "int16", "gain_to_uv": 1.0,
        "offset_to_uv": 0.0, "probe": "probe.json",
    }  # fmt: skip
    path.with_suffix(".json").write_text(json.dumps(described), encoding="utf-8")
    return xephys.open_recording(path)


def _sorting(recording: xr.DataArray, samples: NDArray[Any], unit: NDArray[Any], n_units: int) -> xr.DataTree:
    return build_sorting(
        recording, spikes={"sample_index": samples, "unit_index": unit}, units={"label": np.full(n_units, "good")},
        unit_ids=np.arange(n_units), preset="noise",
    )  # fmt: skip


def run(*, quick: bool = False, n_reads: int = 150) -> Result:
    n_units, n_channels, n_each, duration_s = (20, 64, 30, 4.0) if quick else (400, 1018, 300, 30.0)
    with tempfile.TemporaryDirectory(prefix="xephys-bench-") as place:
        folder = Path(place)
        recording = open_noise(folder, duration_s=duration_s, n_channels=n_channels)
        n, rng = recording.sizes["time"], np.random.default_rng(1)
        samples = np.sort(rng.integers(200, n - 200, n_units * n_each))
        unit = rng.permutation(np.repeat(np.arange(n_units), n_each))
        config = SortingPipelineConfig.from_kwargs(max_waveforms_per_unit=n_each)
        early = samples < 2 * RATE_HZ
        start = recording.isel(time=slice(0, round(2 * RATE_HZ) + 200))
        measure_units(_sorting(start, samples[early], unit[early], n_units), start, config)  # compiles
        cpu = time.process_time()
        measure_units(_sorting(recording, samples, unit, n_units), recording, config)
        ours_s = time.process_time() - cpu
        peak_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        some = rng.choice(samples[(samples > 400) & (samples < n - 400)], n_reads, replace=False)
        raw = np.memmap(folder / "noise.bin", "<i2", "r").reshape(-1, n_channels)
        lazily_s, plainly_s = (
            taken / n_reads * len(samples) for taken in (_read_lazily(recording, some), _read_plainly(raw, some))
        )
    return Result(n_units, n_channels, n_each, duration_s, peak_bytes, ours_s, lazily_s, plainly_s)


def _read_lazily(recording: xr.DataArray, samples: NDArray[Any]) -> float:
    """CPU seconds of a compute per spike."""
    filtered = xephys.bandpass_filter(recording, freq_min_hz=300, freq_max_hz=6000)
    reach = round(WAVEFORM_MS * 1e-3 * RATE_HZ)
    filtered.isel(time=slice(0, 400)).compute()
    cpu = time.process_time()
    for sample in samples:
        filtered.isel(time=slice(sample - reach, sample + reach)).compute(scheduler="synchronous")
    return time.process_time() - cpu


def _read_plainly(raw: NDArray[Any], samples: NDArray[Any]) -> float:
    """CPU seconds of a slice of the file and a call of SciPy's filter per spike."""
    from scipy.signal import butter, sosfiltfilt

    sos = butter(5, (300, 6000), btype="bandpass", fs=RATE_HZ, output="sos")
    margin, reach = (round(ms * 1e-3 * RATE_HZ) for ms in (MARGIN_MS, WAVEFORM_MS))
    cpu = time.process_time()
    for sample in samples:
        part = raw[sample - reach - margin : sample + reach + margin].astype(np.float32)
        sosfiltfilt(sos, part, axis=0)[margin:-margin]
    return time.process_time() - cpu


def report(result: Result) -> tuple[str, ...]:
    rows = [
        ("templates and spreads of all units", f"{result.ours_s:.0f}", ""),
        ("a slice of the file and SciPy's filter per spike", f"{result.plainly_s:.0f}", result.plainly_s),
        ("a lazy slice per spike", f"{result.lazily_s:.0f}", result.lazily_s),
    ]
    return (
        "# Many units on many channels",
        f"{result.n_units} units with {result.n_waveforms} waveforms each, {result.n_channels:,} channels in a grid "
        f"of {PITCH_UM:g} µm, {result.duration_s:g} s at 20 kHz: noise, with spikes at random times. Each unit is "
        f"averaged within {RADIUS_UM:g} µm, and all of them are read twice, since noise moves their extrema. The "
        f"largest resident memory of the process was **{result.peak_bytes / 2**30:.2f} GiB**.",
        table(
            ["", "CPU s", "ratio"],
            [(name, taken, f"**{of / result.ours_s:.0f}**" if of else "") for name, taken, of in rows],
        ),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="20 units on 64 channels; writes no table")
    quick = parser.parse_args().quick
    parts = report(run(quick=quick))
    if quick:
        print("\n\n".join(parts))
    else:
        write_result("unit_table", *parts)


if __name__ == "__main__":
    main()
