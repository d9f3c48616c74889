"""Small recordings as files of wells, and a back-end that takes no time: the peaks of each channel are its unit."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from probeinterface import generate_linear_probe
from probeinterface.io import write_probeinterface

import xephys
from xephys.pipeline import BatchResults, SorterBackend, add_backend
from xephys.pipeline.failures import Failure
from xephys.recording.segments import segments_of
from xephys.testing import simulate_recording

N_CHANNELS, RATE, DURATION_S = 8, 30_000.0, 2.0
#: Configuration fields for tests: nothing of this machine is looked at, and units of two seconds are kept.
QUICK: dict[str, Any] = {
    "sorter": "by_channel", "preflight": False, "spikes_min_first": 5, "spikes_min_second": 5, "snr_min": 3.0,
    "isi_viol_max": None, "host_ram_watchdog": False, "host_ram_poll_interval_s": 0.05, "disk_watchdog": False,
}  # fmt: skip


@add_backend
class ByChannel(SorterBackend):
    """Crossings of ``threshold_uv``, one unit per channel that has any. Counts how often it runs."""

    name = "by_channel"
    runs = 0

    def sort(self, recording: Any, *args: Any, progress: Any = False, **kwargs: Any) -> xr.DataTree:
        type(self).runs += 1
        threshold = float(self.parameters.get("threshold_uv", 30.0))
        samples, channels, numbers = [], [], []
        for number, segment in enumerate(segments_of(recording)):
            filtered = xephys.bandpass_filter(xephys.to_uv(segment), freq_min_hz=300, freq_max_hz=6000)
            noise = xr.DataArray(np.ones(segment.sizes["channel"]), dims="channel")
            peaks = xephys.detect_peaks(filtered, noise_levels=noise, detect_threshold=threshold).compute()
            samples.append(np.asarray(peaks["sample_index"]))
            channels.append(np.asarray(peaks["channel_index"]))
            numbers.append(np.full(len(samples[-1]), number))
            progress("detect", number + 1, number + 1)
        found, index = np.unique(np.concatenate(channels), return_inverse=True)
        return xephys.sorting.build_sorting(
            recording,
            spikes={
                "sample_index": np.concatenate(samples),
                "unit_index": index,
                "segment_index": np.concatenate(numbers),
            },
            units={"label": np.full(len(found), "good"), "channel_index": found},
            unit_ids=found,
        )


def write_raw(traces: np.ndarray[Any, Any], path: Path, *, gain_to_uv: float) -> Path:
    """Traces as a raw file with its description beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    traces.astype("<i2").tofile(path)
    described = {
        "sampling_frequency": RATE, "n_channels": traces.shape[1], "dtype": "int16", "gain_to_uv": gain_to_uv,
        "offset_to_uv": 0.0, "probe": "../probe.json",
    }  # fmt: skip
    path.with_suffix(".json").write_text(json.dumps(described), encoding="utf-8")
    return path


def write_plate(path: Path, wells: dict[str, Any], *, gain_to_uv: float) -> None:
    """Wells of a plate in MaxWell's format, without compression; its samples have no sign."""
    h5py = pytest.importorskip("h5py")
    path.parent.mkdir(exist_ok=True)
    with h5py.File(path, "w") as file:
        file["version"], file["mxw_version"] = np.array([b"20190530"]), np.array([b"22.1"])
        for name, counts in wells.items():
            n = counts.shape[1]
            well = file.create_group(f"wells/{name}/rec0000")
            for key, value in (("sampling", RATE), ("lsb", gain_to_uv * 1e-6), ("gain", 512.0), ("hpf", 1.0)):
                well[f"settings/{key}"] = np.array([value])
            kinds = [("channel", "<i4"), ("electrode", "<i4"), ("x", "<f8"), ("y", "<f8")]
            mapping = np.zeros(n, kinds)
            mapping["channel"], mapping["electrode"], mapping["y"] = (
                np.arange(n),
                100 + np.arange(n),
                20.0 * np.arange(n),
            )
            well["settings/mapping"] = mapping
            well["groups/routed/raw"] = (counts.T.astype(np.int64) + 32_768).clip(0, 65_535).astype(np.uint16)
            well["groups/routed/channels"], well["groups/routed/frame_nos"] = np.arange(n), np.arange(len(counts))


def silent(counts: Any) -> Any:
    return np.random.default_rng(0).normal(0, 3, counts.shape).round()


def saturated(counts: Any) -> Any:
    return np.sign(np.random.default_rng(0).normal(size=counts.shape)) * 32_000


def truncate(folder: Path, name: str) -> None:
    path = folder / name
    os.truncate(path, path.stat().st_size - 3)


def spikes_of(results: BatchResults) -> list[Any]:
    """Samples by unit, of units that have spikes; None for a recording that failed."""
    data = [None if result.failure else result.spike_data for result in results]
    return [
        one and {unit: train.tolist() for unit, train in zip(one.unit_ids, one.samples, strict=True) if len(train)}
        for one in data
    ]


def failure(result: Any) -> Failure:
    assert result.failure is not None
    return result.failure


@pytest.fixture(scope="session")
def traces() -> Callable[[int], tuple[Any, float]]:
    """A function that returns counts and gain of a simulated recording by its seed; the units are the same ones."""
    recording, _ = simulate_recording(duration_s=3 * DURATION_S, n_channels=N_CHANNELS, n_units=3, seed=0)
    counts, gain = recording.values, float(recording.coords["gain_to_uv"].values[0])
    n = int(DURATION_S * RATE)

    def of(number: int) -> tuple[Any, float]:
        return counts[number * n : (number + 1) * n], gain

    return of


@pytest.fixture
def write_wells(tmp_path: Path, traces: Callable[[int], tuple[Any, float]]) -> Callable[..., list[Path]]:
    """A function that writes folders of three files each: ``spoil[well, file]`` changes the traces of one."""

    def write(n_wells: int = 1, spoil: dict[tuple[int, int], Callable[[Any], Any]] | None = None) -> list[Path]:
        place = tmp_path / "data"
        place.mkdir(exist_ok=True)
        probe = generate_linear_probe(N_CHANNELS, ypitch=20.0)
        probe.set_device_channel_indices(np.arange(N_CHANNELS))
        write_probeinterface(place / "probe.json", probe)
        for well in range(n_wells):
            for file in range(3):
                counts, gain = traces(file)
                changed = (spoil or {}).get((well, file), lambda values: values)(counts.copy())
                write_raw(changed, place / f"well{well}" / f"file{file}.bin", gain_to_uv=gain)
        return [place / f"well{well}" for well in range(n_wells)]

    return write
