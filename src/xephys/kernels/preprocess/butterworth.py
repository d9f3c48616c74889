"""The Butterworth band-pass and high-pass as second-order sections.

The module `scipy.signal` designs any filter and takes half a second to import, in which nothing else can run: a
thirtieth of a sort of 384 channels for a minute, and a tenth of one of 16 channels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def butterworth_bandpass(
    order: int, freq_min_hz: float, freq_max_hz: float, *, sampling_frequency: float
) -> NDArray[np.float64]:
    """Sections of the digital band-pass whose analog prototype is Butterworth's, by the bilinear transform.

    Parameters
    ----------
    order : int
        Order of the low-pass prototype, at least 1; the band-pass has as many sections.
    freq_min_hz, freq_max_hz : float
        Corners, at which the amplitude falls by 3 dB.
    sampling_frequency : float
        In Hz, more than twice ``freq_max_hz``.

    Returns
    -------
    float64 array of shape (order, 6)
        In the form of SciPy: numerator and denominator of each section, the poles nearest to the unit circle last.

    Examples
    --------
    >>> sos = butterworth_bandpass(1, 300.0, 6000.0, sampling_frequency=30_000.0)
    >>> sos.shape, [float(v) for v in (sos[:, :3] / sos[:, :1]).ravel()]
    ((1, 6), [1.0, 0.0, -1.0])
    """
    twice = 2.0 * sampling_frequency
    low, high = twice * np.tan(np.pi * np.array([freq_min_hz, freq_max_hz]) / sampling_frequency)
    prototype = -np.exp(0.5j * np.pi * np.arange(1 - order, order, 2) / order)
    half = 0.5 * (high - low) * prototype
    root = np.sqrt(half**2 - low * high)
    analog = np.concatenate([half + root, half - root])
    poles = (twice + analog) / (twice - analog)
    gain = (twice * (high - low)) ** order / np.prod(twice - analog).real
    # Complex poles come in conjugate pairs. The prototype of odd order has a real pole, which becomes two real ones if
    # the band is wide.
    is_real = np.abs(poles.imag) < 1e-9
    upper, real = poles[~is_real & (poles.imag > 0)], np.sort(poles[is_real].real)
    sections = np.zeros((order, 6))
    sections[:, [0, 2, 3]] = 1.0, -1.0, 1.0  # a zero at each end of the spectrum
    sections[: upper.size, 4], sections[: upper.size, 5] = -2.0 * upper.real, np.abs(upper) ** 2
    if real.size:
        sections[-1, 4:] = -real.sum(), real.prod()
    largest = [np.abs(np.roots(section[3:])).max() for section in sections]
    sections = sections[np.argsort(largest, kind="stable")]
    sections[0, :3] *= gain
    return sections


def butterworth_highpass(order: int, freq_min_hz: float, *, sampling_frequency: float) -> NDArray[np.float64]:
    """Sections of the digital high-pass whose analog prototype is Butterworth's, by the bilinear transform.

    Parameters
    ----------
    order : int
        At least 1. If it is odd, one section has a single zero and a single pole.
    freq_min_hz : float
        Corner, at which the amplitude falls by 3 dB; at most a sixteenth of the sampling frequency.
    sampling_frequency : float
        In Hz.

    Returns
    -------
    float64 array of shape ((order + 1) // 2, 6)
        Those of ``scipy.signal.butter`` to the last bit, the poles nearest to the unit circle last.

    Raises
    ------
    ValueError
        If the corner is higher: SciPy pairs poles that are far from 1 with other zeros.

    Examples
    --------
    >>> butterworth_highpass(2, 300.0, sampling_frequency=30_000.0).round(3).tolist()
    [[0.957, -1.913, 0.957, 1.0, -1.911, 0.915]]
    """
    if freq_min_hz > sampling_frequency / 16:
        raise ValueError(f"the corner is {freq_min_hz:g} Hz, above a sixteenth of {sampling_frequency:g} Hz")
    corner = 4.0 * np.tan(np.pi * (freq_min_hz / (sampling_frequency / 2)) / 2.0)
    prototype = -np.exp(1j * np.pi * np.arange(1 - order, order, 2, dtype=np.float64) / (2 * order))
    analog = corner / prototype
    poles = (4.0 + analog) / (4.0 - analog)
    gain = (1.0 / np.prod(-prototype)).real * (4.0**order / np.prod(4.0 - analog)).real
    upper = poles[poles.imag > 1e-9 * np.abs(poles)]
    upper = upper[np.argsort(-np.abs(1.0 - np.abs(upper)), kind="stable")]
    sections = np.tile([1.0, -2.0, 1.0, 1.0, 0.0, 0.0], ((order + 1) // 2, 1))
    pairs = sections[order % 2 :]
    pairs[:, 4], pairs[:, 5] = -2.0 * upper.real, upper.real * upper.real + upper.imag * upper.imag
    if order % 2:
        sections[0] = 1.0, -1.0, 0.0, 1.0, -poles[order // 2].real, 0.0
    sections[0, :3] *= gain
    return sections
