"""Labels improved by a mixture of Gaussians: against the truth, beside the usual clustering, and at full size.

    python benchmarks/mixture.py [--quick] [--keep FOLDER] [--seeds 10 11 ...]

Features of known units are drawn directly: noise of standard deviation 1, 12 channels around the main channel of each
spike, which varies, units in pairs whose means have a cosine of 0.9. Start labels are wrong in one way per kind. The
usual clustering gets the same features without labels. Last come fits of 100,000 and of 2 million spikes, each in a
process of its own on two cores, or on the one that there is. With ``--keep``, finished rows stay in FOLDER and are not
repeated.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from harness import run_process, table, write_result

#: Seeds of the table; the settings were chosen on seeds 0 to 4.
SEEDS = (10, 11, 12, 13, 14)
N_SLOTS = 12
#: What is wrong with the labels of each kind, see `wrong_labels`.
KINDS = ("pairs merged", "units cut by size", "drifting units cut in time", "a label per channel", "all of these")


HEADER = (
    "labels at the start", "start", "`cluster_peaks`", "of its labels", "mixture from the start",
    "mixture from `cluster_peaks`", "units found", "held-out criterion never falls",
)  # fmt: skip


COSTS = (
    "spikes", "units", "wall (s)", "CPU (s)", "memory (GiB)", "start", "mixture", "units found", "criterion rises",
)  # fmt: skip
#: Spikes and units of the fits whose cost is measured.
SIZES = ((100_000, 30), (2_000_000, 300))


class Spikes(NamedTuple):
    """Features of known units."""

    features: Any
    channels: Any
    truth: Any
    seconds: Any
    neighbors: Any
    positions: Any


def simulated(
    seed: int, *, n_units: int = 20, n_spikes: int = 12_000, n_channels: int = 32, n_components: int = 3
) -> Spikes:
    """Spikes in order of time. Of three units, one loses 40 % of its amplitude; of five, one has bursts."""
    from xephys.recording.geometry import nearest_channels

    rng = np.random.default_rng(seed)
    positions = np.stack([20.0 * (np.arange(n_channels) % 2), 10.0 * np.arange(n_channels)], axis=1)
    neighbors = nearest_channels(positions, n_nearest=N_SLOTS)
    shape = (n_channels, n_components)
    means = np.zeros((n_units, *shape))
    for unit in range(n_units):
        if unit % 2:
            first = means[unit - 1]
            seen = np.linalg.norm(first, axis=1) > 0.05 * np.linalg.norm(first, axis=1).max()
            other = rng.standard_normal(shape) * seen[:, None]
            other -= (other * first).sum() / (first**2).sum() * first
            other *= np.linalg.norm(first) / np.linalg.norm(other)
            means[unit] = 0.9 * first + np.sqrt(1 - 0.9**2) * other
        else:
            place = np.array([20.0, 10.0 * n_channels]) * rng.random(2)
            spread = np.exp(-np.linalg.norm(positions - place, axis=1) / 25)
            shapes = np.array([1.0, 0.3, 0.2, 0.1, 0.1, 0.1])[:n_components] + 0.35 * rng.standard_normal(shape)
            means[unit] = spread[:, None] * shapes
            means[unit] *= rng.uniform(8, 25) / np.linalg.norm(means[unit])
    rates = rng.uniform(0.3, 1.7, n_units)
    truth = rng.choice(n_units, n_spikes, p=rates / rates.sum())
    seconds = np.linspace(0, 600, n_spikes, endpoint=False)
    amplitudes = 1 + 0.08 * rng.standard_normal(n_spikes)
    amplitudes *= np.where(truth % 3 == 0, 1 - 0.4 * seconds / 600, 1)
    in_burst = (truth % 5 == 0) & (rng.random(n_spikes) < 0.3)
    amplitudes *= np.where(in_burst, rng.uniform(0.6, 0.9, n_spikes), 1)
    channels = np.zeros(n_spikes, np.int64)
    features = rng.standard_normal((n_spikes, N_SLOTS, n_components), dtype=np.float32)
    for unit in range(n_units):
        own = np.flatnonzero(truth == unit)
        # A spike is found on one of the channels on which its unit has 60 % of its amplitude.
        size = np.linalg.norm(means[unit], axis=1)
        large = np.flatnonzero(size > 0.6 * size.max())
        noisy = size[large] * (1 + 0.2 * rng.standard_normal((len(own), len(large))))
        channels[own] = large[noisy.argmax(axis=1)]
        features[own] += amplitudes[own, None, None] * means[unit][neighbors[channels[own]]]
    return Spikes(features, channels, truth, seconds, neighbors, positions)


def wrong_labels(spikes: Spikes, kind: str, seed: int) -> Any:
    """Start labels: the truth, with the fault of this kind; one spike in twenty has none."""
    rng = np.random.default_rng(seed + 1000)
    every = kind == KINDS[-1]
    labels = spikes.truth.astype(np.int64)
    if kind == KINDS[0] or every:
        labels -= (labels % 4 == 1).astype(np.int64)
    n_units = int(labels.max()) + 1
    if kind == KINDS[1] or every:
        size = np.linalg.norm(spikes.features.reshape(len(labels), -1), axis=1)
        middle = np.array([np.median(size[labels == unit]) if (labels == unit).any() else 0 for unit in range(n_units)])
        labels += n_units * ((size > middle[labels]) & (np.array(not every) | (labels % 3 == 0)))
    if kind == KINDS[2] or every:
        labels += 2 * n_units * ((spikes.seconds > 300) & (spikes.truth % 3 == 0))
    if kind == KINDS[3] or every:
        labels += 4 * n_units * spikes.channels * (np.array(not every) | (spikes.truth % 7 == 0))
    labels[rng.random(len(labels)) < 0.05] = -1
    return labels


def usual(spikes: Spikes) -> Any:
    """Labels by ``cluster_peaks`` on the same features."""
    import xarray as xr

    import xephys

    n_components = spikes.features.shape[2]
    rate = 30_000
    fields = [("sample_index", "i8"), ("channel_index", "i8"), ("projection", "f4", spikes.features.shape[1:])]
    peaks = np.zeros(len(spikes.truth), fields)
    peaks["sample_index"], peaks["channel_index"] = np.round(spikes.seconds * rate), spikes.channels
    peaks["projection"] = spikes.features
    times = (np.arange(60) - 20.0)[None] / 20
    smooth = np.exp(-(times**2)) * np.cos(np.pi * np.arange(n_components)[:, None] * times / 2)
    basis = np.linalg.qr(smooth.T)[0].T.astype(np.float32)
    components = xr.DataArray(basis, dims=("component", "sample"), attrs={"nbefore": 20})
    recording = xephys.make_recording(
        np.broadcast_to(np.int16(0), (600 * rate, len(spikes.positions))),
        sampling_frequency=rate,
        coordinates={"x": spikes.positions[:, 0], "y": spikes.positions[:, 1]},
    )
    return xephys.cluster_peaks(recording, peaks, components=components, feature_noise=1.0).labels


class Row(NamedTuple):
    """Adjusted Rand index of the start, of the usual clustering, and of the mixture from either; and its units.

    The usual clustering gives no label to spikes that it takes for noise or collisions; ``usual_labelled`` is the index
    of the others.
    """

    kind: str
    seed: int
    start: float
    usual: float
    usual_labelled: float
    mixture: float
    after_usual: float
    n_units: int
    n_true: int
    rises: bool


def row_of(kind: str, seed: int, **size: int) -> Row:
    from sklearn.metrics import adjusted_rand_score

    import xephys

    spikes = simulated(seed, **size)
    start, by_usual = wrong_labels(spikes, kind, seed), usual(spikes)
    given = {"neighbors": spikes.neighbors}
    found = xephys.cluster_by_mixture(spikes.features, spikes.channels, start, **given)
    after = xephys.cluster_by_mixture(spikes.features, spikes.channels, by_usual, **given)
    scores = [adjusted_rand_score(spikes.truth, some) for some in (start, by_usual, found.labels, after.labels)]
    labelled = by_usual >= 0
    scores.insert(2, adjusted_rand_score(spikes.truth[labelled], by_usual[labelled]))
    rises = all(bool((np.diff(of.decisions["criterion"]) >= 0).all()) for of in (found, after))
    return Row(kind, seed, *scores, found.n_clusters, len(np.unique(spikes.truth)), rises)


class Fit(NamedTuple):
    """Cost of a fit, and the index before and after; ``peak_gib`` includes the features."""

    n_spikes: int
    n_units: int
    wall_s: float
    cpu_s: float
    peak_gib: float
    before: float
    after: float
    n_found: int
    rises: bool


def full_size(n_spikes: int, n_units: int) -> str:
    """One fit: seconds, and how well it does. Runs in a process of its own."""
    from sklearn.metrics import adjusted_rand_score

    import xephys

    spikes = simulated(20, n_units=n_units, n_spikes=n_spikes, n_channels=max(32, n_units), n_components=6)
    start = wrong_labels(spikes, KINDS[-1], 20)
    begin, used = time.perf_counter(), time.process_time()
    found = xephys.cluster_by_mixture(spikes.features, spikes.channels, start, neighbors=spikes.neighbors)
    wall, cpu = time.perf_counter() - begin, time.process_time() - used
    before, after = (adjusted_rand_score(spikes.truth, some) for some in (start, found.labels))
    rises = bool((np.diff(found.decisions["criterion"]) >= 0).all())
    return f"{wall:.1f} {cpu:.1f} {before:.4f} {after:.4f} {found.n_clusters} {int(rises)}"


def run(
    *,
    quick: bool,
    seeds: Sequence[int] = SEEDS,
    sizes: Sequence[tuple[int, int]] = SIZES,
    folder: Path | None = None,
) -> tuple[list[Row], list[Fit]]:
    size = {"n_units": 6, "n_spikes": 2400} if quick else {}
    kinds = KINDS[:1] if quick else KINDS
    rows = [
        Row(*once(folder, f"{KINDS.index(kind)}-{seed}", lambda kind=kind, seed=seed: row_of(kind, seed, **size)))
        for kind in kinds
        for seed in (seeds[:1] if quick else seeds)
    ]
    sizes = [(4000, 6)] if quick else sizes
    return rows, [
        Fit(*once(folder, f"fit-{n}-{units}", lambda n=n, units=units: fit_of(n, units))) for n, units in sizes
    ]


def once(folder: Path | None, name: str, make: Callable[[], Sequence[Any]]) -> list[Any]:
    """A row from its file in the folder, or made and written there."""
    path = None if folder is None else folder / f"{name}.json"
    if path is not None and path.is_file():
        return list(json.loads(path.read_text(encoding="utf-8")))
    row = [value.item() if isinstance(value, np.generic) else value for value in make()]
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(row), encoding="utf-8")
    return row


def fit_of(n_spikes: int, n_units: int) -> Fit:
    """One fit in a process of its own."""
    process = run_process([sys.executable, __file__, "--one", str(n_spikes), str(n_units)], NUMBA_NUM_THREADS="1")
    wall, cpu, before, after, n_found, rises = map(float, process.output.split()[-6:])
    peak_gib = process.peak_bytes / 2**30
    return Fit(n_spikes, n_units, wall, cpu, peak_gib, before, after, int(n_found), bool(rises))


def report(rows: list[Row], fits: list[Fit]) -> list[str]:
    kinds = list(dict.fromkeys(row.kind for row in rows))
    lines = []
    for kind in kinds:
        own = [row for row in rows if row.kind == kind]
        means = [f"{np.mean([getattr(row, name) for row in own]):.3f}" for name in Row._fields[2:7]]
        units = ", ".join(f"{row.n_units} of {row.n_true}" for row in own)
        lines.append((kind, *means, units, "yes" if all(row.rises for row in own) else "no"))
    costs = [
        (f"{fit.n_spikes:,}", fit.n_units, f"{fit.wall_s:.0f}", f"{fit.cpu_s:.0f}", f"{fit.peak_gib:.2f}",
         f"{fit.before:.3f}", f"{fit.after:.3f}", fit.n_found, "yes" if fit.rises else "no")
        for fit in fits
    ]  # fmt: skip
    cores = {1: "one core", 2: "two cores"}[min(2, len(os.sched_getaffinity(0)))]
    return [
        "# Labels by a mixture of Gaussians",
        "Adjusted Rand index, mean over seeds "
        + ", ".join(str(s) for s in dict.fromkeys(row.seed for row in rows))
        + ". `cluster_peaks` gives no label to spikes that it takes for noise or collisions,\n"
        "which counts against it in "
        "the first of its two columns and not in the second; the mixture labels nearly all.",
        table(HEADER, lines),
        f"Fits on 12 channels of 6 components, on {cores}, from labels that are wrong in all ways; memory with the\n"
        "features:",
        table(COSTS, costs),
        *([_shared(fits)] if cores == "one core" else []),
    ]


def _shared(fits: list[Fit]) -> str:
    """How much of the core the fits had: beside other programs, the CPU time tells what a fit takes."""
    shares = sorted(100 * fit.cpu_s / fit.wall_s for fit in fits)
    return f"The fits had {shares[0]:.0f} to {shares[-1]:.0f} % of that core, beside other programs."


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--keep", type=Path, help="folder in which finished rows stay")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
    parser.add_argument("--one", type=int, nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(full_size(*arguments.one))
    else:
        parts = report(*run(quick=arguments.quick, seeds=arguments.seeds, folder=arguments.keep))
        if arguments.quick:
            print("\n\n".join(parts))
        else:
            write_result("mixture", *parts)
