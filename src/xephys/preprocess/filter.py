"""Recursive filters, zero-phase or causal: band-pass, high-pass, notch, and any other design."""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from typing import Any

import numpy as np
import xarray as xr

from .. import schema
from ..calls import operation
from ..checks import check_choice, check_corner, check_positive, hint_for
from ..errors import ParameterError
from ..graph.plan import Stage
from ..recording.gaps import warn_of_gap
from ..recording.stages import extend_recording

#: Maximum influence of samples beyond the halo, as a fraction of the signal.
HALO_TOLERANCE = 1e-6
#: Corner frequencies of each kind of filter.
_N_CORNERS = {"bandpass": 2, "bandstop": 2, "highpass": 1, "lowpass": 1}
#: Parameters of SciPy's designs: decibels in the pass band, and in the stop band.
_RIPPLES = ("rp", "rs")


@operation
def bandpass_filter(
    recording: xr.DataArray,
    *,
    freq_min_hz: float = 300.0,
    freq_max_hz: float = 6000.0,
    order: int = 5,
    ftype: str = "butter",
    tolerance: float = HALO_TOLERANCE,
    **design: Any,
) -> xr.DataArray:
    """Band-pass each channel, forwards and backwards, lazily.

    Parameters
    ----------
    recording
        Traces with dims ``(time, channel)``, counts or microvolts, any real dtype.
    freq_min_hz, freq_max_hz
        Corner frequencies.
    order
        Order of the design, applied twice.
    ftype
        Family, as in :func:`scipy.signal.iirfilter`: ``"butter"``, ``"bessel"``, ``"ellip"``, …
    tolerance
        Maximum influence of samples beyond the halo, as a fraction of the signal. It determines the halo, through the
        largest pole.
    **design
        ``rp`` and ``rs``, for families that need them.

    Returns
    -------
    Filtered traces, float32, same coordinates, chunks and unit, still lazy.

    Raises
    ------
    ParameterError
        If a corner is not inside (0, Nyquist) or the corners are in the wrong order.

    Notes
    -----
    Adds one stage to the recording's plan and no tasks. Within one halo of the two ends of the recording, values depend
    on how the signal is continued (its edge sample is repeated).

    Examples
    --------
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0)
    >>> filtered = bandpass_filter(recording, freq_min_hz=300, freq_max_hz=6000)
    >>> filtered.sizes == recording.sizes
    True
    """
    _check_design(design, bandpass_filter)
    rate = schema.validate_recording(recording).sampling_frequency
    check_corner("freq_min_hz", freq_min_hz, rate)
    check_corner("freq_max_hz", freq_max_hz, rate)
    if freq_min_hz >= freq_max_hz:
        raise ParameterError(f"freq_min_hz ({freq_min_hz:g}) is not below freq_max_hz ({freq_max_hz:g}); swap them")
    sos = _design(order, [freq_min_hz, freq_max_hz], "bandpass", ftype, rate, design)
    return filter_with_sos(recording, sos=sos, tolerance=tolerance)


@operation
def highpass_filter(
    recording: xr.DataArray,
    *,
    freq_min_hz: float = 300.0,
    order: int = 3,
    ftype: str = "butter",
    tolerance: float = HALO_TOLERANCE,
    **design: Any,
) -> xr.DataArray:
    """High-pass each channel, forwards and backwards, lazily.

    Parameters are those of :func:`bandpass_filter`.

    Raises
    ------
    ParameterError
        If the corner is not inside (0, Nyquist).

    Examples
    --------
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0)
    >>> highpass_filter(recording, freq_min_hz=300).dtype
    dtype('float32')
    """
    _check_design(design, highpass_filter)
    rate = schema.validate_recording(recording).sampling_frequency
    check_corner("freq_min_hz", freq_min_hz, rate)
    return filter_with_sos(
        recording, sos=_design(order, freq_min_hz, "highpass", ftype, rate, design), tolerance=tolerance
    )


@operation
def notch_filter(
    recording: xr.DataArray, *, freq_hz: float = 50.0, quality: float = 30.0, tolerance: float = HALO_TOLERANCE
) -> xr.DataArray:
    """Remove a narrow band around one frequency, forwards and backwards, lazily.

    Parameters
    ----------
    recording
        Traces with dims ``(time, channel)``.
    freq_hz
        Center of the notch.
    quality
        Center divided by the width at -3 dB. A narrow notch rings long: at 50 Hz with a quality of 30, the halo is
        several seconds.
    tolerance
        As in :func:`bandpass_filter`.

    Raises
    ------
    ParameterError
        If the frequency is not inside (0, Nyquist).

    Examples
    --------
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0)
    >>> notch_filter(recording, freq_hz=3000.0).sizes["channel"]
    8
    """
    from scipy.signal import iirnotch, tf2sos

    rate = schema.validate_recording(recording).sampling_frequency
    check_corner("freq_hz", freq_hz, rate)
    check_positive(quality=quality)
    return filter_with_sos(recording, sos=tf2sos(*iirnotch(freq_hz, quality, fs=rate)), tolerance=tolerance)


@operation
def filter(  # the field's name for it; Python's own is not used here
    recording: xr.DataArray,
    *,
    freq_hz: float | tuple[float, float] = (300.0, 6000.0),
    btype: str = "bandpass",
    order: int = 5,
    ftype: str = "butter",
    direction: str = "both",
    tolerance: float = HALO_TOLERANCE,
    **design: Any,
) -> xr.DataArray:
    """Filter each channel with any recursive design, in both directions or in one, lazily.

    Parameters
    ----------
    recording
        Traces with dims ``(time, channel)``, counts or microvolts, any real dtype.
    freq_hz
        Corner frequency; two of them for a ``"bandpass"`` or ``"bandstop"``.
    btype
        ``"bandpass"``, ``"bandstop"``, ``"highpass"`` or ``"lowpass"``.
    order, ftype, **design
        As in :func:`bandpass_filter`.
    direction
        ``"both"``: forwards and then backwards, without delay; ``"forward"``: causal, with the filter's own delay, like
        hardware and live displays; ``"backward"``.
    tolerance
        As in :func:`bandpass_filter`.

    Returns
    -------
    Filtered traces, float32, same coordinates, chunks and unit, still lazy; one task per chunk.

    Raises
    ------
    ParameterError
        If a corner is not inside (0, Nyquist), the number of corners does not fit ``btype``, or a name is unknown.

    Examples
    --------
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0)
    >>> filter(recording, freq_hz=300.0, btype="highpass", order=3, direction="forward").dtype
    dtype('float32')
    """
    _check_design(design, filter)
    rate = schema.validate_recording(recording).sampling_frequency
    check_choice("btype", btype, tuple(_N_CORNERS))
    corners = np.atleast_1d(np.asarray(freq_hz, np.float64))
    if corners.shape != (_N_CORNERS[btype],):
        needed = "one frequency" if _N_CORNERS[btype] == 1 else "two frequencies, such as (300, 6000)"
        raise ParameterError(f"freq_hz is {freq_hz!r}; a {btype} needs {needed}")
    for corner in corners:
        check_corner("freq_hz", corner, rate)
    if (np.diff(corners) <= 0).any():
        raise ParameterError(f"freq_hz is {freq_hz!r}; give the lower frequency first")
    given = corners.tolist() if len(corners) > 1 else corners.item()
    sos = _design(order, given, btype, ftype, rate, design)
    return filter_with_sos(recording, sos=sos, direction=direction, tolerance=tolerance)


@operation
def filter_with_sos(
    recording: xr.DataArray,
    *,
    sos: np.ndarray[Any, Any],
    direction: str = "both",
    tolerance: float = HALO_TOLERANCE,
) -> xr.DataArray:
    """Apply any stable cascade of second-order sections, lazily.

    Parameters
    ----------
    recording
        Traces with dims ``(time, channel)``.
    sos
        Sections ``(n_sections, 6)``, as the design functions of :mod:`scipy.signal` return them with ``output="sos"``.
    direction
        As in :func:`filter`.
    tolerance
        As in :func:`bandpass_filter`.

    Raises
    ------
    ParameterError
        If the tolerance is not inside (0, 1), or the direction is unknown.

    Examples
    --------
    >>> from scipy.signal import bessel
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0)
    >>> sos = bessel(4, [300, 5000], btype="bandpass", fs=recording.attrs["sampling_frequency"], output="sos")
    >>> filter_with_sos(recording, sos=sos).dtype
    dtype('float32')
    """
    from ..kernels.preprocess import filter as kernel

    check_choice("direction", direction, ("both", "forward", "backward"))
    if not 0 < tolerance < 1:
        raise ParameterError(f"tolerance is {tolerance:g}; it is a fraction between 0 and 1, such as 1e-6")
    sections = np.ascontiguousarray(sos, np.float64)
    halo = kernel.sos_halo(sections, tolerance)
    func, before, after = {
        "both": (kernel.sos_filtfilt, halo, halo),
        "forward": (kernel.sos_filter, halo, 0),
        "backward": (kernel.sos_filter_backward, 0, halo),
    }[direction]
    warn_of_gap(recording, schema.validate_recording(recording).sampling_frequency)
    stage = Stage(func, dtype=np.dtype("f4"), arrays={"sos": sections}, before=before, after=after)
    return extend_recording(recording, stage)


def _check_design(design: dict[str, Any], operation: Callable[..., Any]) -> None:
    """Refuse what neither the operation nor SciPy's design takes: it is most likely a misspelled parameter."""
    own = [p.name for p in signature(operation).parameters.values() if p.kind is p.KEYWORD_ONLY]
    for name in design:
        if name not in _RIPPLES:
            known = [*own, *_RIPPLES]
            raise ParameterError(f"{operation.__name__} has no parameter {name!r}{hint_for(name, known)}")


def _design(order: int, corners_hz: Any, btype: str, ftype: str, rate: float, design: dict[str, Any]) -> Any:
    if order < 1:
        raise ParameterError(f"order is {order}; it must be at least 1")
    if (btype, ftype, design) == ("bandpass", "butter", {}):
        from ..kernels.preprocess.butterworth import butterworth_bandpass

        return butterworth_bandpass(order, *corners_hz, sampling_frequency=rate)
    if (btype, ftype, design) == ("highpass", "butter", {}) and corners_hz <= rate / 16:
        from ..kernels.preprocess.butterworth import butterworth_highpass

        return butterworth_highpass(order, float(corners_hz), sampling_frequency=rate)
    from scipy.signal import iirfilter

    try:
        return iirfilter(order, corners_hz, btype=btype, ftype=ftype, fs=rate, output="sos", **design)
    except (ValueError, NotImplementedError, TypeError) as error:
        raise ParameterError(
            f"no {ftype!r} {btype} of order {order} at {corners_hz} Hz can be designed: {error}"
        ) from error
