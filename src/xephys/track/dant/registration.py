"""Motion between sessions, and waveforms moved to common places, in the files of pyDANT."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ...errors import ParameterError
from ...graph.run import single_threaded_blas
from ..motion import estimate_session_motion, knots_of
from ..pairs import gather, session_blocks, session_matches
from ..tables import LAGS_MS
from ..units import on_axis_of, session_units
from .folder import Inputs, mapped, pairs_of, read_folder, result, save_together
from .motion import Motion
from .settings import folders, given_motion, read_settings

#: Sampling rate that tables of templates are given; all sessions have the same one, so that none is resampled.
RATE_HZ = 30_000.0
#: What the pairs of :func:`motionEstimation` are compared by; see :mod:`xephys.kernels.track.pairs`.
PAIR_FEATURES = ("footprint", "amplitude", "depth", "x", "z", "autocorrelogram", "peth")
#: Largest displacement between two sessions that is searched, in µm.
MOTION_MAX_UM = 200.0


@single_threaded_blas()
def motionEstimation(user_settings: Mapping[str, Any] | str | Path) -> None:
    """Estimate the motion of the sessions and move the waveforms to common places.

    The motion is that of :func:`xephys.track_units`, which searches the displacements of all sessions together. It has
    no use for rounds and their feature sets. Motion from ``path_to_motion`` is kept as it is.
    Writes the files of :meth:`Motion.save` and ``waveforms_corrected`` to the output folder.

    Parameters
    ----------
    user_settings
        See :func:`xephys.track.dant.read_settings`.
    """
    settings = read_settings(user_settings)
    data, out = folders(settings)
    given = read_folder(data, spikes=False)
    n_sessions = int(given.session.max())
    waveforms = _waveforms(settings, given)
    motion = Motion(n_sessions)
    known = given_motion(settings, n_sessions)
    if known is not None:
        motion.Linear, motion.Constant = known
    else:
        correlograms = np.asarray(result(out, "auto_corr", "preprocess"))
        _estimate(motion, given, waveforms, correlograms, settings)
    motion.save(out)
    _write_features(settings, given, waveforms, motion)


@single_threaded_blas()
def computeMotion(user_settings: Mapping[str, Any] | str | Path) -> Motion:
    """Estimate the motion of the sessions from the clusters in the output folder.

    Pairs of one cluster and different sessions that are above the threshold, and not farther apart than
    ``motionEstimation.max_distance`` in depth, are brought together by robust least squares. :func:`motionEstimation`
    needs no clusters.
    Writes the files of :meth:`Motion.save`, and the pairs to ``SimilarityForCorretion.npz``.

    Parameters
    ----------
    user_settings
        See :func:`xephys.track.dant.read_settings`. :func:`iterativeClustering` has been called before.
    """
    from ...kernels.track.motion import Matches, session_displacements

    settings = read_settings(user_settings)
    data, out = folders(settings)
    given = read_folder(data, spikes=False)
    if not (out / "ClusteringResults.npz").is_file():
        raise FileNotFoundError(f"{out / 'ClusteringResults.npz'} does not exist; call iterativeClustering first")
    with np.load(out / "ClusteringResults.npz", allow_pickle=False) as results:
        label, threshold = results["idx_cluster_hdbscan"], float(results["thres"])
    similarity, depth = (
        result(out, "SimilarityMatrix", "iterativeClustering"),
        result(out, "locations", "preprocess")[:, 1],
    )
    first, second = pairs_of(label).T
    reach = float(settings["motionEstimation"]["max_distance"])
    value = np.asarray(similarity[first, second])
    kept = (given.session[first] != given.session[second]) & (value > threshold)
    kept &= np.abs(depth[first] - depth[second]) <= reach
    first, second, value = first[kept], second[kept], value[kept]
    n_sessions = int(given.session.max())
    matches = Matches(
        given.session[first] - 1, given.session[second] - 1, np.asarray(depth[first]), np.asarray(depth[second]), value
    )
    linear = settings["waveformCorrection"]["linear_correction"]
    knots = knots_of(np.asarray(depth), "linear" if linear else "rigid")
    motion = Motion(n_sessions)
    _set(
        motion, np.arange(n_sessions),
        session_displacements(matches, n_sessions=n_sessions, knots_um=knots, motion_max_um=reach), knots,
    )  # fmt: skip
    motion.save(out)
    _save_pairs(out, first, second, value[:, None], ["weighted"])
    return motion


def initializeMotion(
    user_settings: Mapping[str, Any] | str | Path, waveforms_all: Any
) -> tuple[NDArray[np.float64], Motion]:
    """Motion from ``path_to_motion``, or none, and the waveforms moved by it.

    Returns
    -------
    waveforms : (unit, channel, sample, template)
    motion
    """
    settings = read_settings(user_settings)
    given = read_folder(folders(settings)[0], spikes=False)
    motion = Motion(int(given.session.max()))
    known = given_motion(settings, len(motion.Constant))
    if known is not None:
        motion.Linear, motion.Constant = known
    return computeWaveformFeatures(settings, waveforms_all, motion), motion


@single_threaded_blas()
def computeWaveformFeatures(
    user_settings: Mapping[str, Any] | str | Path, waveform_all: Any, motion: Motion
) -> NDArray[np.float64]:
    """Waveforms as they would be if every session were displaced like one or two reference positions.

    Parameters
    ----------
    user_settings
        See :func:`xephys.track.dant.read_settings`. :func:`preprocess` has written ``locations`` before.
    waveform_all
        ``(unit, channel, sample)`` of all units of the data folder.
    motion

    Returns
    -------
    (unit, channel, sample, template)
        Also written to ``waveforms_corrected``.
    """
    settings = read_settings(user_settings)
    data, out = folders(settings)
    given = read_folder(data, spikes=False)
    waveforms = np.asarray(waveform_all)
    if waveforms.shape != given.waveforms.shape:
        raise ParameterError(f"waveforms have shape {waveforms.shape}, those of {data} have {given.waveforms.shape}")
    _write_features(settings, given, waveforms, motion)
    return np.load(out / "waveforms_corrected.npy", allow_pickle=False)  # type: ignore[no-any-return]


def _write_features(
    settings: Mapping[str, Any], given: Inputs, waveforms: NDArray[np.floating], motion: Motion
) -> None:
    from ...kernels.track.dant.registration import moved_waveforms

    out = folders(settings)[1]
    depth = np.asarray(result(out, "locations", "preprocess"))[:, 1]
    n_templates = settings["waveformCorrection"]["n_templates"]
    targets = np.zeros(1)
    if n_templates == 2:
        sessions = np.arange(1, len(motion.Constant) + 1)
        ends = [motion.get_motion(sessions, end) for end in (given.positions[:, 1].min(), given.positions[:, 1].max())]
        targets = np.array([np.min(ends), np.max(ends)])
    shift = motion.get_motion(given.session, depth)[:, None] - targets[None]
    with mapped(out / "waveforms_corrected.npy", (*waveforms.shape, n_templates)) as moved:
        moved_waveforms(moved, waveforms, given.positions, shift)


def _waveforms(settings: Mapping[str, Any], given: Inputs) -> NDArray[np.floating]:
    if settings["centering_waveforms"]:
        return result(folders(settings)[1], "waveforms_centered", "preprocess")
    return given.waveforms


def _estimate(
    motion: Motion,
    given: Inputs,
    waveforms: NDArray[np.floating],
    correlograms: NDArray[np.float64],
    settings: Mapping[str, Any],
) -> None:
    """Set a motion to what the units say; sessions without units stay at rest."""
    numbers = np.unique(given.session)
    tables = _tables(given, waveforms, _on_lags(correlograms, float(settings["autoCorr"]["binwidth"])), numbers)
    first = tables[0]
    units = gather(on_axis_of(table, first.attrs, first.sizes["sample"]) for table in tables)
    model = "linear" if settings["waveformCorrection"]["linear_correction"] else "rigid"
    found = estimate_session_motion(
        units, n_sessions=len(numbers), known=None, model=model, motion_max_um=MOTION_MAX_UM
    )
    _set(motion, numbers - 1, found["displacement_um"].values[0], found["knot"].values)
    x, depth = np.asarray(units["place"])[:, :2].T
    pairs, _ = session_matches(session_blocks(units, depth, x), distance_max_um=MOTION_MAX_UM)
    # The units of the tables are in order of their sessions.
    order = np.argsort(given.session, kind="stable")
    _save_pairs(folders(settings)[1], order[pairs.first], order[pairs.second], pairs.features, list(PAIR_FEATURES))


def _set(motion: Motion, rows: NDArray[np.int64], moved: NDArray[np.float64], knots: NDArray[np.float64]) -> None:
    """Give some sessions their displacement: linear in the depth in the tissue there, in that on the probe here."""
    slope = np.zeros(len(rows))
    if len(knots) > 1:
        slope = (moved[:, -1] - moved[:, 0]) / (knots[-1] - knots[0])
    motion.Linear[rows] = slope / (1 + slope) / float(motion.LinearScale)
    motion.Constant[rows] = (moved[:, 0] - slope * knots[0]) / (1 + slope)


def _save_pairs(
    folder: Path, first: NDArray[np.int64], second: NDArray[np.int64], similarity: NDArray[Any], names: list[str]
) -> None:
    """The pairs that a motion rests on, in the file for them, whose name is spelled as the original spells it."""
    save_together(
        folder / "SimilarityForCorretion.npz",
        idx_unit_pairs=np.stack([first, second], axis=1),
        similarity_all=similarity,
        similarity_names=names,
    )


def _tables(
    given: Inputs, waveforms: NDArray[np.floating], correlograms: NDArray[np.float64], numbers: NDArray[np.int64]
) -> list[xr.Dataset]:
    """Templates and autocorrelograms of each session."""
    middle = (waveforms.shape[2] + 1) // 2 - 1
    x, y = given.positions.T
    return [
        session_units(
            xr.Dataset(
                {
                    "templates": (
                        ("unit", "sample", "channel"),
                        np.asarray(waveforms[given.session == number]).transpose(0, 2, 1),
                    ),
                    "autocorrelogram": (("unit", "lag"), correlograms[given.session == number]),
                },
                coords={"x": ("channel", x), "y": ("channel", y)},
                attrs={"sampling_frequency": RATE_HZ, "nbefore": middle},
            )
        )
        for number in numbers
    ]


def _on_lags(correlograms: NDArray[np.float64], binwidth: float) -> NDArray[np.float64]:
    """One side of autocorrelograms, in bins of one millisecond."""
    from scipy.interpolate import interp1d

    half = correlograms.shape[1] // 2
    side = correlograms[:, half:]
    if half < 1:
        return np.zeros((len(correlograms), LAGS_MS))
    lags = binwidth * np.arange(half + 1)
    line = interp1d(lags, side, axis=1, bounds_error=False, fill_value=(side[:, 0], side[:, -1]))
    return np.asarray(line(np.arange(LAGS_MS) + 1.0))
