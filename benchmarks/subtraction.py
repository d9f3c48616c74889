"""Subtraction: denoised waveforms and the truth, what is left near spikes, units in background, the same events.

    python benchmarks/subtraction.py [--quick] [--keep FOLDER] [--seeds 10 11 ...]

The trained network needs torch (`pip install 'xephys[nn]'`); without it, its column is empty and no table is written.
Finished seeds stay in the folder of ``--keep``; with a choice of seeds, the table is printed.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from contest.running import identity
from harness import table, write_result

SEEDS = (10, 11, 12)
#: Limits of the true peaks, in units of the noise.
SNRS = ((1.0, 3.0), (3.0, 6.0), (6.0, 12.0))
N_PER_RANGE = 3000
#: Detected events that are at least this large teach the network what spikes look like.
LARGE = 12.0
NEAR_UM, NEAR_MS, APART_MS = 60.0, 0.5, 3.0
#: Length of a chunk and scheduler of each way to find the events, one of them twice.
WAYS = ((1.0, "threads"), (1.0, "threads"), (0.3, "synchronous"), (7.0, "threads"), (2.0, "processes"))


class Traces(NamedTuple):
    """A recording in white traces, its truth, and what subtraction needs."""

    white: Any
    levels: Any
    denoiser: Any
    whitening: Any
    truth: Any


class Errors(NamedTuple):
    """Root mean square error of denoised waveforms in units of the noise, for true peaks within a range."""

    seed: int
    low: float
    high: float
    raw: float
    projected: float
    shrunk: float
    trained: float


class Rest(NamedTuple):
    """Mean energy of the residual near spikes and far from all, and of the traces near spikes; units in background."""

    preset: str
    seed: int
    near: float
    far: float
    before: float
    n_units: int | None


class Same(NamedTuple):
    """Number of events, of the ways in which they were found, and of different results."""

    preset: str
    seed: int
    n_events: int
    n_ways: int
    n_results: int


def traces(preset: str, seed: int, **size: Any) -> Traces:
    from xephys.testing import simulate_recording

    return prepared(*simulate_recording(preset=preset, seed=seed, **size))


def prepared(recording: Any, truth: Any) -> Traces:
    import xephys

    filtered = xephys.highpass_filter(recording, freq_min_hz=300.0)
    whitening = xephys.estimate_whitening(filtered)
    white = xephys.whiten(filtered, whitening=whitening)
    levels = xephys.estimate_noise_levels(white)
    peaks = xephys.detect_peaks(white, noise_levels=levels, peak_sign="both")
    return Traces(white, levels, xephys.learn_denoiser(white, peaks), whitening, truth)


def errors_of(seed: int, *, n_per_range: int, **size: Any) -> list[Errors]:
    """Waveforms of the units below the residual; the network learns from the recording without the truth."""
    given = traces("easy", seed, **size)
    shapes, noise = clean_waveforms(given), residual_snippets(given, n_per_range, seed)
    network = trained(given, seed)
    rng, rows = np.random.default_rng(seed), []
    for low, high in SNRS:
        truth = shapes[rng.integers(0, len(shapes), n_per_range)]
        truth *= rng.uniform(low, high, (n_per_range, 1)).astype("f4") / np.abs(truth).max(axis=1, keepdims=True)
        noisy = truth + noise[rng.permutation(len(noise))[:n_per_range]]
        projected, shrunk = low_rank(noisy, given.denoiser)
        found = [noisy, projected, shrunk, np.full_like(noisy, np.nan) if network is None else network.denoise(noisy)]
        rows.append(Errors(seed, low, high, *(float(np.sqrt(np.square(f - truth).mean())) for f in found)))
    return rows


def clean_waveforms(given: Traces) -> Any:
    """Each unit's true waveform on its largest channels, in white traces."""
    import xephys

    truth, white, gap = given.truth, given.white, 3000
    templates = truth.templates
    n_units, length = templates.shape[:2]
    clean = np.zeros((gap * (n_units + 1), white.sizes["channel"]), np.float32)
    starts = gap // 2 + gap * np.arange(n_units)
    for start, template in zip(starts, templates, strict=True):
        clean[start : start + length] = template
    rate = float(white.attrs["sampling_frequency"])
    positions = {name: white[name].values for name in ("x", "y")}
    alone = xephys.make_recording(clean, sampling_frequency=rate, coordinates=positions)
    filtered = xephys.highpass_filter(alone, freq_min_hz=300.0)
    values = xephys.whiten(filtered, whitening=given.whitening).values
    nbefore, n_samples = int(given.denoiser.attrs["nbefore"]), given.denoiser.sizes["sample"]
    found = []
    for start in starts:
        own = values[start - n_samples : start + length + n_samples]
        size = np.abs(own).max(axis=0)
        for channel in np.argsort(size)[-3:]:
            peak = start - n_samples + int(np.abs(own[:, channel]).argmax())
            found.append(values[peak - nbefore : peak - nbefore + n_samples, channel])
    return np.stack(found).astype(np.float32)


def residual_snippets(given: Traces, n: int, seed: int) -> Any:
    """Snippets of the residual at random places, in units of the noise."""
    import xephys

    values = xephys.subtraction_residual(given.white, denoiser=given.denoiser, noise_levels=given.levels).values
    values = values / given.levels.values
    n_samples, rng = given.denoiser.sizes["sample"], np.random.default_rng(seed + 500)
    first = rng.integers(0, len(values) - n_samples, n)
    channel = rng.integers(0, values.shape[1], n)
    return values[first[:, None] + np.arange(n_samples), channel[:, None]].astype(np.float32)


def trained(given: Traces, seed: int) -> Any | None:
    """A network trained on the recording's large events and its residual; None without torch."""
    if importlib.util.find_spec("torch") is None:
        return None
    import xephys
    from xephys.dartsort import train_single_channel

    events = xephys.detect_by_subtraction(
        given.white, denoiser=given.denoiser, noise_levels=given.levels, keep_denoised=True
    ).compute()
    large = events[np.abs(events["amplitude"]) > LARGE]
    clean = (large["denoised"] @ given.denoiser["component"].values).reshape(-1, given.denoiser.sizes["sample"])
    clean = clean[np.abs(clean).max(axis=1) > LARGE / 2]
    return train_single_channel(clean, residual_snippets(given, 20_000, seed + 1), seed=seed)


def low_rank(noisy: Any, denoiser: Any) -> tuple[Any, Any]:
    """The projection on the components, and the same shrunk as the subtraction does."""
    from xephys.kernels.subtract.snippet import SHRINKAGE

    components, weights = denoiser["component"].values, denoiser["weight"].values
    seen = noisy @ components.T
    expected = SHRINKAGE * (weights * denoiser["noise"].values).sum()
    energy = (weights * seen**2).sum(axis=1, keepdims=True)
    kept = np.maximum(0.0, 1.0 - expected / np.maximum(energy, 1e-9))
    return seen @ components, (kept * weights * seen) @ components


def rest_of(preset: str, seed: int, *, n_units_of_background: bool, **size: Any) -> Rest:
    """Energies on channels near each unit, around its spikes and where no unit fires for milliseconds."""
    import xephys
    from xephys.testing import simulate_recording

    given = traces(preset, seed, **size)
    residual = xephys.subtraction_residual(given.white, denoiser=given.denoiser, noise_levels=given.levels).values
    before = given.white.values
    spikes, rate = given.truth.spikes, float(given.white.attrs["sampling_frequency"])
    places = np.stack([given.white["x"].values, given.white["y"].values], axis=1)
    distance = np.linalg.norm(places[:, None] - given.truth.unit_positions[None], axis=2)
    live = np.setdiff1d(np.arange(len(places)), [*given.truth.dead_channels, *given.truth.noisy_channels])
    near_channel = np.zeros(distance.shape, bool)
    near_channel[live] = distance[live] <= NEAR_UM
    around = np.zeros(before.shape, bool)
    apart = np.zeros(before.shape, bool)
    apart[:, live] = True
    reach, gap = round(NEAR_MS * 1e-3 * rate), round(APART_MS * 1e-3 * rate)
    for sample, unit in zip(spikes["sample_index"], spikes["unit_index"], strict=True):
        around[max(0, sample - reach) : sample + reach + 1, near_channel[:, unit]] = True
        apart[max(0, sample - gap) : sample + gap + 1, distance[:, unit] <= 4 * NEAR_UM] = False
    n_units = None
    if n_units_of_background:
        background, _ = simulate_recording(preset=preset, seed=seed, **{**size, "n_units": 0})
        n_units = xephys.sort(background, preset="dartsort")["units"].sizes["unit"]
    energies = (residual[around], residual[apart], before[around])
    return Rest(preset, seed, *(float(np.square(e, dtype="f8").mean()) for e in energies), n_units)


def same_of(preset: str, seed: int, **size: Any) -> Same:
    """The events with everything that is learned before them, computed in several ways."""
    import dask

    import xephys
    from xephys.testing import rechunked, simulate_recording

    recording, truth = simulate_recording(preset=preset, seed=seed, **size)
    rate = float(recording.attrs["sampling_frequency"])
    n_events, results = 0, set()
    for chunk_s, scheduler in WAYS:
        with dask.config.set(scheduler=scheduler):
            given = prepared(rechunked(recording, round(chunk_s * rate)), truth)
            events = xephys.detect_by_subtraction(
                given.white, denoiser=given.denoiser, noise_levels=given.levels, keep_denoised=True
            ).compute()
        n_events = len(events)
        results.add(hashlib.sha256(events.tobytes()).hexdigest())
    return Same(preset, seed, n_events, len(WAYS), len(results))


def of_seed(seed: int, *, quick: bool, folder: Path | None) -> tuple[list[Errors], list[Rest], list[Same]]:
    """The rows of one seed: stored ones of the same code, or new ones."""
    size = {"duration_s": 4.0, "n_channels": 12} if quick else {"duration_s": 30.0, "n_channels": 32}
    place = None if folder is None else folder / f"{seed}-{identity('preset:dartsort')}".replace(":", "-")
    presets = ("easy",) if quick else ("easy", "hard")
    n_per_range = 200 if quick else N_PER_RANGE
    errors = stored(place, "errors", partial(errors_of, seed, n_per_range=n_per_range, **size))
    rests = [
        stored(place, f"rest-{preset}", partial(rest_of, preset, seed, n_units_of_background=not quick, **size))
        for preset in presets
    ]
    densest = presets[-1]
    same = stored(place, f"same-{densest}", lambda: [same_of(densest, seed, **size)])
    return [Errors(*row) for row in errors], [Rest(*row) for row in rests], [Same(*row) for row in same]


def stored(place: Path | None, name: str, make: Callable[[], Sequence[Any]]) -> list[Any]:
    """Rows from their file, or made and written there."""
    path = None if place is None else place / f"{name}.json"
    if path is not None and path.is_file():
        return list(json.loads(path.read_text(encoding="utf-8")))
    rows = list(make())
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(rows), encoding="utf-8")
    return rows


def run(
    *, quick: bool, seeds: Sequence[int] = SEEDS, folder: Path | None = None
) -> tuple[list[Errors], list[Rest], list[Same]]:
    made = [of_seed(seed, quick=quick, folder=folder) for seed in (seeds[:1] if quick else seeds)]
    rests = sorted((row for _, of, _ in made for row in of), key=lambda row: (row.preset, row.seed))
    same = sorted((row for *_, of in made for row in of), key=lambda row: (row.preset, row.seed))
    return [row for errors, *_ in made for row in errors], rests, same


def report(errors: list[Errors], rests: list[Rest], same: list[Same]) -> list[str]:
    by_range = []
    for low, high in SNRS:
        own = [row for row in errors if (row.low, row.high) == (low, high)]
        by_range.append((f"{low:g} to {high:g}", *(f"{np.mean([row[i] for row in own]):.3f}" for i in range(3, 7))))
    left = [
        (r.preset, r.seed, f"{r.before / r.far:.2f}", f"{r.near / r.far:.3f}", "" if r.n_units is None else r.n_units)
        for r in rests
    ]
    seeds = ", ".join(str(s) for s in dict.fromkeys(row.seed for row in errors))
    return [
        "# Subtraction",
        "## Denoised waveforms",
        f"Root mean square error of single waveforms on one channel, in units of the noise; mean over seeds {seeds}.\n"
        "The waveforms are those of the simulator's units on their three largest channels, filtered and whitened; the\n"
        "noise is the residual of the recording. The network learned from the recording's own large events and from\n"
        "residual at other places, without the truth.",
        table(
            ("true peak, noise units", "raw", "projected on 8 components", "and shrunk", "trained network"), by_range
        ),
        "## What is left near spikes",
        f"Mean energy within {NEAR_MS:g} ms and {NEAR_UM:g} µm of true spikes, relative to where no unit fires for "
        f"{APART_MS:g} ms; and the units that\nthe preset `dartsort` finds in the same recording without its units.",
        table(("recording", "seed", "traces", "residual", "units in background alone"), left),
        "## The same events",
        "All bytes of the events with their denoised waveforms, each time with all that is learned before them: in\n"
        + ", ".join(f"chunks of {chunk_s:g} s ({scheduler})" for chunk_s, scheduler in WAYS)
        + ".",
        table(("recording", "seed", "events", "times found", "different results"), same),
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--keep", type=Path, help="folder in which finished seeds stay")
    parser.add_argument("--seeds", type=int, nargs="+")
    arguments = parser.parse_args()
    parts = report(*run(quick=arguments.quick, seeds=arguments.seeds or SEEDS, folder=arguments.keep))
    if arguments.quick or arguments.seeds or importlib.util.find_spec("torch") is None:
        print("\n\n".join(parts))
    else:
        write_result("subtraction", *parts)
