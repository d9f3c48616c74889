"""The noise of tissue: its spectrum, and the distance over which contacts share it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.simulation.background import lower_root
from xephys.simulation.config import SimulationConfig
from xephys.simulation.probe import ProbeLayout

#: White noise, and noise that falls by 10 dB from low frequencies to the Nyquist frequency; unit power.
WHITE_TAPS = (1.0,)
COLORED_TAPS = (0.797, 0.536, 0.279)
#: Frequency (Hz) and amplitude density (µV/√Hz) of half a second recorded with a Neuropixels 2.0 probe, after
#: subtracting the median over its channels: median over 384 contacts and over windows of 34 ms. The recording is the
#: example of spikewrap 0.4.0 (BSD-3-Clause). In it, the correlation of two contacts between 300 and 6000 Hz is 0.53 at
#: 15 µm, 0.34 at 30, 0.24 at 45, 0.13 at 75 and 0.04 at 150 µm.
MEASURED = (
    (150.0, 0.782), (200.0, 0.680), (300.0, 0.601), (410.0, 0.537), (500.0, 0.500), (700.0, 0.449), (1000.0, 0.395),
    (1500.0, 0.334), (2000.0, 0.290), (3000.0, 0.225), (4000.0, 0.178), (5000.0, 0.149), (6000.0, 0.128),
    (7000.0, 0.113), (8000.0, 0.103), (9000.0, 0.094), (10000.0, 0.088), (11000.0, 0.086), (12000.0, 0.083),
    (14000.0, 0.079),
)  # fmt: skip
#: Length of the filter that gives noise this spectrum; it is flat below 150 Hz, where the field dominates.
MEASURED_TAPS_MS = 6.0
#: Fraction of variance private to a contact, so that contacts in one place are not exact copies.
OWN_VARIANCE = 1e-4


def noise_taps(config: SimulationConfig) -> NDArray[np.float32]:
    """Filter of unit power, float32, that gives white noise the spectrum of a recording.

    Examples
    --------
    >>> from xephys.simulation.config import SimulationConfig
    >>> noise_taps(SimulationConfig()).tolist()
    [1.0]
    """
    if config.noise_spectrum == "measured":
        return _measured_taps(config.sampling_frequency)
    return np.array(COLORED_TAPS if config.colored_noise else WHITE_TAPS, np.float32)


def _measured_taps(sampling_frequency: float) -> NDArray[np.float32]:
    """Symmetric filter with the measured spectrum: the inverse transform of its amplitudes, windowed against ripple."""
    n = 2 * round(MEASURED_TAPS_MS * sampling_frequency / 2000) + 1
    frequency, density = np.array(MEASURED).T
    at = np.fft.rfftfreq(4 * n, 1 / sampling_frequency)[1:]
    wanted = np.exp(np.interp(np.log(at), np.log(frequency), np.log(density)))
    response = np.fft.irfft(np.concatenate([wanted[:1], wanted]), 4 * n)
    taps = np.roll(response, n // 2)[:n] * np.hanning(n + 2)[1:-1]
    return np.asarray(taps / np.linalg.norm(taps), np.float32)


def noise_mixing(
    config: SimulationConfig, layout: ProbeLayout, *, independent: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Weights (independent, channel) that mix independent noise into that of the contacts, each of unit power.

    Channels that are ``independent``, or on different shanks, share nothing. If no channels share any, there are no
    rows.

    Examples
    --------
    >>> import numpy as np
    >>> from xephys.simulation.config import SimulationConfig
    >>> from xephys.simulation.probe import make_layout
    >>> layout = make_layout("neuropixels-1", 4)
    >>> config = SimulationConfig(noise_length_um=25.0)
    >>> mixing = noise_mixing(config, layout, independent=np.zeros(4, bool))
    >>> (mixing.T @ mixing).round(2)[0].tolist()  # exp(-32 / 25), exp(-25.6 / 25), ...
    [1.0, 0.28, 0.36, 0.36]
    """
    if config.noise_length_um == 0:
        return np.zeros((0, len(layout.xy)))
    apart = np.linalg.norm(layout.xy[:, None] - layout.xy[None], axis=2) / config.noise_length_um
    correlation = np.exp(-apart if config.noise_correlation == "exponential" else -(apart**2) / 2)
    correlation[layout.shank[:, None] != layout.shank[None, :]] = 0.0
    correlation[independent] = 0.0
    correlation[:, independent] = 0.0
    correlation *= 1.0 - OWN_VARIANCE
    np.fill_diagonal(correlation, 1.0)
    return np.ascontiguousarray(lower_root(correlation).T)
