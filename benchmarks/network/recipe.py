"""Windows around local extrema of simulated traces, from which the detection network learns.

Noise comes from the project's simulator without units: hash of distant neurons, amplifier noise, fields, mains. Spikes
are drawn from its six kinds of waveforms, stretched and smoothed at random, and added to the filtered noise. Both
filters that users apply are taken in turn: the causal-length Gaussian band and the recursive band-pass.

    python -m benchmarks.network.recipe 20000 train.npz --seed 1

Most candidates are hardly larger than the noise, and none of a spike: with ``--keep-small`` a share of them is kept,
each with a weight in proportion, so that many more spikes fit into memory.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, sosfiltfilt

from xephys.kernels.detect.threshold_scan import find_candidates, scan_limits
from xephys.kernels.preprocess.fir import gaussian_taps
from xephys.simulation.waveforms import KINDS, OVERSAMPLING, fine_axis, make_waveform
from xephys.testing import simulate_recording

Array = NDArray[Any]

BAND_HZ = (300.0, 6000.0)
CANDIDATE_THRESHOLD = 2.0
#: Smallest spike that the network has to find, in units of the noise; smaller ones count neither way.
LABEL_MIN, SPIKE_MIN = 3.0, 1.5
TOLERANCE_MS = 0.2
SEPARATION_MS = 0.2
REACH_MS = (1.2, 1.2)
#: How wrong a noise level is: a given one, and one measured on traces with their spikes.
LEVEL_ERROR = {"given": 0.1, "measured": 0.05}
#: Candidates below this, in units of the noise, of no spike are the small ones.
SMALL_MAX = 3.0
N_SHAPES = 600
STRETCHES = (0.65, 1.5)
#: Noise of each kind: what the simulator is given.
NOISES: tuple[dict[str, Any], ...] = (
    {"preset": "easy"},
    {"preset": "hard"},
    {"preset": "hard", "n_far_units": 0},
    {"preset": "hard", "noise_spectrum": "measured", "noise_length_um": 40.0},
    {"preset": "hard", "noise_uv": 4.0},
    {"preset": "easy", "noise_spectrum": "measured"},
)


class Library(NamedTuple):
    """Filtered waveforms, ``OVERSAMPLING`` times finer than samples, their extremum -1 at ``nbefore``."""

    waveforms: Array
    nbefore: int


class Spikes(NamedTuple):
    """Spikes added to traces: time in samples (fractional), channel, and size in units of the noise."""

    time: Array
    channel: Array
    size: Array


def make_filter(name: str, rate_hz: float) -> Any:
    """A function that filters an array along its first axis."""
    if name == "gaussian":
        taps = gaussian_taps(freq_min_hz=BAND_HZ[0], freq_max_hz=BAND_HZ[1], sampling_frequency=rate_hz)
        return lambda traces: np.apply_along_axis(np.convolve, 0, traces, taps, "same")
    sos = butter(5, BAND_HZ, btype="bandpass", fs=rate_hz, output="sos")
    return lambda traces: sosfiltfilt(sos, traces, axis=0)


def library(
    rate_hz: float,
    filter_name: str,
    rng: np.random.Generator,
    *,
    n_shapes: int = N_SHAPES,
    stretch_range: tuple[float, float] = STRETCHES,
    later_range: tuple[float, float] = (1.0, 1.0),
) -> Library:
    """Waveforms of all kinds as they look after the filter, stretched in time by a factor of ``stretch_range``.

    What follows the trough is stretched by a factor of ``later_range`` on its own: where a spike's later side is slow,
    noise moves its trough to that side, and the network has to know it.
    """
    fine_hz = rate_hz * OVERSAMPLING
    axis = fine_axis(rate_hz)
    apply = make_filter(filter_name, fine_hz)
    pad, reach = round(0.006 * fine_hz), round(0.003 * fine_hz)
    out = np.zeros((n_shapes, 2 * reach + 1), np.float32)
    for k in range(n_shapes):
        stretch = np.exp(rng.uniform(*np.log(stretch_range)))
        later = 1.0 if later_range == (1.0, 1.0) else np.exp(rng.uniform(*np.log(later_range)))
        warped = np.where(axis > 0, axis / later, axis) / stretch
        waveform = make_waveform(str(rng.choice(KINDS)), warped, rng).astype(float)
        smooth = round(rng.uniform(0.0, 0.12) * 1e-3 * fine_hz)
        padded = np.pad(waveform, pad)
        if smooth > 1:
            window = np.hanning(smooth + 2)
            padded = np.convolve(padded, window / window.sum(), "same")
        filtered = apply(padded[:, None])[:, 0]
        peak = int(np.argmax(np.abs(filtered)))
        filtered = filtered / -filtered[peak]
        out[k] = filtered[peak - reach : peak + reach + 1]
    return Library(out, reach)


def noise_traces(
    rate_hz: float, kind: Mapping[str, Any], seed: int, *, duration_s: float, n_channels: int, filter_name: str
) -> Array:
    """Filtered noise in units of its robust standard deviation, channel by channel."""
    recording, _ = simulate_recording(
        duration_s=duration_s, n_channels=n_channels, n_units=0, sampling_frequency=rate_hz, seed=seed,
        **{**kind, "stimulation_period_s": 0.0, "n_dead_channels": 0, "n_noisy_channels": 0},
    )  # fmt: skip
    filtered = make_filter(filter_name, rate_hz)(recording.values.astype(float))
    filtered -= np.median(filtered, axis=0)
    return np.asarray(filtered / (np.median(np.abs(filtered), axis=0) / 0.6745), np.float32)


def draw_spikes(
    n_samples: int, n_channels: int, rate_hz: float, rng: np.random.Generator, *, sizes: tuple[float, float],
    spikes_hz: tuple[float, float],
) -> Spikes:  # fmt: skip
    """Spikes at random times, at least ``SEPARATION_MS`` apart on a channel."""
    parts: list[tuple[Array, Array]] = []
    for channel in range(n_channels):
        per_s = np.exp(rng.uniform(*np.log(spikes_hz)))
        times = np.sort(rng.uniform(300, n_samples - 300, rng.poisson(per_s * n_samples / rate_hz)))
        if len(times):
            times = times[np.concatenate([[True], np.diff(times) > SEPARATION_MS * 1e-3 * rate_hz])]
        parts.append((times, np.full(len(times), channel)))
    time, channel = (np.concatenate(part) for part in zip(*parts, strict=True))
    return Spikes(time, channel, np.exp(rng.uniform(*np.log(sizes), len(time))))


def add_spikes(traces: Array, spikes: Spikes, shapes: Library, shape: Array) -> None:
    """Add each spike with its own waveform, at an eighth of a sample."""
    step = int(OVERSAMPLING)
    nearest = np.rint(spikes.time * step).astype(np.int64)
    row, phase = nearest // step, nearest % step
    reach = shapes.nbefore // step - 1
    offsets = np.arange(-reach, reach + 1)
    fine = shapes.nbefore + offsets[None] * step - phase[:, None]
    values = shapes.waveforms[shape[:, None], fine] * spikes.size[:, None]
    np.add.at(traces, (row[:, None] + offsets[None], spikes.channel[:, None]), values.astype(np.float32))


def windows_of(
    traces: Array, spikes: Spikes, rate_hz: float, *, nbefore: int, nafter: int
) -> tuple[Array, Array, Array]:
    """Windows around all candidates of both signs, labels (1 spike, 0 none, -1 neither) and offsets in samples."""
    low, high = scan_limits(traces, np.full(traces.shape[1], CANDIDATE_THRESHOLD), "both", None, strict=False)
    reach = max(nbefore, nafter)
    rows, channels = find_candidates(traces, reach, len(traces) - reach, low, high)
    sign = np.where(traces[rows, channels] < 0, 1, -1).astype(np.float32)
    label, offset = np.zeros(len(rows), np.int8), np.zeros(len(rows), np.float32)
    tolerance = TOLERANCE_MS * 1e-3 * rate_hz
    for channel in range(traces.shape[1]):
        mine = np.flatnonzero(channels == channel)
        events = np.flatnonzero(spikes.channel == channel)
        events = events[np.argsort(-spikes.size[events])]
        taken: set[int] = set()
        at = rows[mine]
        first, last = (np.searchsorted(at, spikes.time[events] + side * tolerance) for side in (-1, 1))
        for event, a, b in zip(events, first, last, strict=True):
            # The spike is a trough; crests of its waveform are none.
            near = [k for k in range(a, b) if sign[mine[k]] == 1 and k not in taken]
            if not near:
                continue
            best = min(near, key=lambda k: abs(at[k] - spikes.time[event]))
            taken.add(best)
            label[mine[best]] = 1 if spikes.size[event] >= LABEL_MIN else -1
            offset[mine[best]] = spikes.time[event] - at[best]
    windows = traces[rows[:, None] + np.arange(-nbefore, nafter + 1)[None], channels[:, None]] * sign[:, None]
    return windows.astype(np.float16), label, offset


def thinned(parts: tuple[Array, Array, Array], nbefore: int, keep: float, rng: np.random.Generator) -> list[Array]:
    """Windows, labels and offsets with a share of the small candidates that are no spike, and the weights of all."""
    windows, label, offset = parts
    small = (label == 0) & (windows[:, nbefore] > -SMALL_MAX)
    use = np.flatnonzero(~small | (rng.random(len(label)) < keep))
    return [windows[use], label[use], offset[use], np.where(small[use], 1 / keep, 1.0).astype(np.float32)]


def noisy_level(traces: Array, kind: str, rng: np.random.Generator) -> Array:
    """Noise level of each channel, as wrong as its user's: traces come in units of the given one."""
    middle = np.median(traces, axis=0)
    level = np.median(np.abs(traces - middle), axis=0) / 0.6745 if kind == "measured" else 1.0
    return np.asarray(level * np.exp(rng.normal(0, LEVEL_ERROR[kind], traces.shape[1])), np.float32)


def make_set(
    rate_hz: float, seed: int, *, n_rounds: int, duration_s: float = 8.0, n_channels: int = 24,
    stretch_range: tuple[float, float] = STRETCHES, later_range: tuple[float, float] = (1.0, 1.0),
    noises: Sequence[int] = range(len(NOISES)), reach_ms: tuple[float, float] = REACH_MS, keep_small: float = 1.0,
    levels: str = "given",
) -> dict[str, Any]:  # fmt: skip
    """Windows, labels and offsets from ``n_rounds`` rounds through some kinds of noise, each with shapes of its own."""
    rng, kept = np.random.default_rng([seed, round(rate_hz)]), np.random.default_rng([seed, round(rate_hz), 1])
    nbefore, nafter = (round(reach * 1e-3 * rate_hz) for reach in reach_ms)
    parts: list[list[Array]] = []
    for number, filter_name in product(range(n_rounds), ("gaussian", "butterworth")):
        shapes = library(rate_hz, filter_name, rng, stretch_range=stretch_range, later_range=later_range)
        for place, number_of_kind in enumerate(noises):
            traces = noise_traces(
                rate_hz, NOISES[number_of_kind], 100_000 * seed + 100 * number + place, duration_s=duration_s,
                n_channels=n_channels, filter_name=filter_name,
            )  # fmt: skip
            spikes = draw_spikes(len(traces), n_channels, rate_hz, rng, sizes=(SPIKE_MIN, 40.0), spikes_hz=(5.0, 150.0))
            # A channel hears few neurons, and has many spikes of each.
            own = rng.integers(len(shapes.waveforms), size=(n_channels, 6))
            add_spikes(traces, spikes, shapes, own[spikes.channel, rng.integers(6, size=len(spikes.time))])
            traces /= noisy_level(traces, levels, rng)
            found = windows_of(traces, spikes, rate_hz, nbefore=nbefore, nafter=nafter)
            parts.append(thinned(found, nbefore, keep_small, kept))
    names = ("windows", "label", "offset", "weight")
    made = {name: np.concatenate(part) for name, part in zip(names, zip(*parts, strict=True), strict=True)}
    return {**made, "rate_hz": rate_hz, "nbefore": nbefore}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rate_hz", type=float)
    parser.add_argument("out")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--later", type=float, nargs=2, default=(1.0, 1.0), help="further stretch of the later side")
    parser.add_argument("--stretch", type=float, nargs=2, default=STRETCHES, help="stretch of whole spikes")
    parser.add_argument("--noises", type=int, nargs="+", default=range(len(NOISES)), help="kinds of noise, in turn")
    parser.add_argument("--seconds", type=float, default=8.0, help="length of each piece of noise")
    parser.add_argument("--reach-ms", type=float, nargs=2, default=REACH_MS, help="window before and after a candidate")
    parser.add_argument("--keep-small", type=float, default=1.0, help="share of the small candidates that is kept")
    parser.add_argument("--levels", choices=LEVEL_ERROR, default="given", help="where noise levels come from")
    given = parser.parse_args()
    made = make_set(
        given.rate_hz, given.seed, n_rounds=given.rounds, duration_s=given.seconds, stretch_range=tuple(given.stretch),
        later_range=tuple(given.later), noises=given.noises, reach_ms=tuple(given.reach_ms),
        keep_small=given.keep_small, levels=given.levels,
    )  # fmt: skip
    print({name: np.shape(value) for name, value in made.items()}, "spikes", (made["label"] == 1).mean())
    np.savez(given.out, **made)


if __name__ == "__main__":
    main()
