"""Similarities, clusters and their curation, from the files of one step to those of the next."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ParameterError
from ...graph.run import single_threaded_blas
from .clusters import cluster_similarities
from .features import nearest_channels
from .folder import mapped, pairs_of, read_folder, result, save, save_together
from .functions import getNearbyPairs
from .motion import Motion
from .settings import FEATURES, folders, read_settings

#: Number of rows of a matrix that are made at once.
BLOCK = 256


@single_threaded_blas()
def computeWaveformSimilarityMatrix(
    user_settings: Mapping[str, Any] | str | Path, waveforms: Any, channel_locations: Any, channel_shanks: Any = None
) -> NDArray[np.float64]:
    """Similarity of all pairs of waveforms, ``(unit, unit)``.

    Parameters
    ----------
    user_settings
        See :func:`xephys.track.dant.read_settings`.
    waveforms
        ``(unit, channel, sample, template)``.
    channel_locations
        ``(channel, 2)`` in µm.
    channel_shanks
        Shank of each channel; units are compared on channels of one shank.

    Examples
    --------
    >>> contacts = np.column_stack([np.zeros(4), 20.0 * np.arange(4)])
    >>> waveforms = np.random.default_rng(0).standard_normal((3, 4, 5, 1))
    >>> computeWaveformSimilarityMatrix({}, waveforms, contacts).shape
    (3, 3)
    """
    values, positions = np.asarray(waveforms), np.asarray(channel_locations, np.float64)
    if values.ndim != 4 or positions.shape != (values.shape[1], 2):
        raise ParameterError(
            f"waveforms of shape {values.shape} and places of shape {positions.shape} do not go together; give "
            "(unit, channel, sample, template) and (channel, 2)"
        )
    out = np.empty((len(values), len(values)))
    _fill_waveform(out, read_settings(user_settings), values, positions, channel_shanks)
    return out


@single_threaded_blas()
def computeAllSimilarityMatrix(
    user_settings: Mapping[str, Any] | str | Path, waveforms: Any, feature_names: Sequence[str]
) -> tuple[NDArray[np.float64], list[str]]:
    """Similarities by each feature, ``(unit, unit, 4)``, and the names of the features; 0 for those not asked for.

    Also written to ``waveform_similarity_matrix`` and so on. :func:`preprocess` has written the features before.
    """
    settings = read_settings(user_settings)
    _write_similarities(settings, np.asarray(waveforms), feature_names)
    out = folders(settings)[1]
    matrices = [result(out, f"{stem}_similarity_matrix", "preprocess") for stem in FEATURES.values()]
    return np.stack(matrices, axis=2), list(FEATURES)


@single_threaded_blas()
def iterativeClustering(
    user_settings: Mapping[str, Any] | str | Path,
    similarity_names: Sequence[str],
    waveforms: Any,
    motion: Motion | None = None,
) -> None:
    """Cluster units by some similarities, whose weights are learned.

    Writes the matrices of the similarities, ``SimilarityMatrix``, ``DistanceMatrix``, ``SimilarityWeights``,
    ``SimilarityThreshold``, ``SimilarityPairs``, ``AllSimilarity.npz`` and ``ClusteringResults.npz``.

    Parameters
    ----------
    user_settings
        See :func:`xephys.track.dant.read_settings`.
    similarity_names
        Out of Waveform, ISI, AutoCorr and PETH.
    waveforms
        ``(unit, channel, sample, template)``, from :func:`computeWaveformFeatures`.
    motion
        Motion to be subtracted from depths; none if None.
    """
    from ...kernels.track.dant.similarity import weighted_similarity

    settings = read_settings(user_settings)
    data, out = folders(settings)
    given = read_folder(data, spikes=False)
    _write_similarities(settings, waveforms, similarity_names)
    places = np.asarray(result(out, "locations", "preprocess"))
    depth = places[:, 1]
    if motion is not None:
        depth = depth - motion.get_motion(given.session, depth)
    matrices = {name: result(out, f"{FEATURES[name]}_similarity_matrix", "preprocess") for name in similarity_names}
    options, n_units = settings["clustering"], len(depth)
    found = cluster_similarities(
        matrices, given.session, depth, distance_max_um=options["max_distance"], n_iter=options["n_iter"],
        weight_tol=options["weight_tol"], auto_split=settings["autoCuration"]["auto_split"],
    )  # fmt: skip
    weights, threshold = found["weight"].values, float(found["threshold"])
    label = found["cluster_before_curation"].values
    with (
        mapped(out / "SimilarityMatrix.npy", (n_units, n_units)) as total,
        mapped(out / "DistanceMatrix.npy", (n_units, n_units)) as distance,
    ):
        weighted_similarity(total, distance, list(matrices.values()), weights)
    pairs, _ = getNearbyPairs(options["max_distance"], given.session, places, motion)
    by_feature = np.stack([matrix[pairs[:, 0], pairs[:, 1]] for matrix in matrices.values()], axis=1)
    save(out, SimilarityWeights=weights, SimilarityThreshold=np.array(threshold), SimilarityPairs=pairs)
    save_together(
        out / "AllSimilarity.npz", similarity_all=by_feature, idx_unit_pairs=pairs, similarity_names=list(matrices)
    )
    total = result(out, "SimilarityMatrix", "iterativeClustering")
    with marked(out, lambda rows: total[rows] > threshold, n_units) as good, joined(label, out) as together:
        save_together(
            out / "ClusteringResults.npz", weights=weights, similarity_all=by_feature, idx_unit_pairs=pairs,
            thres=threshold, good_matches_matrix=good, similarity_matrix=total,
            distance_matrix=result(out, "DistanceMatrix", "iterativeClustering"), leafOrder=order_of(label, depth),
            idx_cluster_hdbscan=label, hdbscan_matrix=together, n_cluster=max(int(label.max()), 0),
        )  # fmt: skip


def finalClustering(user_settings: Mapping[str, Any] | str | Path) -> None:
    """Cluster units by the features of the settings, from the waveforms and the motion in the output folder.

    See :func:`iterativeClustering` for what is written.
    """
    settings = read_settings(user_settings)
    out = folders(settings)[1]
    waveforms = result(out, "waveforms_corrected", "motionEstimation")
    motion = Motion()
    motion.load(out)
    iterativeClustering(settings, settings["clustering"]["features"], waveforms, motion)


def autoCuration(user_settings: Mapping[str, Any] | str | Path) -> None:
    """Leave one unit of each session in a cluster, and split clusters that only low similarities connect.

    Writes ``IdxCluster``, ``ClusterMatrix``, ``MatchedPairs``, ``CurationPairs``, ``CurationTypes``,
    ``CurationTypeNames`` and ``Output.npz``, whose entries are arrays (the settings as JSON), never pickled objects.
    """
    import json

    from ...kernels.track.dant.curation import REASONS, curate_clusters

    settings = read_settings(user_settings)
    data, out = folders(settings)
    session = read_folder(data, spikes=False).session
    similarity = result(out, "SimilarityMatrix", "finalClustering")
    if not (out / "ClusteringResults.npz").is_file():
        raise FileNotFoundError(f"{out / 'ClusteringResults.npz'} does not exist; call finalClustering first")
    with np.load(out / "ClusteringResults.npz", allow_pickle=False) as results:
        before, threshold = results["idx_cluster_hdbscan"], float(results["thres"])
    curated, pairs, reason = curate_clusters(
        np.where(before > 0, before - 1, -1),
        session,
        threshold,
        lambda units: np.asarray(similarity[units[:, None], units[None]]),
        split=settings["autoCuration"]["auto_split"],
    )
    label = np.where(curated >= 0, curated + 1, -1)
    matched = pairs_of(label)
    depth = np.asarray(result(out, "locations", "preprocess"))[:, 1]
    with marked(out, lambda rows: similarity[rows] > threshold, len(label)) as good, joined(label, out) as together:
        save(
            out, IdxCluster=label, ClusterMatrix=together, MatchedPairs=matched, CurationPairs=pairs,
            CurationTypes=reason, CurationTypeNames=np.array(REASONS),
        )  # fmt: skip
        save_together(
            out / "Output.npz", NumClusters=max(int(label.max()), 0), NumUnits=len(label),
            IdxSort=order_of(label, depth), IdxCluster=label, SimilarityMatrix=similarity, GoodMatchesMatrix=good,
            ClusterMatrix=together, MatchedPairs=matched, Params=json.dumps(settings, default=str),
            NumSession=int(session.max()), Sessions=session,
        )  # fmt: skip


@contextmanager
def joined(label: NDArray[np.int64], folder: Path) -> Iterator[NDArray[np.bool_]]:
    """Which units share a cluster, ``(unit, unit)``, mapped from a file; each does with itself.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name, joined(np.array([1, -1, 1]), Path(name)) as together:
    ...     print(together.astype(int).tolist())
    [[1, 0, 1], [0, 1, 0], [1, 0, 1]]
    """
    unit = np.arange(len(label))

    def rows(some: slice) -> NDArray[np.bool_]:
        same = (label[some, None] == label[None]) & (label[some, None] > 0)
        return np.asarray(same | (unit[some, None] == unit[None]))

    with marked(folder, rows, len(label)) as together:
        yield together


@contextmanager
def marked(folder: Path, rows: Callable[[slice], NDArray[np.bool_]], n_rows: int) -> Iterator[NDArray[np.bool_]]:
    """A matrix of marks, ``(unit, unit)``, made block by block in a file that is removed afterwards."""
    with tempfile.TemporaryDirectory(dir=folder) as name:
        with mapped(Path(name) / "marks.npy", (n_rows, n_rows), np.bool_) as out:
            for start in range(0, n_rows, BLOCK):
                out[start : start + BLOCK] = rows(slice(start, start + BLOCK))
        yield np.load(Path(name) / "marks.npy", mmap_mode="r")


def order_of(label: NDArray[np.int64], depth: NDArray[np.float64]) -> NDArray[np.int32]:
    """Units in order of their clusters, in which pictures of matrices show them; those without one come last."""
    return np.lexsort((depth, np.where(label > 0, label, label.max() + 1))).astype(np.int32)


def _write_similarities(settings: Mapping[str, Any], waveforms: Any, names: Sequence[str]) -> None:
    from ...kernels.track.dant.similarity import row_similarity

    data, out = folders(settings)
    given = read_folder(data, spikes=False)
    n_units = len(given.session)
    unknown = [name for name in names if name not in FEATURES]
    if unknown or not names:
        raise ParameterError(f"features {list(names)} are not out of {', '.join(FEATURES)}")
    if "PETH" in names and given.peth is None:
        raise ParameterError(f"PETH is among the features, but {data} has no peth.npy; leave PETH out of the settings")
    if np.ndim(waveforms) != 4 or len(waveforms) != n_units:
        raise ParameterError(f"waveforms have shape {np.shape(waveforms)}; give (unit, channel, sample, template)")
    rows = {"ISI": "isi", "AutoCorr": "auto_corr", "PETH": "peth"}
    for name, stem in FEATURES.items():
        with mapped(out / f"{stem}_similarity_matrix.npy", (n_units, n_units)) as matrix:
            if name == "Waveform" and name in names:
                _fill_waveform(matrix, settings, waveforms, given.positions, given.shank)
            elif name in names:
                row_similarity(matrix, np.asarray(result(out, rows[name], "preprocess")))


def _fill_waveform(
    out: NDArray[np.float64], settings: Mapping[str, Any], waveforms: Any, positions: NDArray[np.float64], shank: Any
) -> None:
    from ...kernels.track.dant.similarity import waveform_similarity

    of_channel = None if shank is None else np.asarray(shank).ravel()
    near = nearest_channels(positions, int(settings["waveformCorrection"]["n_nearest_channels"]), of_channel)
    peak = np.ptp(waveforms, axis=2).argmax(axis=1)
    waveform_similarity(out, waveforms, np.moveaxis(near[peak], 1, 2))
