"""A band-pass without ringing: the difference of two Gaussians over frequency."""

from __future__ import annotations

import numpy as np
import xarray as xr

from .. import schema
from ..calls import operation
from ..checks import check_corner
from ..errors import ParameterError
from ..graph.plan import Stage
from ..recording.stages import extend_recording

#: Half the length of the response in cycles of its lowest corner: 5 standard deviations over time.
REACH_CYCLES = 5 / (2 * np.pi)


@operation
def gaussian_filter(
    recording: xr.DataArray, *, freq_min_hz: float | None = 300.0, freq_max_hz: float | None = 5000.0
) -> xr.DataArray:
    """Filter each channel with the difference of two Gaussians over frequency, lazily.

    The gain is ``exp(-f²/2·freq_max²) - exp(-f²/2·freq_min²)``: it falls off slowly and does not ring. The response is
    finite (5 standard deviations of the longer Gaussian), so the result is exact whatever the chunks.

    Parameters
    ----------
    recording
        Traces with dims ``(time, channel)``, counts or microvolts, any real dtype.
    freq_min_hz, freq_max_hz
        Standard deviations of the Gaussians; None for a low-pass or a high-pass.

    Returns
    -------
    Filtered traces, float32, same coordinates, chunks and unit, still lazy; one task per chunk.

    Raises
    ------
    ParameterError
        If a corner is not inside (0, Nyquist), the corners are in the wrong order, both are missing, or the filter is
        longer than the recording.

    Examples
    --------
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0)
    >>> gaussian_filter(recording, freq_min_hz=300, freq_max_hz=5000).dtype
    dtype('float32')
    """
    from ..kernels.preprocess.fir import fir_filter, gaussian_taps

    rate = schema.validate_recording(recording).sampling_frequency
    for name, freq in (("freq_min_hz", freq_min_hz), ("freq_max_hz", freq_max_hz)):
        if freq is not None:
            check_corner(name, freq, rate)
    if freq_min_hz is None and freq_max_hz is None:
        raise ParameterError("freq_min_hz and freq_max_hz are both None; give at least one of them")
    if freq_min_hz is not None and freq_max_hz is not None and freq_min_hz >= freq_max_hz:
        raise ParameterError(f"freq_min_hz ({freq_min_hz:g}) is not below freq_max_hz ({freq_max_hz:g}); swap them")
    lowest_hz = min(freq for freq in (freq_min_hz, freq_max_hz) if freq is not None)
    reach_s, duration_s = REACH_CYCLES / lowest_hz, recording.sizes["time"] / rate
    if reach_s > duration_s:
        raise ParameterError(
            f"at a corner of {lowest_hz:g} Hz the filter reaches {reach_s:g} s, and the recording lasts "
            f"{duration_s:g} s; give at least {REACH_CYCLES / duration_s:g} Hz"
        )
    taps = gaussian_taps(freq_min_hz=freq_min_hz, freq_max_hz=freq_max_hz, sampling_frequency=rate)
    halo = len(taps) // 2
    stage = Stage(fir_filter, dtype=np.dtype("f4"), arrays={"taps": taps}, before=halo, after=halo)
    return extend_recording(recording, stage)
