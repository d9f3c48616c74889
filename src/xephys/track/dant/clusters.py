"""Cluster units of several sessions by similarities whose weights are learned from the clusters themselves."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ...checks import check_number, check_positive
from ...errors import ParameterError
from ...graph.run import single_threaded_blas


@single_threaded_blas()
def cluster_similarities(
    similarities: Mapping[str, Any],
    session: Any,
    depth_um: Any,
    *,
    distance_max_um: float = 100.0,
    n_iter: int = 10,
    weight_tol: float = 1e-8,
    auto_split: bool = True,
    block: int = 256,
) -> xr.Dataset:
    """Cluster units by the weighted sum of several similarities, at most one unit of each session in a cluster.

    Clusters are those of HDBSCAN in the sum of the similarities, with at most as many units as there are sessions.
    Fisher's discriminant between pairs within and across clusters gives new weights, until they no longer change. The
    clusters are then curated: of two units of one session, the less similar one is left out, and a cluster that falls
    apart at the discriminant's threshold is split. The method is that of Huang et al. 2026 (Patterns,
    doi:10.1016/j.patter.2026.101590). Labels are equal to those of its Python implementation for the same similarities.

    Parameters
    ----------
    similarities
        Name and matrix ``(unit, unit)`` of each similarity: symmetric, Fisher-transformed correlations. Matrices that
        are mapped from disk are read block by block.
    session
        Session of each unit, ``(unit,)``.
    depth_um
        Depth of each unit in µm, without the motion of its session, ``(unit,)``.
    distance_max_um
        Weights are learned from pairs that are at most this far apart in depth.
    n_iter
        Largest number of rounds of clustering and learning.
    weight_tol
        The rounds end once the weights change by less than this in total.
    auto_split
        Whether clusters are split at the threshold.
    block
        Number of rows that are read at once. The labels do not depend on it.

    Returns
    -------
    xarray.Dataset
        ``cluster`` (dim ``unit``: from 1 on, or -1 for none), ``cluster_before_curation``, ``weight`` (dim
        ``feature``), ``threshold``, and ``pair`` (dims ``separated``, ``side``) with ``reason``: units that curation
        separated. The threshold is infinite if no pair shares a cluster, and minus infinite if all near pairs do.

    Raises
    ------
    ParameterError
        If shapes differ, a value is not finite, or a parameter is out of range.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> neuron, session = np.tile(np.arange(10), 3), np.repeat([1, 2, 3], 10)
    >>> near = np.where(neuron[:, None] == neuron[None], 2.0, 0.0) + 0.2 * rng.standard_normal((30, 30))
    >>> matrix = (near + near.T) / 2
    >>> found = cluster_similarities({"Waveform": matrix}, session, 10.0 * neuron)
    >>> found["cluster"].values[:10].tolist() == found["cluster"].values[10:20].tolist(), int(found["cluster"].max())
    (True, 10)
    """
    from ...kernels.track.dant.curation import REASONS, curate_clusters
    from ...kernels.track.dant.density import density_clusters
    from ...kernels.track.dant.spanning_tree import spanning_tree

    check_positive(distance_max_um=distance_max_um, n_iter=n_iter, block=block)
    check_number(weight_tol=weight_tol)
    sessions, depth = np.asarray(session).ravel(), np.asarray(depth_um, np.float64).ravel()
    matrices = _checked(similarities, sessions, depth)
    n_sessions = len(np.unique(sessions))
    weights = np.full(len(matrices), 1 / len(matrices))
    threshold = np.inf
    label = np.full(len(sessions), -1, np.int64)
    for round_number in range(int(n_iter)):
        tree = spanning_tree(partial(_weighted_rows, matrices, weights), len(sessions), block=int(block))
        label = density_clusters(*tree, len(sessions), size_max=n_sessions)
        if round_number == n_iter - 1 > 0:
            break
        learned, threshold = _learned(matrices, weights, depth, label, float(distance_max_um), int(block))
        change = np.abs(learned - weights).sum()
        weights = learned
        if change < weight_tol:
            break
    curated, pairs, reason = curate_clusters(
        label, sessions, threshold, partial(_weighted_within, matrices, weights), split=auto_split
    )
    return xr.Dataset(
        {
            "cluster": ("unit", np.where(curated >= 0, curated + 1, -1)),
            "cluster_before_curation": ("unit", np.where(label >= 0, label + 1, -1)),
            "weight": ("feature", weights),
            "threshold": threshold,
            "pair": (("separated", "side"), pairs),
            "reason": ("separated", np.array(REASONS)[reason - 1]),
        },
        coords={"feature": list(similarities)},
    )


def _learned(
    matrices: list[Any],
    weights: NDArray[np.float64],
    depth: NDArray[np.float64],
    label: NDArray[np.int64],
    distance_max_um: float,
    block: int,
) -> tuple[NDArray[np.float64], float]:
    """Weights that sum to 1, and the threshold; the weights stay where one class of pairs is missing."""
    from ...kernels.track.dant.discriminant import discriminant, pair_sums

    total = pair_sums(matrices, depth, distance_max_um, label, block=block)
    found = discriminant(total)
    if found is None:
        return weights, -np.inf if total[1, 0] > 0 else np.inf
    coefficients, constant = found
    scale = coefficients.sum()
    if not scale > 0:  # a flip of all signs would join what differs most
        return weights, float(_middle(total, weights))
    return coefficients / scale, float(-constant / scale)


def _middle(total: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    """Half way between the mean similarities of the two classes."""
    means = total[:, 1 : 1 + len(weights)] / total[:, :1]
    return float(means.mean(axis=0) @ weights)


def _weighted_rows(matrices: list[Any], weights: NDArray[np.float64], start: int, stop: int) -> NDArray[np.float64]:
    out = weights[0] * np.asarray(matrices[0][start:stop], np.float64)
    for matrix, weight in zip(matrices[1:], weights[1:], strict=True):
        out += weight * np.asarray(matrix[start:stop], np.float64)
    return np.asarray(out)


def _weighted_within(matrices: list[Any], weights: NDArray[np.float64], members: NDArray[np.int64]) -> Any:
    return sum(
        weight * np.asarray(matrix[members[:, None], members[None]], np.float64)
        for matrix, weight in zip(matrices, weights, strict=True)
    )


def _checked(
    similarities: Mapping[str, Any], sessions: NDArray[Any], depth: NDArray[np.float64]
) -> list[NDArray[np.floating]]:
    n_units = len(sessions)
    if not similarities:
        raise ParameterError("there is no similarity; give at least one matrix by its name")
    if n_units == 0 or len(depth) != n_units or not np.isfinite(depth).all():
        raise ParameterError(f"{n_units} sessions and {len(depth)} depths; give one of each, finite, for every unit")
    for name, matrix in similarities.items():
        if np.shape(matrix) != (n_units, n_units):
            raise ParameterError(f"similarity {name!r} has shape {np.shape(matrix)} for {n_units} units")
        if not all(np.isfinite(matrix[start : start + 256]).all() for start in range(0, n_units, 256)):
            raise ParameterError(f"similarity {name!r} is not finite; set pairs that cannot be compared to 0")
    return list(similarities.values())
