"""Detect spikes by iterative subtraction: from white traces to a lazy table of events, or to what they leave."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from .. import schema
from ..calls import operation
from ..checks import check_choice, check_keywords, check_positive
from ..errors import ParameterError, RecordingError
from ..graph.events import SpikeTable
from ..graph.plan import Stage
from ..per_channel import bad_channels_of, noise_levels_of, positions_of
from ..recording.geometry import channel_groups, nearest_channels, neighbors_within
from ..recording.stages import extend_recording, recording_plan
from ..typing import PeakSign

#: Time around an event in which it is not examined again, and in which a trough's own positive peaks are not.
CLOSED_MS, CLOSED_TO_PEAKS_MS = 7 / 30, 41 / 30
#: Size of the box in which a point source is searched, µm.
DISTANCE_MAX_UM = 150.0


@operation
def detect_by_subtraction(
    recording: xr.DataArray,
    *,
    denoiser: xr.Dataset,
    noise_levels: xr.DataArray,
    components: xr.DataArray | None = None,
    n_nearest: int = 16,
    localization_radius_um: float = 100.0,
    keep_denoised: bool = False,
    **settings: Any,
) -> SpikeTable:
    """Detect spikes by iterative subtraction, lazily: denoise the largest peaks, subtract them, look again.

    In each round, peaks that no larger peak competes with are cut out, denoised, and accepted if subtracting them
    removes enough energy. Spikes hidden below larger ones appear in later rounds. Every peak is examined once.

    Parameters
    ----------
    recording
        White traces with dims ``(time, channel)``. Channels marked ``bad`` give no events.
    denoiser
        From :func:`learn_denoiser` on the same traces.
    noise_levels
        Of the same traces, from :func:`xephys.estimate_noise_levels`.
    components
        Temporal components from :func:`xephys.learn_components`. If given, each event gets its ``projection``.
    n_nearest
        Number of channels of the projection.
    localization_radius_um
        Channels within this radius locate an event.
    keep_denoised
        Add the coefficients of the denoised waveform, ``denoised``.
    **settings
        ``detect_threshold``, ``energy_threshold``, ``peak_sign``, ``radius_um`` and ``exclude_radius_um``, as for
        :func:`subtraction_stage`.

    Returns
    -------
    Lazy table with the fields of :func:`xephys.detect_peaks`, then ``gain`` (square root of the energy that the event
    explains), ``x``, ``y``, ``z`` and ``alpha`` (the point source that explains its denoised amplitudes), and, if
    asked for, ``projection (channel, component)`` of the trace without all other events, and
    ``denoised (channel, component)``. ``amplitude`` is the trace at the event without all other events.

    Raises
    ------
    ParameterError
        If a setting does not exist, a number is outside its limits, or the denoiser is for another sampling rate.
    RecordingError
        If positions are missing, the noise levels do not fit, or every channel is silent or bad.

    Notes
    -----
    After the neural subtraction of Boussard, Windolf et al. (2023), bioRxiv 2023.08.11.553023, with a low-rank
    denoiser instead of a network, and one whitened space for peaks, energies and features.

    Examples
    --------
    >>> import xephys
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=4, n_channels=8, n_units=2, seed=0)
    >>> filtered = xephys.bandpass_filter(recording)
    >>> white = xephys.whiten(filtered, whitening=xephys.estimate_whitening(filtered))
    >>> levels = xephys.estimate_noise_levels(white)
    >>> denoiser = xephys.learn_denoiser(white, xephys.detect_peaks(white, noise_levels=levels))
    >>> events = detect_by_subtraction(white, denoiser=denoiser, noise_levels=levels)
    >>> events.fields[4:]
    ('gain', 'x', 'y', 'z', 'alpha')
    """
    from ..kernels.localize.point_source import radial_decrease_steps
    from ..kernels.subtract.subtraction import detect_by_subtraction as kernel

    given = {"denoiser": denoiser, "noise_levels": noise_levels, **settings}
    check_keywords(given, subtraction_stage, what="detect_by_subtraction")
    stage = subtraction_stage(recording, kernel, **given)
    positions, groups = positions_of(recording, why="localization"), channel_groups(recording)
    check_positive(localization_radius_um=localization_radius_um)
    subtracted = stage.arrays["reach.subtracted"]
    around = neighbors_within(positions, radius_um=localization_radius_um, groups=groups)
    arrays: dict[str, NDArray[Any]] = {
        "places.positions": positions.astype(np.float64),
        "places.around": around,
        "places.slots": _slots(around, subtracted),
        "places.decrease_steps": radial_decrease_steps(positions, around),
        "places.distance_max_um": np.float64(DISTANCE_MAX_UM).reshape(()),
    }
    fields: list[tuple[str, Any, tuple[int, ...]]] = [(n, "<f8", ()) for n in ("gain", "x", "y", "z", "alpha")]
    if components is not None:
        nearest = nearest_channels(positions, n_nearest=n_nearest, groups=groups)
        basis_nbefore = int(components.attrs["nbefore"])
        _check_inside(components, denoiser)
        arrays["features.basis"] = np.ascontiguousarray(components.values, np.float32)
        arrays["features.basis_nbefore"] = np.array(basis_nbefore, np.int64)
        arrays["features.neighbors"] = nearest
        arrays["features.places"] = _slots(nearest, subtracted)
        fields.append(("projection", "<f4", (nearest.shape[1], components.shape[0])))
    if keep_denoised:
        fields.append(("denoised", "<f4", (subtracted.shape[1], denoiser.sizes["component"])))
    dtype = np.dtype([*[(n, schema.PEAK_DTYPE[n]) for n in schema.PEAK_DTYPE.names], *fields])
    return SpikeTable.of_plan(
        recording_plan(recording).then(
            Stage(
                stage.func,
                dtype=dtype,
                parameters={**stage.parameters, "keep_denoised": keep_denoised},
                arrays={**stage.arrays, **arrays},
                before=stage.before,
                after=stage.after,
                emits="events",
            )
        )
    )


@operation
def subtraction_residual(
    recording: xr.DataArray, *, denoiser: xr.Dataset, noise_levels: xr.DataArray, **settings: Any
) -> xr.DataArray:
    """What :func:`detect_by_subtraction` leaves of the traces, lazily.

    Parameters
    ----------
    recording, denoiser, noise_levels, **settings
        As for :func:`detect_by_subtraction`, whose events are subtracted.

    Returns
    -------
    The traces without the events: same dims, coordinates and unit, float32.

    Examples
    --------
    >>> import xephys
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=4, n_channels=8, n_units=2, seed=0)
    >>> filtered = xephys.bandpass_filter(recording)
    >>> white = xephys.whiten(filtered, whitening=xephys.estimate_whitening(filtered))
    >>> levels = xephys.estimate_noise_levels(white)
    >>> denoiser = xephys.learn_denoiser(white, xephys.detect_peaks(white, noise_levels=levels))
    >>> residual = subtraction_residual(white, denoiser=denoiser, noise_levels=levels)
    >>> bool(abs(residual).max() < abs(white).max())
    True
    """
    from ..kernels.subtract.subtraction import subtraction_residual as kernel

    given = {"denoiser": denoiser, "noise_levels": noise_levels, **settings}
    check_keywords(given, subtraction_stage, what="subtraction_residual")
    stage = subtraction_stage(recording, kernel, **given)
    return extend_recording(recording, stage)


def subtraction_stage(
    recording: xr.DataArray,
    kernel: Any,
    *,
    denoiser: xr.Dataset,
    noise_levels: xr.DataArray,
    detect_threshold: float = 3.0,
    energy_threshold: float = 10.0,
    peak_sign: PeakSign = "both",
    radius_um: float = 200.0,
    exclude_radius_um: float = 50.0,
) -> Stage:
    """The stage that subtracts events.

    Parameters
    ----------
    recording
        White traces.
    kernel
        What the stage runs: one that returns events, or one that returns traces.
    denoiser, noise_levels
        As for :func:`detect_by_subtraction`.
    detect_threshold
        Smallest peak that is examined, in units of the noise level.
    energy_threshold
        Square root of the smallest energy that an event has to explain.
    peak_sign
        ``"neg"``, ``"pos"`` or ``"both"``; with ``"both"``, a trough competes as if it were twice as large.
    radius_um
        Channels within this radius are subtracted.
    exclude_radius_um
        Radius within which an event is not examined again.

    Raises
    ------
    ParameterError
        If a number is outside its limits, or the denoiser is for another sampling rate.
    RecordingError
        If positions are missing, the noise levels do not fit, or every channel is silent or bad.
    """
    from ..kernels.subtract.subtraction import subtraction_halo

    info = schema.validate_recording(recording)
    check_choice("peak_sign", peak_sign, ("neg", "pos", "both"))
    check_positive(
        detect_threshold=detect_threshold,
        energy_threshold=energy_threshold,
        radius_um=radius_um,
        exclude_radius_um=exclude_radius_um,
    )
    if float(denoiser.attrs["sampling_frequency"]) != info.sampling_frequency:
        raise ParameterError(
            f"the denoiser was learned at {denoiser.attrs['sampling_frequency']:g} Hz and the recording has "
            f"{info.sampling_frequency:g} Hz; learn it on these traces: xephys.learn_denoiser"
        )
    positions, groups = positions_of(recording, why="subtraction"), channel_groups(recording)
    noise = noise_levels_of(recording, noise_levels).astype(np.float64)
    good = ~bad_channels_of(recording) & (noise > 0)
    if not good.any():
        raise RecordingError("no channel can give events: all are marked bad or constant; check the recording")
    nbefore, n_samples = int(denoiser.attrs["nbefore"]), denoiser.sizes["sample"]
    before, after = subtraction_halo(n_samples, nbefore=nbefore)
    milliseconds = 1e-3 * info.sampling_frequency
    return Stage(
        kernel,
        dtype=np.dtype(np.float32),
        parameters={
            "nbefore": nbefore,
            "energy_min": float(energy_threshold) ** 2,
            "peak_sign": peak_sign,
            "closed_samples": max(1, round(CLOSED_MS * milliseconds)),
            "closed_to_peaks_samples": max(1, round(CLOSED_TO_PEAKS_MS * milliseconds)),
        },
        arrays={
            "thresholds": np.where(good, noise * detect_threshold, 1.0).astype(np.float32),
            "good": good,
            "denoiser.components": np.ascontiguousarray(denoiser["component"].values, np.float32),
            "denoiser.weights": denoiser["weight"].values.astype(np.float32),
            "denoiser.noise": denoiser["noise"].values.astype(np.float32),
            "reach.subtracted": neighbors_within(positions, radius_um=radius_um, groups=groups),
            "reach.competing": neighbors_within(positions, radius_um=2 * radius_um, groups=groups),
            "reach.closed": neighbors_within(positions, radius_um=exclude_radius_um, groups=groups),
        },
        before=before,
        after=after,
    )


def _slots(channels: NDArray[np.int32], subtracted: NDArray[np.int32]) -> NDArray[np.int32]:
    """Where channels are among those that are subtracted; -1 for padding and channels that are not."""
    equal = (channels[:, :, None] == subtracted[:, None, :]) & (channels >= 0)[:, :, None]
    return np.where(equal.any(axis=2), equal.argmax(axis=2), -1).astype(np.int32)


def _check_inside(components: xr.DataArray, denoiser: xr.Dataset) -> None:
    nbefore, length = int(denoiser.attrs["nbefore"]), denoiser.sizes["sample"]
    basis_nbefore, basis_length = int(components.attrs["nbefore"]), components.shape[1]
    if basis_nbefore > nbefore or basis_length - basis_nbefore > length - nbefore:
        raise ParameterError(
            f"components reach from {basis_nbefore} samples before the peak to {basis_length - basis_nbefore} after, "
            f"beyond the denoiser's {nbefore} and {length - nbefore}; learn the denoiser with a longer window"
        )
