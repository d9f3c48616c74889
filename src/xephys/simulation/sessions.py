"""Simulate templates and autocorrelograms of the same neurons in several sessions, quickly, without traces."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..errors import ParameterError
from .probe import make_layout

#: Number of samples of a template, and the sample of its trough, at 30 kHz.
N_SAMPLES, NBEFORE, SAMPLING_FREQUENCY = 48, 16, 30_000.0
#: Length of the neuron-free ends of the probe, and the number of intervals between spikes of each unit.
MARGIN_UM, N_INTERVALS = 50.0, 600
LAGS_MS = 300


class SessionsTruth(NamedTuple):
    """The ground truth of :func:`simulate_sessions`."""

    neuron: list[NDArray[np.int64]]
    """Neuron of each unit, session by session."""
    shift_um: NDArray[np.float64]
    """(session,): displacement in the middle of the probe"""
    tilt_um: NDArray[np.float64]
    """(session,): displacement of the top relative to the bottom"""
    shift_x_um: NDArray[np.float64]
    """(session,): displacement across the probe"""


class Session(NamedTuple):
    """One session of :func:`each_session`: its table of templates, and its truth."""

    table: xr.Dataset
    neuron: NDArray[np.int64]
    shift_um: float
    tilt_um: float
    shift_x_um: float


class _Neurons(NamedTuple):
    place: NDArray[np.float64]
    size: NDArray[np.float64]
    course: NDArray[np.float64]
    shape: NDArray[np.float64]
    rate_hz: NDArray[np.float64]


def simulate_sessions(
    *,
    n_sessions: int = 5,
    n_neurons: int = 40,
    n_channels: int = 96,
    probe: str = "neuropixels-like",
    shift_max_um: float = 30.0,
    tilt_max_um: float = 0.0,
    shift_x_max_um: float = 0.0,
    dropout: float = 0.2,
    turnover: float = 0.0,
    lookalikes: float = 0.0,
    oversplits: float = 0.0,
    gain_sd: float = 0.1,
    noise_uv: float = 1.0,
    rows_moved: int = 0,
    disjoint: bool = False,
    seed: int = 0,
) -> tuple[list[xr.Dataset], SessionsTruth]:
    """Simulate sessions that share neurons, as tables of templates.

    Parameters
    ----------
    n_sessions, n_neurons, n_channels
    probe
        Layout of the contacts, as in :func:`simulate_recording`.
    shift_max_um, tilt_max_um, shift_x_max_um
        Largest displacements of each session, drawn uniformly in either direction: of the middle, of the top relative
        to the bottom, and across the probe.
    dropout
        Share of the neurons that are missing in each session.
    turnover
        Share of the neurons that are replaced by others from one session to the next.
    lookalikes
        Share of the neurons that have the same time course as another neuron 20 to 60 µm away.
    oversplits
        Share of the units that are split into two.
    gain_sd
        Standard deviation of the logarithm of the gain of a neuron from session to session.
    noise_uv
        Standard deviation of the noise on the mean waveforms.
    rows_moved
        Rows of contacts by which the recorded part of the probe moves from one session to the next.
    disjoint
        Whether no session shares a neuron with another.
    seed

    Returns
    -------
    sessions : list of xarray.Dataset
        Tables that :func:`xephys.track_units` accepts.
    truth

    Examples
    --------
    >>> sessions, truth = simulate_sessions(n_sessions=2, n_neurons=10, n_channels=32, dropout=0.0, seed=0)
    >>> sessions[0].sizes["unit"], truth.neuron[1].tolist()
    (10, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    """
    made = list(
        each_session(
            n_sessions=n_sessions, n_neurons=n_neurons, n_channels=n_channels, probe=probe, shift_max_um=shift_max_um,
            tilt_max_um=tilt_max_um, shift_x_max_um=shift_x_max_um, dropout=dropout, turnover=turnover,
            lookalikes=lookalikes, oversplits=oversplits,
            gain_sd=gain_sd, noise_uv=noise_uv, rows_moved=rows_moved, disjoint=disjoint, seed=seed,
        )
    )  # fmt: skip
    moved = (np.array([getattr(one, name) for one in made]) for name in ("shift_um", "tilt_um", "shift_x_um"))
    return [one.table for one in made], SessionsTruth([one.neuron for one in made], *moved)


def each_session(
    *,
    n_sessions: int,
    n_neurons: int,
    n_channels: int = 96,
    probe: str = "neuropixels-like",
    shift_max_um: float = 30.0,
    tilt_max_um: float = 0.0,
    shift_x_max_um: float = 0.0,
    dropout: float = 0.2,
    turnover: float = 0.0,
    lookalikes: float = 0.0,
    oversplits: float = 0.0,
    gain_sd: float = 0.1,
    noise_uv: float = 1.0,
    rows_moved: int = 0,
    disjoint: bool = False,
    seed: int = 0,
) -> Iterator[Session]:
    """The sessions of :func:`simulate_sessions` one after the other, so that only one has to be in memory."""
    shares = {"dropout": dropout, "turnover": turnover, "lookalikes": lookalikes, "oversplits": oversplits}
    for name, share in shares.items():
        if not 0 <= share < 1:
            raise ParameterError(f"{name} is {share!r}; it must be at least 0 and below 1")
    if n_sessions < 1 or n_neurons < 1 or n_channels < 8:
        raise ParameterError(
            f"{n_sessions} sessions of {n_neurons} neurons on {n_channels} channels; use at least 1, 1 and 8"
        )
    rng = np.random.default_rng(seed)
    contacts = make_layout(probe, n_channels + 2 * rows_moved * max(n_sessions - 1, 0)).xy
    neurons, names = _drawn(rng, n_neurons, contacts, lookalikes), np.arange(n_neurons)
    shift = rng.uniform(-shift_max_um, shift_max_um, n_sessions)
    tilt = rng.uniform(-tilt_max_um, tilt_max_um, n_sessions)
    # Drawn apart, so that the sessions of a seed are the same with and without a displacement across the probe.
    across = np.random.default_rng([seed, 1]).uniform(-shift_x_max_um, shift_x_max_um, n_sessions)
    for session in range(n_sessions):
        new = np.ones(n_neurons, np.bool_) if disjoint else rng.uniform(size=n_neurons) < turnover
        if session and new.any():
            drawn = _drawn(rng, n_neurons, contacts, lookalikes)
            neurons = _Neurons(
                *(np.where(_along(new, old), fresh, old) for old, fresh in zip(neurons, drawn, strict=True))
            )
            names = np.where(new, names.max() + 1 + np.arange(n_neurons), names)
        first = 2 * rows_moved * session
        recorded = contacts[first : first + n_channels]
        moved = _moved(neurons.place, shift[session], tilt[session], across[session], contacts)
        inside = (moved[:, 1] >= recorded[:, 1].min()) & (moved[:, 1] <= recorded[:, 1].max())
        present = np.flatnonzero((rng.uniform(size=n_neurons) >= dropout) & inside)
        present = np.sort(np.concatenate([present, present[rng.uniform(size=len(present)) < oversplits]]))
        table = _session(rng, neurons, moved, present, recorded, gain_sd=gain_sd, noise_uv=noise_uv)
        yield Session(table, names[present], float(shift[session]), float(tilt[session]), float(across[session]))


def _moved(
    place: NDArray[np.float64], shift_um: float, tilt_um: float, shift_x_um: float, contacts: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Locations of the neurons after the tissue has moved."""
    low, high = contacts[:, 1].min(), contacts[:, 1].max()
    out = place.copy()
    out[:, 0] += shift_x_um
    out[:, 1] += shift_um + tilt_um * (place[:, 1] - (low + high) / 2) / (high - low)
    return out


def _along(mask: NDArray[np.bool_], values: NDArray[np.float64]) -> NDArray[np.bool_]:
    return mask.reshape(-1, *[1] * (values.ndim - 1))


def _drawn(rng: np.random.Generator, n: int, contacts: NDArray[np.float64], lookalikes: float) -> _Neurons:
    low, high = contacts.min(axis=0), contacts.max(axis=0)
    margin = min(MARGIN_UM, (high[1] - low[1]) / 4)
    place = np.column_stack(
        [rng.uniform(low[0], high[0], n), rng.uniform(low[1] + margin, high[1] - margin, n), rng.uniform(10, 30, n)]
    )
    width, lobe = rng.uniform(3, 8, (n, 1)), rng.uniform(0.2, 0.6, (n, 1))
    size, shape, rate = 15 * rng.uniform(80, 300, n), rng.uniform(0.7, 4, n), rng.uniform(2, 15, n)
    copies = np.flatnonzero(rng.uniform(size=n) < lookalikes)
    models = rng.integers(0, n, len(copies))
    width[copies], lobe[copies], size[copies] = width[models], lobe[models], size[models]
    place[copies] = place[models]
    place[copies, 1] += rng.uniform(20, 60, len(copies)) * rng.choice([-1, 1], len(copies))
    t = np.arange(N_SAMPLES)[None] - NBEFORE
    trough = np.exp(-(t**2) / (2 * width**2))
    course = lobe * np.exp(-((t - 2.5 * width) ** 2) / (2 * (1.8 * width) ** 2)) - trough
    return _Neurons(place, size, course, shape, rate)


def _session(
    rng: np.random.Generator,
    neurons: _Neurons,
    moved: NDArray[np.float64],
    present: NDArray[np.int64],
    contacts: NDArray[np.float64],
    *,
    gain_sd: float,
    noise_uv: float,
) -> xr.Dataset:
    place = moved[present]
    gain = np.exp(gain_sd * rng.standard_normal(len(present)))
    distance = np.sqrt(((contacts[None] - place[:, None, :2]) ** 2).sum(axis=2) + place[:, 2:] ** 2)
    sizes = (neurons.size[present] * gain)[:, None] / distance
    templates = neurons.course[present][:, :, None] * sizes[:, None, :]
    templates += noise_uv * rng.standard_normal(templates.shape)
    shape, rate = neurons.shape[present][:, None], neurons.rate_hz[present][:, None]
    intervals = 2.0 + rng.gamma(np.broadcast_to(shape, (len(present), N_INTERVALS)), 1e3 / rate / shape)
    times_ms = np.cumsum(intervals, axis=1)
    return xr.Dataset(
        {
            "templates": (("unit", "sample", "channel"), templates.astype(np.float32), {"units": "uV"}),
            "autocorrelogram": (("unit", "lag"), _autocorrelograms(times_ms)),
            "spike_time": (("unit", "spike"), times_ms, {"units": "ms"}),
            "n_spikes": ("unit", np.full(len(present), N_INTERVALS)),
        },
        coords={
            "unit_id": ("unit", np.arange(len(present))),
            "x": ("channel", contacts[:, 0]),
            "y": ("channel", contacts[:, 1]),
        },
        attrs={"sampling_frequency": SAMPLING_FREQUENCY, "nbefore": NBEFORE},
    )


def _autocorrelograms(times_ms: NDArray[np.float64]) -> NDArray[np.float32]:
    """Autocorrelograms as in :func:`xephys.session_units`, of trains with equal numbers of spikes ``(unit, spike)``."""
    from scipy.ndimage import gaussian_filter1d

    counts = np.zeros((len(times_ms), LAGS_MS))
    for apart in range(1, times_ms.shape[1]):
        lag = times_ms[:, apart:] - times_ms[:, :-apart]
        if not lag.size or lag.min() > LAGS_MS:
            break
        unit = np.broadcast_to(np.arange(len(lag))[:, None], lag.shape)
        near = lag < LAGS_MS
        np.add.at(counts, (unit[near], lag[near].astype(np.int64)), 1)
    smooth = gaussian_filter1d(counts, 5.0, axis=1)
    return np.asarray(smooth / np.maximum(smooth.max(axis=1, keepdims=True), 1e-12), np.float32)
