"""Phase shift on a device."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.lib.cuda import has_cuda_kernels
from xephys.kernels.lib.dispatch import resident
from xephys.kernels.preprocess.phase_shift import TAPS, delay_filter, phase_shift_halo


def phase_shift(
    xp: Any, traces: Any, *, before: int, after: int, shifts: NDArray[np.floating], taps: int = TAPS
) -> Any:
    """As `xephys.kernels.preprocess.phase_shift.phase_shift`: one multiplication and addition per lag."""
    halo = phase_shift_halo(taps)
    n = len(traces) - before - after
    if has_cuda_kernels(xp):
        from xephys.kernels.preprocess.fir_cuda import weighted_rows

        weights = resident(xp, _weights, shifts, taps=taps)
        return weighted_rows(xp, traces, weights, first=before - halo, n=n)
    response = resident(xp, delay_filter, shifts, taps=taps)
    source = traces[before - halo : before + n + halo].astype(np.float32)
    shifted = xp.zeros((n, traces.shape[1]), dtype=np.float32)
    for lag in range(2 * halo + 1):
        shifted += source[lag : lag + n] * response[2 * halo - lag]
    return shifted


def _weights(shifts: NDArray[np.floating], *, taps: int) -> NDArray[np.float32]:
    """Weights of the rows from the earliest to the latest."""
    return np.ascontiguousarray(delay_filter(shifts, taps=taps)[::-1], np.float32)
