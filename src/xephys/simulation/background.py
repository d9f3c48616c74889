"""Background of a block of samples. Every stream is drawn by absolute block number, so blocks are independent."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.simulation.background import add_filtered, add_outer, add_spline_field, mix_modes
from xephys.simulation.config import SimulationConfig
from xephys.simulation.noise import noise_mixing, noise_taps
from xephys.simulation.probe import ProbeLayout

FIELD_FACTOR = 10  # the field is computed at a tenth of the sampling frequency
FIELD_MODES = 12
FIELD_MEMORY = 6144  # taps of the 1/f filter: 2 s at 30 kHz, so the slope holds down to 0.5 Hz
HARMONICS = ((1, 1.0), (3, 0.45), (5, 0.25), (7, 0.12), (9, 0.06))
SLOW_WAVES = 16
DRAWN_BEFORE = 2  # rows drawn before a block; more if its filter reaches farther back
NOISY = 8.0


class Background(NamedTuple):
    """Constants of one recording's background."""

    noise_uv: NDArray[np.float32]  # (channel,)
    noise_taps: NDArray[np.float32]  # filter that colors white noise
    noise_mixing: NDArray[np.float64]  # (independent noise, channel); empty if channels are independent
    offset_uv: NDArray[np.float32]
    live: NDArray[np.bool_]
    noisy: NDArray[np.bool_]
    field_filter: NDArray[np.complex128]  # transform of the 1/f impulse response
    field_loading: NDArray[np.float64]  # (mode, channel)
    slow_hz: NDArray[np.float64]
    slow_phase: NDArray[np.float64]
    slow_loading: NDArray[np.float64]  # (wave, channel)
    mains_loading: NDArray[np.float32]  # (2, channel): in phase, in quadrature


def block_length(config: SimulationConfig) -> int:
    """Length of the grid on which everything random is drawn: half a second, which suits tiles and chunks."""
    return FIELD_FACTOR * max(1, round(0.5 * config.sampling_frequency / FIELD_FACTOR))


def draw_background(config: SimulationConfig, layout: ProbeLayout) -> Background:
    """Constants of the background: a function of the configuration alone."""
    rng = np.random.default_rng([config.seed, 11])
    n = config.n_channels
    faulty = rng.permutation(n)[: config.n_dead_channels + config.n_noisy_channels]
    live, noisy = np.ones(n, np.bool_), np.zeros(n, np.bool_)
    live[faulty[: config.n_dead_channels]] = False
    noisy[faulty[config.n_dead_channels :]] = True
    noise = config.noise_uv * rng.uniform(0.9, 1.15, n) * np.where(noisy, NOISY, 1.0)
    return Background(
        noise_uv=noise.astype(np.float32),
        noise_taps=noise_taps(config),
        noise_mixing=noise_mixing(config, layout, independent=noisy),
        offset_uv=(config.offset_uv * rng.standard_normal(n)).astype(np.float32),
        live=live,
        noisy=noisy,
        field_filter=_pink_filter(_field_size(config)),
        field_loading=config.field_uv * _smooth_loadings(FIELD_MODES, layout, rng),
        slow_hz=np.exp(rng.uniform(np.log(0.4), np.log(4.0), SLOW_WAVES)),
        slow_phase=rng.uniform(0, 2 * np.pi, SLOW_WAVES),
        slow_loading=config.slow_wave_uv * _smooth_loadings(SLOW_WAVES, layout, rng),
        mains_loading=(config.mains_uv * rng.normal([[1.0], [0.0]], 0.15, (2, n))).astype(np.float32),
    )


def _field_size(config: SimulationConfig) -> int:
    """Length of the transform, rounded up to a fast size.

    It covers the filter's memory, one block and the knots around it.
    """
    needed = FIELD_MEMORY + block_length(config) // FIELD_FACTOR + 3
    return int(2 ** np.ceil(np.log2(needed)))


def _pink_filter(size: int) -> NDArray[np.complex128]:
    """Transform of a causal filter of unit power whose output has a 1/f^1.6 spectrum (Kasdin's recursion, 1995)."""
    half_slope = 0.8
    k = np.arange(1, FIELD_MEMORY)
    taps = np.concatenate([[1.0], np.cumprod((half_slope + k - 1) / k)])
    taps *= 0.5 * (1 + np.cos(np.pi * np.arange(FIELD_MEMORY) / FIELD_MEMORY))
    taps -= taps.mean()  # no drift: below the filter's memory, the slow waves take over
    return np.fft.rfft(taps / np.linalg.norm(taps), size)


def _smooth_loadings(n_modes: int, layout: ProbeLayout, rng: np.random.Generator) -> NDArray[np.float64]:
    """Modes across the contacts (mode, channel): a common one, then ever finer; unit power in sum on average."""
    y = layout.xy[:, 1] + 0.5 * layout.xy[:, 0]
    modes = np.empty((n_modes, len(y)))
    for m in range(n_modes):
        wavelength_um = 6000.0 / (1 + m)
        modes[m] = np.cos(2 * np.pi * y / wavelength_um + rng.uniform(0, 2 * np.pi)) / (1 + 0.5 * m)
    modes[0] = 1.0 + 0.05 * rng.standard_normal(len(y))
    return np.asarray(modes / np.sqrt((modes**2).mean(axis=1).sum()), np.float64)


def stream(config: SimulationConfig, name: int, block: int) -> np.random.Generator:
    """Random generator of one stream in one block; block numbers may be negative (before the recording)."""
    return np.random.Generator(np.random.SFC64([*config.session_seed, name, block + 2**20]))


def add_thermal(traces: NDArray[np.float32], block: int, config: SimulationConfig, background: Background) -> None:
    """Add the noise of tissue, contacts and amplifiers to one block, in place, with its spectrum and reach."""
    n, n_channels = traces.shape
    taps = background.noise_taps
    # The filter crosses block borders, so the rows that two blocks share come from a stream of the border.
    drawn, carried = max(len(taps) - 1, DRAWN_BEFORE), len(taps) - 1
    white = np.empty((n + drawn, n_channels), np.float32)
    stream(config, 22, block).standard_normal(out=white, dtype=np.float32)
    white = white[drawn - carried :]
    if carried:
        white[:carried] = stream(config, 23, block).standard_normal((carried, n_channels), np.float32)
        white[n:] = stream(config, 23, block + 1).standard_normal((carried, n_channels), np.float32)
    if background.noise_mixing.size:
        white = mix_modes(white, background.noise_mixing)
    add_filtered(traces, white, taps, background.noise_uv)


def add_field(traces: NDArray[np.float32], block: int, config: SimulationConfig, background: Background) -> None:
    """Add the 1/f field and the slow waves to one block, in place."""
    knots_per_block = len(traces) // FIELD_FACTOR
    first = block * knots_per_block - 1  # knot of absolute number -1 is the one before sample 0
    n_knots = knots_per_block + 3
    knots = np.zeros((n_knots, traces.shape[1]), np.float32)
    if config.field_uv > 0:
        wanted = np.arange(first - FIELD_MEMORY + 1, first + n_knots)
        blocks = range(int(wanted[0] // knots_per_block), int(wanted[-1] // knots_per_block) + 1)
        white = np.concatenate(
            [stream(config, 20, b).standard_normal((knots_per_block, FIELD_MODES), np.float32) for b in blocks]
        )
        skip = int(wanted[0] - blocks[0] * knots_per_block)
        white = white[skip : skip + len(wanted)].astype(np.float64)
        size = 2 * (len(background.field_filter) - 1)
        spectrum = np.fft.rfft(white, size, axis=0) * background.field_filter[:, None]
        modes = np.fft.irfft(spectrum, size, axis=0)[FIELD_MEMORY - 1 : FIELD_MEMORY - 1 + n_knots]
        knots += mix_modes(modes, background.field_loading)
    if config.slow_wave_uv > 0:
        t = np.arange(first, first + n_knots) * (FIELD_FACTOR / config.sampling_frequency)
        waves = np.sin(2 * np.pi * t[:, None] * background.slow_hz + background.slow_phase) * np.sqrt(2.0)
        knots += mix_modes(waves, background.slow_loading)
    add_spline_field(traces, knots, FIELD_FACTOR)


def add_mains(traces: NDArray[np.float32], start: int, config: SimulationConfig, background: Background) -> None:
    """Add the mains and its odd harmonics, in place; harmonics near the Nyquist frequency are left out."""
    t = (start + np.arange(len(traces))) / config.sampling_frequency
    for quadrature, shift in enumerate((0.0, 0.25)):
        course = np.zeros(len(t))
        for order, size in HARMONICS:
            if order * config.mains_hz < 0.4 * config.sampling_frequency:
                course += size * np.sin(2 * np.pi * order * (config.mains_hz * t + shift))
        add_outer(traces, 0, course.astype(np.float32), background.mains_loading[quadrature])
