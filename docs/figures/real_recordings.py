"""The four real recordings of ``docs/how_good_is_it.md``, opened where they lie, and the figures of what was found.

The recordings are not part of the repository (their licences do not allow it). Run with the folder that holds them:

    python docs/figures/real_recordings.py ../shared/data

Figures show averages and counts only, never samples.
"""

from __future__ import annotations

import gzip
import sys
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from scipy.signal import butter, sosfiltfilt
from scipy.signal.windows import tukey
from spikeinterface import NumpySorting

import xephys
from xephys.plot.canvas.style import FAINT, INK, MUTED, paper_style, unit_color
from xephys.schema import make_recording

HERE = Path(__file__).parent
#: Contacts of a tetrode: neither of the two files stores them, and all that matters is that each sees the others.
TETRODE_UM = np.array([[0.0, 0.0], [25.0, 0.0], [0.0, 25.0], [25.0, 25.0]])


def tetrode_recording(traces: np.ndarray, sampling_frequency: float) -> xr.DataArray:
    """Four channels at the corners of a square of 25 µm, at most two seconds a chunk."""
    lazy = xr.DataArray(traces, dims=("time", "channel")).chunk(time=round(2 * sampling_frequency), channel=-1).data
    coordinates = {"x": TETRODE_UM[:, 0], "y": TETRODE_UM[:, 1]}
    return make_recording(lazy, sampling_frequency=sampling_frequency, coordinates=coordinates)


def open_locust(data: Path) -> xr.DataArray:
    """Antennal lobe of a locust (C. Pouzat): a tetrode, 20 s at 15 kHz, band-passed before it was stored."""
    names = [data / "locust_tetrode" / f"Locust_{k}.dat.gz" for k in range(1, 5)]
    channels = [np.frombuffer(gzip.decompress(name.read_bytes()), "<f8") for name in names]
    return tetrode_recording(np.stack(channels, axis=1), 15_000.0)


def open_hippocampus(data: Path) -> tuple[xr.DataArray, np.ndarray]:
    """Hippocampus of a rat (CRCNS hc-1, d533101): a tetrode, 5 s at 10 kHz, and one cell's intracellular spikes."""
    with np.load(data / "hc1_tetrode_gt" / "raw_5s.npz") as file:
        traces, truth = file["data"], file["gt_times"]
    return tetrode_recording(traces, 10_000.0), truth


def open_np_ultra(data: Path) -> xr.DataArray:
    """Neuropixels Ultra: 384 contacts 6 µm apart, 0.167 s. Its ``.meta`` has no positions, they lie beside it."""
    folder = data / "spikeglx" / "np_ultra"
    return xephys.open_recording(folder / "p5_g0_imec0", probe=np.load(folder / "channel_positions.npy"))


def open_neuralynx(data: Path) -> list[xr.DataArray]:
    """Five Neuralynx channels at 32 kHz, two segments of 10.7 and 9.3 s with a gap of 3 s between them.

    The files have no positions: 1 mm apart here, so that no channel is taken for a neighbor of another.
    """
    tree = xephys.open_recording(data / "neuralynx_5ch")
    place = {"x": ("channel", np.zeros(5)), "y": ("channel", 1000.0 * np.arange(5))}
    return [tree[name]["traces"].assign_coords(place) for name in tree.children]


def correlogram(train: np.ndarray, *, sampling_frequency: float, window_ms: float = 25.0, bin_ms: float = 0.5) -> Any:
    """Autocorrelogram: counts per bin of the differences of all pairs of spikes, without the pairs of one spike."""
    edges = np.arange(-window_ms, window_ms + bin_ms / 2, bin_ms)
    differences, shift, times = [], 1, np.sort(train) / sampling_frequency * 1e3
    while shift < len(times):
        close = times[shift:] - times[:-shift]
        close = close[close <= window_ms]
        if not close.size:
            break
        differences.append(close)
        shift += 1
    found = np.concatenate(differences) if differences else np.zeros(0)
    return np.histogram(np.concatenate([found, -found]), edges)[0], edges


def units_figure(sorting: xr.DataTree, *, title: str, unit: str = "µV", n_units_max: int = 12) -> Any:
    """A row per unit: its template on each of its contacts, its autocorrelogram, its amplitudes over time."""
    units, spikes = sorting["units"].dataset, sorting["spikes"].dataset
    rate = float(sorting.attrs["sampling_frequency"])
    templates = np.asarray(sorting["templates"]["templates"].values)
    order = np.argsort(-units["snr"].values, kind="stable")[:n_units_max]
    n_contacts = min(5, templates.shape[2])
    with paper_style():
        figure, grid = plt.subplots(
            len(order), n_contacts + 2, figsize=(9.0, 0.75 + 0.85 * len(order)), squeeze=False, layout="constrained",
            gridspec_kw={"width_ratios": [1] * n_contacts + [1.8, 2.8]},
        )  # fmt: skip
        for row, (u, axes) in enumerate(zip(order, grid, strict=True)):
            color = unit_color(row)
            mine = np.flatnonzero(spikes["unit_index"].values == u)
            samples = spikes["sample_index"].values[mine]
            shown = np.sort(np.argsort(-np.abs(templates[u]).max(axis=0), kind="stable")[:n_contacts])
            limit = 1.1 * np.abs(templates[u]).max()
            for ax, channel in zip(axes[:n_contacts], shown, strict=True):
                ax.axhline(0, color=FAINT, lw=0.6)
                ax.plot(templates[u][:, channel], color=color, lw=1.2)
                ax.set_ylim(-limit, limit)
                ax.axis("off")
                ax.text(0.98, 0.02, f"ch {channel}", transform=ax.transAxes, ha="right", fontsize=6, color=MUTED)
            counts, edges = correlogram(samples, sampling_frequency=rate)
            axes[-2].bar(edges[:-1], counts, np.diff(edges), align="edge", color=color)
            axes[-2].axvspan(-1.5, 1.5, color=FAINT, alpha=0.4, lw=0)
            axes[-2].set(yticks=[], xlim=(-25, 25))
            axes[-1].plot(samples / rate, np.abs(spikes["amplitude"].values[mine]), ".", ms=2, color=color)
            axes[-1].set_ylim(0, None)
            axes[-1].yaxis.tick_right()
            axes[-1].spines[["left", "right"]].set_visible(False)
            label, snr = str(units["label"].values[u]), float(units["snr"].values[u])
            share = float(units["contamination"].values[u])
            text = f"unit {u}, {label}: {len(mine)} spikes, SNR {snr:.1f}, contamination {share:.2f}"
            axes[0].set_title(" ", fontsize=7, pad=3)
            axes[0].text(0, 1.04, text, transform=axes[0].transAxes, fontsize=7, color=INK).set_in_layout(False)
            if row < len(order) - 1:
                axes[-1].set_xticklabels([])
                axes[-2].set_xticklabels([])
        grid[-1, -2].set_xlabel("lag (ms)")
        grid[-1, -1].set_xlabel("time (s)")
        grid[0, -2].set_title("autocorrelogram", loc="center", fontsize=7, color=MUTED)
        grid[0, -1].set_title(f"amplitude ({unit})", loc="center", fontsize=7, color=MUTED)
        figure.suptitle(title, x=0.01, ha="left", fontsize=9)
    return figure


def hybrid_hippocampus(data: Path) -> tuple[xr.DataArray, np.ndarray, np.ndarray]:
    """Two minutes of d533101 built from its labelled waveforms, each at its real time, in noise like that of the 5 s.

    Returns the recording, the times of all spikes, and which of them are the intracellularly recorded cell's.
    """
    with np.load(data / "hc1_tetrode_gt" / "labelled_spikes_0_120s.npz") as file:
        waveforms, times, is_cell = file["waveforms"], file["times"], file["is_gt_unit"]
    with np.load(data / "hc1_tetrode_gt" / "raw_5s.npz") as file:
        band = butter(3, [300, 4500], "bandpass", fs=10_000, output="sos")
        filtered = sosfiltfilt(band, file["data"].astype(float), axis=0)
    quiet = np.ones(len(filtered), bool)
    for sample in times[(times >= 300_000) & (times < 350_000)] - 300_000:
        quiet[max(0, sample - 40) : sample + 60] = False
    noise = sosfiltfilt(band, np.random.default_rng(0).standard_normal((1_200_000, 4)), axis=0)
    traces = noise / noise.std(axis=0) @ np.linalg.cholesky(np.cov(filtered[quiet].T)).T
    window = tukey(40, 0.3)[:, None]
    peak = int(np.abs(waveforms.mean(axis=0)).max(axis=0).argmax())
    for sample, waveform in zip(times, waveforms, strict=True):
        rows = slice(sample - peak, sample - peak + 40)
        if rows.start >= 0 and rows.stop <= len(traces):
            traces[rows] = traces[rows] * np.sqrt(1 - window**2) + waveform.T * window
    return tetrode_recording(traces.astype(np.float32), 10_000.0), times, is_cell


def main(data: Path) -> None:
    """Sort all of them, store the figures, and say what the page quotes."""
    hippocampus, intracellular = open_hippocampus(data)
    hybrid, times, is_cell = hybrid_hippocampus(data)
    first, second = open_neuralynx(data)
    truth = NumpySorting.from_samples_and_labels([times], [is_cell.astype(int)], 10_000.0, unit_ids=[0, 1])
    runs: list[tuple[str, str, xr.DataArray, dict[str, Any]]] = [
        ("locust", "locust antennal lobe, tetrode, 20 s", open_locust(data), {}),
        ("hippocampus", "rat hippocampus, tetrode, 5 s", hippocampus, {}),
        ("hybrid", "rat hippocampus, labelled waveforms in noise, 120 s", hybrid, {}),
        ("np_ultra", "Neuropixels Ultra, 0.167 s, units of 5 spikes", open_np_ultra(data), {"n_spikes_min": 5}),
        ("neuralynx", "Neuralynx, 5 channels, 9.3 s", second, {}),
        ("neuralynx_first", "Neuralynx, 5 channels, 10.7 s", first, {}),
    ]
    for name, title, recording, parameters in runs:
        sorting = xephys.sort(recording, **parameters)
        table = sorting["units"].to_dataset().to_dataframe()
        sys.stdout.write(f"{title}\n{table[['label', 'num_spikes', 'snr', 'contamination']].round(2)}\n")
        if len(table):
            unit = "µV" if "gain_to_uv" in recording.coords else "counts"
            units_figure(sorting, title=title, unit=unit).savefig(HERE / f"units_{name}.png", dpi=100)
        if name == "hippocampus":
            spikes = sorting["spikes"]["sample_index"].values
            lags = [int(t - spikes[np.abs(spikes + 27 - t).argmin()]) for t in intracellular]
            sys.stdout.write(f"intracellular spikes follow the nearest one by {lags} samples\n")
        if name == "hybrid":
            sys.stdout.write(f"{xephys.compare(sorting, truth, delta_ms=1.0).units.to_dataframe().T}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
