"""The same implant on four days: units followed by their waveforms, checked by their intervals between spikes.

    XEPHYS_SHARED_DATA=FOLDER python benchmarks/tracking_rat.py [--dant PYTHON] [--picture FILE]

``--dant`` is the Python of an environment with ``pip install pyDANT==1.1.4``; it clusters by waveforms alone as well.

Neuropixels 1.0 in a freely moving rat, sorted by its authors (Luo, Bondy et al. 2020, eLife 9:e59716). Identity is not
known. The histogram of the intervals between spikes is a property of a neuron that is not used here: sessions come
without spike trains, so that tracks rest on waveforms and locations alone. Correlations of histograms (100 bins of 1
ms, smoothed by one bin, units of at least 300 intervals of that length) are those of pairs of units in one track, and
of pairs of a unit and another one of the same two days that is within 60 µm after registration and whose template is
no artifact. ``single`` are pairs of units that the authors call single.
"""

from __future__ import annotations

import argparse
import itertools
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from harness import run_process, table, write_result
from tracking import PEER, write_folder

FOLDER = "chronic_rat_T182_bank1"
SAMPLING_FREQUENCY, NBEFORE = 30_000.0, 15
#: Distance of the first row of contacts of the recorded bank from the tip, and of the rows; x of the columns; µm.
FIRST_ROW_UM, ROW_UM, COLUMNS_UM = 4045.0, 20.0, (43.0, 11.0, 59.0, 27.0)
FIRST_ELECTRODE = 385
#: Interval histograms: bins of one millisecond, width of the smoothing in bins, and intervals that a unit must have.
N_BINS, SMOOTHING, N_INTERVALS_MIN = 100, 1.0, 300
NEAR_UM, FAR_SHARE_MAX = 60.0, 0.6


def session(path: Path) -> xr.Dataset:
    """One day as a table of templates."""
    with np.load(path) as stored:
        names = ("mean_waveforms", "site_rows", "electrode", "peak_waveform_uv")
        waveforms, rows, electrode, largest = (stored[name] for name in names)
    unit = np.arange(len(waveforms))
    # Rows without units were left out of the stored array, so electrodes are counted from that of the unit, which is
    # the one of its 14 contacts with the stored waveform.
    own = np.abs(waveforms - largest[:, :, None]).max(axis=1).argmin(axis=1)
    sites = rows - rows[unit, own][:, None] + electrode[:, None] - FIRST_ELECTRODE
    sites = np.clip(sites, 0, 383)
    templates = np.zeros((len(waveforms), waveforms.shape[1], 384), np.float32)
    templates[unit[:, None], :, sites] = waveforms.transpose(0, 2, 1)
    contact = np.arange(384)
    return xr.Dataset(
        {"templates": (("unit", "sample", "channel"), templates)},
        coords={
            "x": ("channel", np.asarray(COLUMNS_UM)[contact % 4]),
            "y": ("channel", FIRST_ROW_UM + ROW_UM * (contact // 2)),
        },
        attrs={"sampling_frequency": SAMPLING_FREQUENCY, "nbefore": NBEFORE},
    )


def interval_histograms(path: Path) -> Any:
    """(unit, bin), scaled to a mean of 0 and a length of 1; NaN for units of few intervals."""
    from scipy.ndimage import gaussian_filter1d

    with np.load(path) as stored:
        spikes, offsets = stored["spike_samples"], stored["unit_offsets"]
    out = np.full((len(offsets) - 1, N_BINS), np.nan)
    for unit, (start, stop) in enumerate(itertools.pairwise(offsets)):
        intervals = np.diff(np.sort(spikes[start:stop])) / SAMPLING_FREQUENCY * 1e3
        counts = np.histogram(intervals, np.arange(N_BINS + 1))[0]
        if counts.sum() >= N_INTERVALS_MIN:
            smooth = gaussian_filter1d(counts.astype(float), SMOOTHING)
            out[unit] = (smooth - smooth.mean()) / np.linalg.norm(smooth - smooth.mean())
    return out


def compared(units: xr.Dataset, track: Any, names: Sequence[str], histograms: Any, single: Any) -> list[list[object]]:
    """Rows of the table: pairs of days, pairs of units, and correlations of both kinds.

    Parameters
    ----------
    units
        Of tracks; see :func:`xephys.track_units`.
    track
        Track of each unit, by whatever method.
    names
        Of the days.
    histograms, single
        Of each unit, by day.
    """
    number, row = units["session"].values, units["row"].values
    shape, alone = (
        np.array([of_day[s][r] for s, r in zip(number, row, strict=True)]) for of_day in (histograms, single)
    )
    depth, x, spike = units["y_registered"].values, units["x"].values, units["far_share"].values <= FAR_SHARE_MAX
    i, j = np.triu_indices(len(number), 1)
    known = np.isfinite(shape[i, 0]) & np.isfinite(shape[j, 0]) & (number[i] != number[j])
    i, j = i[known], j[known]
    same = track[i] == track[j]
    near = (np.hypot(depth[i] - depth[j], x[i] - x[j]) < NEAR_UM) & spike[i] & spike[j]
    value = (shape[i] * shape[j]).sum(axis=1)
    days = np.sort(np.stack([number[i], number[j]]), axis=0)
    chosen = {
        f"{names[a]} – {names[b]}": (days[0] == a) & (days[1] == b)
        for a, b in itertools.combinations(range(len(names)), 2)
    } | {"all": np.ones(len(i), np.bool_), "all, single": alone[i] & alone[j]}
    return [
        [name, *_typical(value[here & same]), *_typical(value[here & near & ~same])] for name, here in chosen.items()
    ]


def _typical(values: Any) -> list[object]:
    """Number, median and mean."""
    return [len(values), *([f"{np.median(values):.2f}", f"{values.mean():.2f}"] if len(values) else ["", ""])]


def picture(tracks: xr.DataTree, histograms: Any, path: Path) -> None:
    """Waveforms of the longest tracks, day by day, beside their interval histograms."""
    import matplotlib.pyplot as plt

    units = tracks["units"].to_dataset()
    prints = tracks["footprints"].to_dataset()["footprint"].values
    ids, counts = np.unique(units["track"].values, return_counts=True)
    chosen = ids[np.argsort(-counts, kind="stable")][:8]
    figure, axes = plt.subplots(2, len(chosen), figsize=(2 * len(chosen), 5), layout="constrained")
    for column, track in enumerate(chosen):
        for unit in np.flatnonzero(units["track"].values == track):
            day = int(units["session"].values[unit])
            place = np.ptp(prints[unit], axis=1).argmax()
            axes[0, column].plot(prints[unit, place], color=f"C{day}", label=tracks.attrs["sessions"][day])
            axes[1, column].plot(histograms[day][int(units["row"].values[unit])], color=f"C{day}")
        axes[0, column].set_title(f"track {track}")
    axes[0, 0].set_ylabel("waveform (µV)")
    axes[1, 0].set(ylabel="intervals", xlabel="ms")
    axes[0, 0].legend(fontsize=6)
    figure.savefig(path, dpi=80)


def by_peer(paths: Sequence[Path], units: xr.Dataset, python: str) -> tuple[Any, str]:
    """Track of each unit as pyDANT finds it from the same templates; units without one are tracks of their own."""
    tables = [session(path) for path in paths]
    for one, path in zip(tables, paths, strict=True):
        with np.load(path) as stored:
            trains = np.split(stored["spike_samples"] / SAMPLING_FREQUENCY * 1e3, stored["unit_offsets"][1:-1])
        one["spike_time"] = ("unit", np.array([*trains, None], dtype=object)[:-1])
    settings = PEER.replace("LINEAR", "True").replace('["Waveform", "AutoCorr"]', '["Waveform"]')
    with tempfile.TemporaryDirectory() as name:
        write_folder(tables, Path(name))
        run_process([python, "-c", settings, name], OMP_NUM_THREADS="1")
        label = np.load(Path(name) / "out" / "IdxCluster.npy").ravel()
        motion = {part: np.load(Path(name) / "out" / f"motion_{part}.npy").ravel() for part in ("linear", "constant")}
    starts = np.concatenate([[0], np.cumsum([one.sizes["unit"] for one in tables])])
    label = label[starts[units["session"].values] + units["row"].values]
    at = motion["constant"] + 1e-3 * motion["linear"] * 4500.0
    words = f"pyDANT: tracks of 1 to 4 days {_lengths(np.where(label < 0, -1 - np.arange(len(label)), label))}, "
    return np.where(label < 0, -1 - np.arange(len(label)), label), words + f"displacement {np.round(at).tolist()} µm."


def _lengths(track: Any) -> list[int]:
    """Numbers of tracks of one unit, of two, and so on."""
    counts: list[int] = np.bincount(np.unique(track, return_counts=True)[1])[1:].tolist()
    return counts


def main() -> None:
    import xephys

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--picture", type=Path)
    parser.add_argument("--dant")
    given = parser.parse_args()
    paths = sorted((Path(os.environ["XEPHYS_SHARED_DATA"]) / FOLDER).glob("*.npz"))
    names = [path.stem.removeprefix("T182_").removesuffix("_idle_bank1").replace("_", "-") for path in paths]
    tracks = xephys.track_units(map(session, paths), names=names)
    histograms, single = [interval_histograms(path) for path in paths], [np.load(path)["is_single"] for path in paths]
    if given.picture:
        picture(tracks, histograms, given.picture)
    units, motion = tracks["units"].to_dataset(), tracks["motion"].to_dataset()
    moved = [np.interp(4500.0, motion["knot"].values, row) for row in motion["displacement_um"].values[0]]
    n_artifacts = int((units["far_share"].values > FAR_SHARE_MAX).sum())
    words = (
        f"Units a day: {np.bincount(units['session'].values).tolist()}, of which {n_artifacts} in all "
        f"are artifacts; displacement at 4,500 µm, where most units are: {np.round(moved).tolist()} µm; tracks of 1 to "
        f"4 units: {_lengths(units['track'].values)}."
    )
    header = ["days", "pairs in a track", "median", "mean", "neighbors", "median", "mean"]
    parts = [words, table(header, compared(units, units["track"].values, names, histograms, single))]
    if given.dant:
        track, said = by_peer(paths, units, given.dant)
        parts += [said, table(header, compared(units, track, names, histograms, single))]
    legend = " ".join((__doc__ or "").split("\n\n")[-1].split())
    write_result("tracking_rat", "# Tracking of a rat's neurons", legend, *parts)


if __name__ == "__main__":
    main()
