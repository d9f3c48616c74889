"""Track the units of each shank by themselves, and merge the results of all shanks."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ParameterError
from .folder import Inputs, mapped, read_folder, result, save, save_together
from .runner import runDANT
from .settings import folders, read_settings
from .stages import joined, marked, order_of

#: Matrices that are put together in the order of all units, each with its value for pairs of different shanks.
MATRICES = {"SimilarityMatrix": 0.0, "DistanceMatrix": 1.0}
#: Values of each unit, and of each shank.
OF_UNITS = ("locations", "amplitude", "peak_channels", "unit_shanks", "auto_corr", "isi", "peth", "waveforms_corrected")
OF_SHANKS = ("SimilarityWeights", "SimilarityThreshold", "motion_linear_scale")
MOTIONS = ("motion_linear", "motion_constant")
#: Pairs of units.
PAIRS = ("SimilarityPairs", "MatchedPairs", "CurationPairs")


def runDANTMultiShank(user_settings: Mapping[str, Any] | str | Path) -> None:
    """Track the units of each shank as :func:`runDANT` does, each shank with a motion of its own.

    The data folder needs ``channel_shanks.npy``. Results of each shank are in ``Shank1`` and so on in the output
    folder, and merged ones in the folder itself; see :func:`merge_multishank_outputs`.
    """
    start = time.perf_counter()
    settings = read_settings(user_settings)
    data, out = folders(settings)
    if not (data / "channel_shanks.npy").is_file():
        raise FileNotFoundError(f"{data / 'channel_shanks.npy'} does not exist; write the shank of each channel there")
    given = read_folder(data, spikes=False)
    unit_shanks = given.shank[np.ptp(given.waveforms, axis=2).argmax(axis=1)]
    shank_ids = np.unique(unit_shanks)
    for shank in shank_ids:
        there = out / "_shank_data" / f"Shank{shank}"
        _write_part(given, np.flatnonzero(unit_shanks == shank), there)
        runDANT({**settings, "path_to_data": str(there), "output_folder": str(out / f"Shank{shank}")})
    merge_multishank_outputs(settings, shank_ids, unit_shanks)
    save(out, RunTimeSec=time.perf_counter() - start)


def merge_multishank_outputs(
    user_settings: Mapping[str, Any] | str | Path, shank_ids: Sequence[int] | NDArray[Any], unit_shanks: Any
) -> None:
    """Merge the results of all shanks in the order of all units; clusters are numbered on from shank to shank.

    Parameters
    ----------
    user_settings
        See :func:`xephys.track.dant.read_settings`.
    shank_ids
        Shanks whose results are in ``Shank1`` and so on in the output folder.
    unit_shanks
        Shank of each unit.
    """
    settings = read_settings(user_settings)
    data, out = folders(settings)
    session, of_unit = read_folder(data, spikes=False).session, np.asarray(unit_shanks).ravel()
    shanks = [int(shank) for shank in shank_ids]
    if len(of_unit) != len(session) or set(of_unit.tolist()) != set(shanks):
        raise ParameterError(
            f"{len(of_unit)} units on shanks {sorted(set(of_unit.tolist()))} do not go together with {len(session)} "
            f"units and results of shanks {shanks}; give the shank of each unit, and all shanks"
        )
    rows = [np.flatnonzero(of_unit == shank) for shank in shanks]
    parts = [out / f"Shank{shank}" for shank in shanks]

    def each(name: str) -> list[NDArray[Any]]:
        return [result(part, name, "runDANT") for part in parts]

    n_units = len(session)
    _merge_matrices(out, rows, each)
    order = np.argsort(np.concatenate(rows), kind="stable")
    for name in OF_UNITS:
        if name != "peth" or (data / "peth.npy").is_file():
            save(out, **{name: np.concatenate(each(name))[order]})
    n_sessions = int(session.max())
    of_shanks = {name: np.stack(each(name)) for name in OF_SHANKS}
    # A shank without units in the last sessions does not move there.
    motion = {name: np.stack([_padded(v, n_sessions) for v in each(name)]) for name in MOTIONS}
    save(out, **of_shanks, **motion)
    pairs = {
        name: np.concatenate([here[values] for here, values in zip(rows, each(name), strict=True)]) for name in PAIRS
    }
    label = _numbered(each("IdxCluster"))[order]
    types = np.concatenate(each("CurationTypes"))
    before, by_feature = _clustering_of(parts, order)
    places = np.load(out / "locations.npy", allow_pickle=False)
    total = result(out, "SimilarityMatrix", "runDANTMultiShank")
    weights, threshold = (
        np.load(out / f"Similarity{name}.npy", allow_pickle=False) for name in ("Weights", "Threshold")
    )
    limit = np.concatenate([np.full(len(here), t) for here, t in zip(rows, threshold, strict=True)])[order]

    def good_rows(some: slice) -> NDArray[np.bool_]:
        return np.asarray((total[some] > limit[some, None]) & (of_unit[some, None] == of_unit[None]))

    with (
        joined(label, out) as together,
        joined(before, out) as together_before,
        marked(out, good_rows, n_units) as good,
    ):
        save(
            out, **pairs, IdxCluster=label, ClusterMatrix=together, CurationTypes=types,
            CurationTypeNames=each("CurationTypeNames")[0], original_unit_indices=np.concatenate(rows),
        )  # fmt: skip
        save_together(
            out / "ClusteringResults.npz", weights=weights, thres=threshold, similarity_all=by_feature,
            idx_unit_pairs=pairs["SimilarityPairs"], good_matches_matrix=good, similarity_matrix=total,
            distance_matrix=result(out, "DistanceMatrix", "runDANTMultiShank"),
            leafOrder=order_of(before, places[:, 1]), idx_cluster_hdbscan=before,
            hdbscan_matrix=together_before, n_cluster=max(int(before.max()), 0),
        )  # fmt: skip
        save_together(
            out / "Output.npz", NumClusters=max(int(label.max()), 0), NumUnits=n_units, Locations=places,
            IdxSort=order_of(label, places[:, 1]), IdxCluster=label, IdxUnit=np.arange(n_units), IdxShank=of_unit,
            SimilarityMatrix=total, GoodMatchesMatrix=good, ClusterMatrix=together, MatchedPairs=pairs["MatchedPairs"],
            SimilarityAll=by_feature, SimilarityPairs=pairs["SimilarityPairs"],
            SimilarityNames=list(settings["clustering"]["features"]), SimilarityWeights=weights,
            SimilarityThreshold=threshold, CurationPairs=pairs["CurationPairs"], CurationTypes=types,
            CurationTypeNames=each("CurationTypeNames")[0], MotionLinear=motion["motion_linear"],
            MotionConstant=motion["motion_constant"], Params=json.dumps(settings, default=str),
            NumSession=n_sessions, Sessions=session,
        )  # fmt: skip


def _merge_matrices(out: Path, rows: Sequence[NDArray[np.int64]], each: Callable[[str], list[NDArray[Any]]]) -> None:
    """Write the matrices of all units."""
    n_units = sum(map(len, rows))
    for name, apart in MATRICES.items():
        with mapped(out / f"{name}.npy", (n_units, n_units)) as whole:
            whole[:] = apart
            for here, matrix in zip(rows, each(name), strict=True):
                whole[here[:, None], here[None]] = matrix


def _clustering_of(parts: Sequence[Path], order: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """Clusters before the curation, and similarities of each feature, of all units."""
    results = [np.load(part / "ClusteringResults.npz", allow_pickle=False) for part in parts]
    before = _numbered([values["idx_cluster_hdbscan"] for values in results])[order]
    by_feature = np.concatenate([values["similarity_all"] for values in results])
    for values in results:
        values.close()
    return before, by_feature


def _numbered(labels: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Labels of all shanks one after the other, numbered on.

    Examples
    --------
    >>> _numbered([np.array([1, -1, 2]), np.array([-1, 1])]).tolist()
    [1, -1, 2, -1, 3]
    """
    counts = np.maximum([values.max() for values in labels], 0)
    before = np.cumsum(counts) - counts
    return np.concatenate([np.where(v > 0, v + n, -1) for v, n in zip(labels, before, strict=True)])


def _padded(values: NDArray[np.float64], n_sessions: int) -> NDArray[np.float64]:
    return np.pad(values, (0, n_sessions - len(values)))


def _write_part(given: Inputs, rows: NDArray[np.int64], folder: Path) -> None:
    """The data folder of some units, with the channels of all shanks."""
    import shutil

    folder.mkdir(parents=True, exist_ok=True)
    save(
        folder, waveform_all=given.waveforms[rows], session_index=given.session[rows],
        channel_locations=given.positions, channel_shanks=given.shank,
    )  # fmt: skip
    if given.peth is not None:
        save(folder, peth=given.peth[rows])
    if (given.folder / "spike_times").is_dir():
        (folder / "spike_times").mkdir(exist_ok=True)
        for k, row in enumerate(rows.tolist()):
            source = given.folder / "spike_times" / f"Unit{row}.npy"
            if not source.is_file():
                raise FileNotFoundError(f"{source} does not exist; write the spike times of every unit there")
            shutil.copyfile(source, folder / "spike_times" / f"Unit{k}.npy")
