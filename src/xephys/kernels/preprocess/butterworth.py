"""The Butterworth band-pass as second-order sections.

The module `scipy.signal` designs any filter and takes half a second to import, in which nothing else can run: a
thirtieth of a sort of 384 channels for a minute.
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
