"""The same implant on four days: units followed by their waveforms, checked by their intervals between spikes.

    XEPHYS_SHARED_DATA=FOLDER python benchmarks/tracking_rat.py [--dant PYTHON] [--picture FILE]

``--dant`` is the Python of an environment with ``pip install pyDANT==1.1.4``; it clusters by waveforms alone as well.

Neuropixels 1.0 in a freely moving rat, sorted by its authors (Luo, Bondy et al. 2020, eLife 9:e59716). Identity is not
known. The histogram of the intervals between spikes is a property of a neuron that is not used here: sessions come
without spike trains, so that tracks rest on waveforms and locations alone. Correlations of histograms (100 bins of 1
ms, smoothed by one bin, units of at least 300 intervals of that length) are those of pairs of units in one track, and
of pairs of a unit and another one of the same two days that is within 60 µm after registration and whose template is
no artifact. ``single`` are pairs of units that the authors call single, ``isolated`` pairs of units with a ratio of
violations below 0.5 (intervals below 1.5 ms; Siegle et al. 2021, Nature 592:86), and with spikes in nine tenths of the
minutes; ``1,000 intervals`` are pairs of units that have ten for each bin. ``itself`` is what the histogram of one unit
can reach at all: the mean correlation, over the units of these pairs, of the first half of its intervals of a day with
the second half.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from harness import run_process, table, write_result
from rat_contacts import N_CONTACTS, contact_places, contacts_left_out, sites_of
from rat_intervals import (
    FAR_SHARE_MAX,
    SAMPLING_FREQUENCY,
    Intervals,
    by_probability,
    compared,
    intervals_of,
    isolated,
    other_figures,
)
from tracking import PEER, write_folder

FOLDER = "chronic_rat_T182_bank1"
NBEFORE = 15
#: Distance of the first row of contacts of the recorded bank from the tip, µm, and the number of its first electrode.
FIRST_ROW_UM, FIRST_ELECTRODE = 4045.0, 385
#: Strict tracks, beside the usual ones.
STRICT: dict[str, Any] = {"probability_min": 0.9, "strictness": "conservative"}
#: Contacts that pyDANT is given, where nine tenths of the units are: its time grows with the cube of their number.
N_PEER_CONTACTS = 200


def session(path: Path) -> xr.Dataset:
    """One day as a table of templates; channels without a stored waveform are 0."""
    with np.load(path) as stored:
        names = ("mean_waveforms", "site_rows", "electrode", "peak_waveform_uv")
        waveforms, rows, electrode, largest = (stored[name] for name in names)
    own = np.abs(waveforms - largest[:, :, None]).max(axis=1).argmin(axis=1)
    contact = electrode.astype(np.int64) - FIRST_ELECTRODE
    sites = sites_of(contact, contacts_left_out(contact, rows, own))
    templates = np.zeros((len(waveforms), waveforms.shape[1], N_CONTACTS), np.float32)
    templates[np.arange(len(waveforms))[:, None], :, sites] = waveforms.transpose(0, 2, 1)
    x, y = contact_places().T
    return xr.Dataset(
        {"templates": (("unit", "sample", "channel"), templates)},
        coords={"x": ("channel", x), "y": ("channel", FIRST_ROW_UM + y)},
        attrs={"sampling_frequency": SAMPLING_FREQUENCY, "nbefore": NBEFORE},
    )


def picture(tracks: xr.DataTree, intervals: Sequence[Intervals], path: Path) -> None:
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
            axes[1, column].plot(intervals[day].shape[int(units["row"].values[unit])], color=f"C{day}")
        axes[0, column].set_title(f"track {track}")
    axes[0, 0].set_ylabel("waveform (µV)")
    axes[1, 0].set(ylabel="intervals", xlabel="ms")
    axes[0, 0].legend(fontsize=6)
    figure.savefig(path, dpi=80)


def by_peer(days: Sequence[xr.Dataset], paths: Sequence[Path], units: xr.Dataset, python: str) -> tuple[Any, str]:
    """Track of each unit as pyDANT finds it from the same templates; units without one are tracks of their own."""
    number, row = units["session"].values, units["row"].values
    tables, index = [], []
    for day, path in enumerate(paths):
        one = days[day].isel(channel=slice(0, N_PEER_CONTACTS))
        with np.load(path) as stored:
            trains = np.split(stored["spike_samples"] / SAMPLING_FREQUENCY * 1e3, stored["unit_offsets"][1:-1])
        one["spike_time"] = ("unit", np.array([*trains, None], dtype=object)[:-1])
        here = np.flatnonzero((number == day) & (units["far_share"].values <= FAR_SHARE_MAX))
        here = here[np.abs(one["templates"].values[row[here]]).max(axis=(1, 2)) > 0]
        tables.append(one.isel(unit=row[here]))
        index.append(here)
    settings = PEER.replace("LINEAR", "False").replace('["Waveform", "AutoCorr"]', '["Waveform"]')
    with tempfile.TemporaryDirectory() as name:
        write_folder(tables, Path(name))
        run_process([python, "-c", settings, name], OMP_NUM_THREADS="1")
        label = np.load(Path(name) / "out" / "IdxCluster.npy").ravel()
        moved = np.load(Path(name) / "out" / "motion_constant.npy").ravel()
    track = -1 - np.arange(len(number))
    given = np.concatenate(index)
    track[given] = np.where(label < 0, track[given], label)
    return track, (
        f"pyDANT, on the {len(given)} units of the {N_PEER_CONTACTS} lowest contacts that are no artifacts: tracks of "
        f"1, 2 and more units: {_lengths(track[given])}, displacement {np.round(moved).tolist()} µm."
    )


def _lengths(track: Any) -> list[int]:
    """Numbers of tracks of one unit, of two, and so on."""
    counts: list[int] = np.bincount(np.unique(track, return_counts=True)[1])[1:].tolist()
    return counts


def without_each_day(
    days: Sequence[xr.Dataset], names: Sequence[str], intervals: Sequence[Intervals], kinds: dict[str, Any]
) -> list[list[object]]:
    """Rows of the table of runs in which one day is left out: the last rows of each."""
    import xephys

    rows = []
    for gone in range(len(days)):
        kept = [day for day in range(len(days)) if day != gone]
        tracks = xephys.track_units([days[day] for day in kept], names=[names[day] for day in kept])
        units, n_known = tracks["units"].to_dataset(), int(tracks["motion"]["known"].values.sum())
        of_kept = {name: [by_day[day] for day in kept] for name, by_day in kinds.items()}
        found = compared(
            units, units["track"].values, [names[day] for day in kept], [intervals[day] for day in kept], of_kept
        )
        rows += [[names[gone], n_known, *row] for row in found[-1 - len(kinds) :]]
    return rows


def main() -> None:
    import xephys

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--picture", type=Path)
    parser.add_argument("--dant")
    given = parser.parse_args()
    paths = sorted((Path(os.environ["XEPHYS_SHARED_DATA"]) / FOLDER).glob("*.npz"))
    names = [path.stem.removeprefix("T182_").removesuffix("_idle_bank1").replace("_", "-") for path in paths]
    days = list(map(session, paths))
    tracks = xephys.track_units(days, names=names)
    intervals = list(map(intervals_of, paths))
    kinds = {
        "single": [np.load(path)["is_single"] for path in paths],
        "isolated": list(map(isolated, paths)),
        "1,000 intervals": [day.many for day in intervals],
    }
    if given.picture:
        picture(tracks, intervals, given.picture)
    units, motion = tracks["units"].to_dataset(), tracks["motion"].to_dataset()
    moved = [np.interp(4500.0, motion["knot"].values, row) for row in motion["displacement_um"].values[0]]
    n_artifacts = int((units["far_share"].values > FAR_SHARE_MAX).sum())
    words = (
        f"Units a day: {np.bincount(units['session'].values).tolist()}, of which {n_artifacts} in all "
        f"are artifacts; displacement at 4,500 µm, where most units are: {np.round(moved).tolist()} µm, relative "
        f"to the days of one group, {motion['group'].values[0].tolist()}; tracks of 1, "
        f"2 and more units: {_lengths(units['track'].values)}. A track has several units of a day where these are "
        "parts of one neuron."
    )
    header = ["days", "pairs in a track", "median", "mean", "itself", "neighbors", "median", "mean"]
    parts = [words, table(header, compared(units, units["track"].values, names, intervals, kinds))]
    parts += [
        "Other figures of the same pairs, first those in a track, then neighbors: the mean by Fisher's z, what "
        "histograms of their reliability can reach on average (`itself` by the formula of Spearman and Brown), and the "
        "mean above divided by that:",
        table(
            ["days", *("pairs", "by z", "can reach", "of that"), *("neighbors", "by z", "can reach", "of that")],
            other_figures(units, units["track"].values, intervals, kinds),
        ),
        "By the probability that the pair is one neuron, whether in a track or not:",
        table(["probability", "pairs", "median", "mean"], by_probability(tracks, intervals)),
    ]
    strict = xephys.track_units(days, names=names, **STRICT)["units"].to_dataset()
    said = ", ".join(f"`{name}={value!r}`" for name, value in STRICT.items())
    parts += [
        f"Strict tracks ({said}):",
        table(header, compared(strict, strict["track"].values, names, intervals, kinds)),
    ]
    if given.dant:
        track, said = by_peer(days, paths, units, given.dant)
        parts += [said, table(header, compared(units, track, names, intervals, kinds))]
    left = without_each_day(days, names, intervals, kinds)
    parts += ["One day left out:", table(["left out", "days with a known displacement", *header], left)]
    legend = " ".join((__doc__ or "").split("\n\n")[-1].split())
    write_result("tracking_rat", "# Tracking of a rat's neurons", legend, *parts)


if __name__ == "__main__":
    main()
