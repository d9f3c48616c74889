"""The zero-phase filter on a device: a product with the squared magnitude response, over the tile with its halo.

A recursion runs along time, while a device needs independent work. The frequency response of the filter is known
exactly. What the product takes from beyond the ends of the tile has decayed over the halo as much as in the recursion.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft, signal

from xephys.kernels.lib.cuda import has_cuda_kernels
from xephys.kernels.lib.dispatch import resident
from xephys.kernels.preprocess.filter import sos_halo

#: Channels transformed together: in double precision, 64 channels of a tile take 16 MB, and several times that as
#: scratch.
CHANNELS = 64


def squared_response(sos: NDArray[np.floating], *, n: int) -> NDArray[np.float64]:
    """Squared magnitude of the filter at the frequencies of a real transform of ``n`` samples, shape (frequency, 1).

    Examples
    --------
    >>> from scipy.signal import butter
    >>> squared_response(butter(2, 0.5, output="sos"), n=4).round(3).ravel() + 0.0
    array([1. , 0.5, 0. ])
    """
    _, response = signal.sosfreqz(np.asarray(sos, np.float64), worN=np.arange(n // 2 + 1) * (2 * np.pi / n))
    return np.asarray(np.abs(response)[:, None] ** 2)


def sos_filtfilt(xp: Any, traces: Any, *, before: int, after: int, sos: NDArray[np.floating]) -> Any:
    """As `xephys.kernels.preprocess.filter.sos_filtfilt`, to within what the halo forgets.

    The tile is extended by repeating its first and last rows for as long as the filter remembers. The jump between its
    end and its beginning, which the transform joins in a circle, is then too far away to affect the core.
    """
    if has_cuda_kernels(xp):
        from xephys.kernels.preprocess.filter_cuda import sos_filtfilt as by_recursion

        return by_recursion(xp, traces, before=before, after=after, sos=sos)
    rows = len(traces)
    n = fft.next_fast_len(rows + sos_halo(sos), real=True)
    response = resident(xp, squared_response, sos, n=n)
    filtered = xp.empty((rows - before - after, traces.shape[1]), dtype=np.float32)
    for first in range(0, traces.shape[1], CHANNELS):
        part = traces[:, first : first + CHANNELS].astype(np.float64)
        # Offsets and slow waves are far larger than spikes; removing them makes every rounding error that much smaller.
        level = part[:1] + 0.0
        part -= level
        continued = xp.zeros((n, part.shape[1]), dtype=np.float64)
        continued[:rows] = part
        continued[rows : rows + (n - rows) // 2] = part[-1:]
        spectrum = xp.fft.rfft(continued, axis=0)
        spectrum *= response
        wanted = xp.fft.irfft(spectrum, n=n, axis=0)[before : rows - after]
        filtered[:, first : first + CHANNELS] = wanted + level * response[0, 0]
    return filtered
