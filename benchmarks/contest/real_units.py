"""Recordings made of waveforms that were measured: units of real probes, in noise with a measured spectrum.

Waveforms, and half a second of a real probe for the noise, are read from a folder of real recordings, which
``XEPHYS_SHARED_DATA`` names. None of this goes through the project's simulator.
"""

import os
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .generated import GAIN_UV, RATE_HZ, Generated

Array = NDArray[Any]

NOISE_UV, COMMON_UV = 9.0, 8.0
STEP_UM, STEPS_PER_SAMPLE = 1.0, 4
REACH_UM = {
    "np_ultra": 45.0,
    "np2": 60.0,
}  # beyond it, measured footprints are mostly what other neurons leave in the mean
BURST_MS, BURST_LOSS = (3.0, 8.0), 0.25
REFRACTORY_MS = 2.0
N_FAR_PER_CHANNEL, FAR_UV = 1.5, (6.0, 18.0)
NBEFORE = 41


class Footprint(NamedTuple):
    """A waveform on a grid around its largest point: ``(sample, column, row)``, and the grid's x and y in µm."""

    waveform: Array
    x: Array
    y: Array


class RealSetting(NamedTuple):
    """Units of real probes on a Neuropixels 2.0 shank: signal-to-noise ratios log-uniform, three in ten below six.

    ``drift_um`` is the range over which the tissue wanders, less at the tip (``gradient``).
    """

    n_units: int
    drift_um: float = 0.0
    gradient: float = 0.5
    n_channels: int = 128
    layout: str = "neuropixels-2"

    def generate(self, *, seed: int, duration_s: float) -> Generated:
        """The recording of this setting and seed: a pure function of its arguments and of the measured waveforms."""
        from spikeinterface import NumpyRecording, NumpySorting

        from xephys.simulation.probe import make_layout, to_probeinterface

        rng = np.random.default_rng([seed, 5])
        probe = to_probeinterface(make_layout(self.layout, self.n_channels))
        xy = probe.contact_positions
        traces, covariance = noise(xy, round(duration_s * RATE_HZ), rng)
        course = self.course(duration_s, rng)
        low, high = np.floor(min(course.min(), 0)), np.ceil(max(course.max(), 0))
        grid = np.arange(low, high + STEP_UM, STEP_UM)
        samples, units, rest = [], [], []
        n_far = round(N_FAR_PER_CHANNEL * self.n_channels)
        pool = footprints()
        for unit in range(-n_far, self.n_units):
            far = unit < 0
            at = np.array([rng.uniform(xy[:, 0].min() - 5, xy[:, 0].max() + 5), rng.uniform(*_ends(xy[:, 1]))])
            if far:
                peak_uv = np.exp(rng.uniform(*np.log(FAR_UV)))
            else:
                strong = rng.random() < 0.7
                peak_uv = NOISE_UV * np.exp(rng.uniform(*np.log((6, 30) if strong else (3, 6))))
            template = moved(pool[rng.integers(len(pool))], at, xy, grid, wide=2.0 if far else 1.0, rng=rng)
            template *= -peak_uv / template[np.flatnonzero(grid == 0)[0]].min()
            train, sizes = spikes(duration_s, rng, far=far)
            share = self.gradient + (1 - self.gradient) * np.clip((at[1] - xy[:, 1].min()) / np.ptp(xy[:, 1]), 0, 1)
            place = np.interp(train, np.arange(len(course)) * RATE_HZ / 10, course) * share
            add(traces, template, train, sizes, np.rint((place - grid[0]) / STEP_UM).astype(int))
            if not far:
                samples.append(np.floor(train).astype(np.int64))
                units.append(np.full(len(train), unit))
                rest.append(template[np.flatnonzero(grid == 0)[0]])
        counts = np.rint(traces / GAIN_UV).clip(-32768, 32767).astype(np.int16)
        recording = NumpyRecording([counts], RATE_HZ)
        recording.set_probe(probe)
        recording.set_channel_gains(GAIN_UV)
        recording.set_channel_offsets(0.0)
        truth = NumpySorting.from_samples_and_labels(
            [np.concatenate(samples)], [np.concatenate(units)], RATE_HZ, unit_ids=np.arange(self.n_units)
        )
        return Generated(recording, truth, np.stack(rest).astype(np.float32), NBEFORE, covariance)

    def course(self, duration_s: float, rng: np.random.Generator) -> Array:
        """Displacement of the upper end, ten times a second: it wanders, with one step."""
        from scipy.ndimage import gaussian_filter1d

        n = round(duration_s * 10) + 1
        walk = gaussian_filter1d(np.cumsum(rng.standard_normal(n + 400)), 60)[200 : 200 + n]
        walk = walk + 0.2 * np.ptp(walk) * (np.arange(n) > rng.uniform(0.3, 0.7) * n)
        return np.asarray(self.drift_um * ((walk - np.median(walk)) / max(float(np.ptp(walk)), 1e-9)))


def _ends(values: Array) -> tuple[float, float]:
    return float(values.min()) - 10.0, float(values.max()) + 10.0


def data_folder() -> Path:
    """The folder of real recordings.

    Raises
    ------
    ValueError
        If ``XEPHYS_SHARED_DATA`` names none.
    """
    folder = Path(os.environ.get("XEPHYS_SHARED_DATA", Path(__file__).parents[3] / "shared" / "data"))
    if not folder.is_dir():
        raise ValueError(f"There is no folder of real recordings at {folder}; set XEPHYS_SHARED_DATA to one.")
    return folder


@cache
def footprints() -> list[Footprint]:
    """Of Neuropixels Ultra and 2.0 probes: the waveforms of three principal time courses, near their largest point."""
    found = []
    for name, reach in REACH_UM.items():
        with np.load(data_folder() / f"templates_{name}" / "templates.npz") as stored:
            templates, places = stored["templates"].astype(float), stored["channel_positions"]
        for waveform in templates - templates[:, :12].mean(axis=1, keepdims=True):
            peak = np.abs(waveform[20:60]).max(axis=0).argmax()
            near = np.flatnonzero(np.linalg.norm(places - places[peak], axis=1) <= 2 * reach)
            x, y = np.unique(places[near, 0]), np.unique(places[near, 1])
            where = {(a, b): c for c, (a, b) in zip(near, places[near], strict=True)}
            index = np.array([[where.get((a, b), -1) for b in y] for a in x])
            values = np.where(index[None] >= 0, waveform[:, np.maximum(index, 0)], 0.0)
            flat = values.reshape(len(values), -1)
            u, s, v = np.linalg.svd(flat, full_matrices=False)
            smooth = (u[:, :3] * s[:3] @ v[:3]).reshape(values.shape)
            distance = np.hypot(x[:, None] - places[peak, 0], y[None] - places[peak, 1])
            smooth *= np.exp(-((distance / reach) ** 2))
            shifted = np.roll(smooth, NBEFORE - np.abs(smooth[20:60]).max(axis=(1, 2)).argmax() - 20, axis=0)
            if shifted[NBEFORE].min() <= -0.6 * np.abs(shifted).max():
                found.append(Footprint(shifted, x - places[peak, 0], y - places[peak, 1]))
    return found


def moved(
    footprint: Footprint, at: Array, xy: Array, grid_um: Array, *, wide: float, rng: np.random.Generator
) -> Array:
    """The waveform at all contacts for each displacement, ``(displacement, sample, channel)``."""
    from scipy.interpolate import RegularGridInterpolator

    waveform, flip = footprint.waveform, rng.choice([-1.0, 1.0], 2)
    stretch, n = rng.uniform(0.9, 1.15), len(footprint.waveform)
    time = NBEFORE + (np.arange(n) - NBEFORE) / stretch
    kind = "cubic" if min(len(footprint.x), len(footprint.y)) > 3 else "linear"
    course = np.stack([np.interp(time, np.arange(n), w) for w in waveform.reshape(n, -1).T], axis=-1)
    values = np.moveaxis(course.reshape(waveform.shape), 0, -1)
    interpolate = RegularGridInterpolator(
        (footprint.x, footprint.y), values, method=kind, bounds_error=False, fill_value=0.0
    )
    offset = (xy[None] - at - np.stack([np.zeros_like(grid_um), grid_um], axis=1)[:, None]) / wide
    # Beyond the measured columns, the outermost one decays with distance.
    inside = np.clip(offset[..., 0] * flip[0], footprint.x[0], footprint.x[-1])
    beyond = np.abs(offset[..., 0] * flip[0] - inside)
    points = np.stack([inside, offset[..., 1] * flip[1]], axis=-1)
    out = interpolate(points) * np.exp(-beyond / 30.0)[..., None]
    taper = np.hanning(n)[:, None] ** 0.25
    return np.asarray(np.moveaxis(out, -1, 1) * taper, np.float32)


def spikes(duration_s: float, rng: np.random.Generator, *, far: bool) -> tuple[Array, Array]:
    """Times in samples, ascending, and relative sizes: log-normal rates; a quarter of the units burst and tire."""
    rate = float(np.clip(np.exp(rng.normal(np.log(4.0), 0.9)), 0.4, 40.0))
    intervals = rng.gamma(1.5, 1 / (1.5 * rate), round(2 * rate * duration_s) + 50)
    train, sizes = np.cumsum(intervals), np.ones(len(intervals))
    if not far and rng.random() < 0.25:
        more, smaller = [train], [sizes]
        for number in range(1, 4):
            goes_on = rng.random(len(more[-1])) < 0.35
            more.append(more[-1][goes_on] + rng.uniform(*np.array(BURST_MS) / 1000, goes_on.sum()))
            smaller.append(np.full(goes_on.sum(), (1 - BURST_LOSS) ** number))
        train, sizes = np.concatenate(more), np.concatenate(smaller)
    order = np.argsort(train)
    train, sizes = train[order], sizes[order] * np.clip(rng.normal(1, 0.1, len(train)), 0.6, 1.4)
    keep = (
        np.concatenate([[True], np.diff(train) > REFRACTORY_MS / 1000]) & (train > 0.01) & (train < duration_s - 0.01)
    )
    return train[keep] * RATE_HZ, sizes[keep]


def add(traces: Array, template: Array, train: Array, sizes: Array, places: Array) -> None:
    """Add the spikes to the traces, at a quarter of a sample."""
    reach = np.flatnonzero(np.abs(template).max(axis=(0, 1)) > 0.02 * np.abs(template).max())
    if not len(reach):
        return
    columns = slice(reach[0], reach[-1] + 1)
    waveform = template[:, :, columns]
    frequency = np.fft.rfftfreq(waveform.shape[1])
    spectrum = np.fft.rfft(waveform, axis=1)
    shifts = np.exp(
        -2j * np.pi * frequency[None, :, None] * (np.arange(STEPS_PER_SAMPLE) / STEPS_PER_SAMPLE)[:, None, None]
    )
    shifted = np.fft.irfft(spectrum[:, None] * shifts, waveform.shape[1], axis=2).astype(np.float32)
    first, n = np.floor(train).astype(int) - NBEFORE, waveform.shape[1]
    steps = np.floor((train % 1) * STEPS_PER_SAMPLE).astype(int)
    for start, step, size, place in zip(first, steps, sizes.astype(np.float32), places, strict=True):
        if 0 <= start <= len(traces) - n:
            traces[start : start + n, columns] += size * shifted[place, step]


def noise(xy: Array, n_samples: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Noise with the measured spectra and correlations, and its covariance without what all contacts share."""
    from scipy.fft import irfft, next_fast_len, rfft

    own, shared, distance_um, correlation = measured_noise()
    n = next_fast_len(n_samples, real=True)
    bins = np.linspace(0, 0.5, n // 2 + 1)
    levels = [np.interp(bins, np.linspace(0, 0.5, len(s)), np.sqrt(s)).astype(np.float32) for s in (own, shared)]
    apart = np.linalg.norm(xy[:, None] - xy[None], axis=2)
    covariance = NOISE_UV**2 * np.interp(apart, distance_um, correlation)
    values, vectors = np.linalg.eigh(covariance)
    values = np.maximum(values, 0.02 * values.mean())
    covariance = vectors * values @ vectors.T
    root = (vectors * np.sqrt(values) @ vectors.T).astype(np.float32)

    def colored(level: Array) -> Array:
        made = irfft(rfft(rng.standard_normal(n, np.float32)) * level, n)[:n_samples]
        return made / made.std()

    traces = np.empty((n_samples, len(xy)), np.float32)
    for channel in range(len(xy)):
        traces[:, channel] = colored(levels[0])
    common = COMMON_UV * colored(levels[1])
    for start in range(0, n_samples, 100_000):
        part = slice(start, start + 100_000)
        traces[part] = traces[part] @ root + common[part, None]
    return traces, covariance


@cache
def measured_noise() -> tuple[Array, Array, Array, Array]:
    """Power spectra of what contacts have of their own and of what they share; correlation over distance."""
    from scipy.signal import welch

    import xephys

    recording = xephys.open_recording(data_folder() / "spikeglx" / "np2_4shank_real" / "run-001_g0_imec0")
    traces = recording.values.astype(float)
    traces -= np.median(traces, axis=0)
    common = np.median(traces, axis=1)
    rest = traces - common[:, None]
    spread = 1.4826 * np.median(np.abs(rest), axis=0)
    rest = np.clip(rest, -4 * spread, 4 * spread)  # without its spikes
    own = welch(rest, axis=0, nperseg=1024)[1].mean(axis=1)
    shared = welch(common, nperseg=1024)[1]
    xy = np.stack([recording["x"].values, recording["y"].values], axis=1)
    apart = np.linalg.norm(xy[:, None] - xy[None], axis=2)
    correlation = np.corrcoef(rest.T)
    edges = np.array([0.0, 1.0, 20.0, 33.0, 40.0, 60.0, 90.0, 130.0, 200.0])
    means = [np.median(correlation[(apart >= a) & (apart < b)]) for a, b in pairwise(edges)]
    middle = np.array([0.0, 15.0, 32.0, 36.0, 50.0, 75.0, 110.0, 165.0, 250.0])
    return own, shared, middle, np.array([*means, 0.0])
