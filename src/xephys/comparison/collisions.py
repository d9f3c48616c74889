"""How well a sorter finds spikes that overlap those of other units: recall by lag and by similarity of units."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..checks import check_passed_on, check_positive
from ..errors import ParameterError
from .ground_truth import GroundTruthComparison, compare_sorter_to_ground_truth


@dataclass(frozen=True, eq=False, kw_only=True)
class CollisionComparison:
    """Spikes of the truth close to those of other units, and how many of them were found.

    Attributes
    ----------
    comparison
        The sorting against the truth.
    collision_lag_ms
        Maximum lag of colliding spikes.
    n_bins
        Number of bins of the lag.
    """

    comparison: GroundTruthComparison
    collision_lag_ms: float
    n_bins: int

    @property
    def bins(self) -> NDArray[np.float64]:
        """Edges of the bins of the lag, in samples."""
        reach = self.comparison.first.samples_of(self.collision_lag_ms)
        return np.linspace(-reach, reach, self.n_bins + 1)

    @cached_property
    def counts(self) -> xr.Dataset:
        """Collisions ``(truth_unit, other_unit, lag)``: ``num_found`` and ``num_missed``, spikes of ``truth_unit``.

        The lag is the delay of the other spike, in milliseconds at the middle of a bin. Two spikes of a pair of units
        collide only if no other spike of either unit is between them.
        """
        from ..kernels.comparison.collisions import colliding_pairs

        truth, edges = self.comparison.first, self.bins
        reach = truth.samples_of(self.collision_lag_ms)
        found = self.comparison.found[0]
        parts = [
            part.start + colliding_pairs(truth.sample_index[part], truth.unit_index[part], reach)
            for part in truth.parts()
        ]
        pairs = np.concatenate([np.zeros((0, 2), np.int64), *parts])
        pairs = np.concatenate([pairs, pairs[:, ::-1]])  # each spike of a pair is missed or found
        lag = truth.sample_index[pairs[:, 1]] - truth.sample_index[pairs[:, 0]]
        lag_bin = np.clip(np.floor((lag - edges[0]) / (edges[1] - edges[0])), 0, self.n_bins - 1).astype(np.int64)
        ids = truth.unit_ids
        shape = (len(ids), len(ids), self.n_bins)
        place = (truth.unit_index[pairs[:, 0]], truth.unit_index[pairs[:, 1]], lag_bin)
        flat = np.ravel_multi_index(place, shape) if len(pairs) else np.zeros(0, np.int64)
        hit, size = found[pairs[:, 0]], int(np.prod(shape))
        dims = ("truth_unit", "other_unit", "lag")
        middle = (edges[:-1] + edges[1:]) / 2 / truth.sampling_frequency * 1e3
        return xr.Dataset(
            {
                "num_found": (dims, np.bincount(flat[hit], minlength=size).reshape(shape)),
                "num_missed": (dims, np.bincount(flat[~hit], minlength=size).reshape(shape)),
            },
            coords={"truth_unit": ids, "other_unit": ids, "lag": ("lag", middle, {"units": "ms"})},
        )

    @property
    def recall(self) -> xr.DataArray:
        """Share of the colliding spikes that was found ``(truth_unit, other_unit, lag)``; NaN without collisions."""
        found, missed = self.counts["num_found"], self.counts["num_missed"]
        return (found / (found + missed).where(found + missed > 0)).rename("recall")

    def recall_by_lag(self) -> xr.Dataset:
        """Collisions of all pairs combined: ``recall``, ``num_found`` and ``num_missed`` by lag."""
        total = self.counts.sum(["truth_unit", "other_unit"])
        number = total["num_found"] + total["num_missed"]
        return total.assign(recall=total["num_found"] / number.where(number > 0))

    def recall_by_similarity(
        self, similarity: Any, *, good_only: bool = False, min_accuracy: float = 0.9
    ) -> xr.Dataset:
        """Recall of each ordered pair of units by lag, with pairs sorted by the similarity of their templates.

        Parameters
        ----------
        similarity
            ``(truth_unit, truth_unit)``, in the order of the true units.
        good_only
            Use only pairs of units that were both found with at least ``min_accuracy``.
        min_accuracy
            See ``good_only``.

        Returns
        -------
        Dataset with dims ``pair`` and ``lag``: ``recall``, ``similarity``, and the units as coordinates.

        Raises
        ------
        ParameterError
            If the similarity is not of the true units.
        """
        values, ids = np.asarray(similarity, np.float64), self.comparison.unit1_ids
        if values.shape != (len(ids), len(ids)):
            raise ParameterError(
                f"similarity has shape {values.shape} and the truth {len(ids)} units; give a row and a column for each"
            )
        rows, columns = np.triu_indices(len(ids), 1)
        if good_only:
            good = self.comparison.get_performance()["accuracy"].to_numpy(np.float64) >= min_accuracy
            rows, columns = rows[good[rows] & good[columns]], columns[good[rows] & good[columns]]
        first = np.column_stack([rows, columns]).ravel()
        second = np.column_stack([columns, rows]).ravel()
        alike = np.repeat(values[rows, columns], 2)
        order = np.argsort(alike, kind="stable")
        return xr.Dataset(
            {
                "recall": (("pair", "lag"), self.recall.values[first[order], second[order]]),
                "similarity": ("pair", alike[order]),
            },
            coords={
                "truth_unit": ("pair", ids[first[order]]),
                "other_unit": ("pair", ids[second[order]]),
                "lag": self.counts["lag"],
            },
        )


def compare_collisions(
    gt_sorting: Any, tested_sorting: Any, *, collision_lag_ms: float = 2.0, n_bins: int = 11, **options: Any
) -> CollisionComparison:
    """Compare a sorting with the truth where spikes of the truth collide.

    Counts are those of SpikeInterface's ``CollisionGTComparison``, for any number of segments.

    Parameters
    ----------
    gt_sorting, tested_sorting
        As in :func:`compare_sorter_to_ground_truth`.
    collision_lag_ms
        Maximum lag of colliding spikes.
    n_bins
        Bins of the lag, from one end to the other.
    **options
        As in :func:`compare_sorter_to_ground_truth`.

    Returns
    -------
    CollisionComparison

    Raises
    ------
    ParameterError
        If a number is not positive, or an option is unknown.

    Examples
    --------
    >>> import xephys
    >>> truth = xephys.make_sorting(sample_index=[10, 11, 300], labels=[1, 2, 1], sampling_frequency=1000.0)
    >>> found = xephys.make_sorting(sample_index=[10, 300], labels=[1, 1], sampling_frequency=1000.0)
    >>> collisions = compare_collisions(truth, found, n_bins=2)
    >>> collisions.recall_by_lag()["recall"].values.tolist()
    [0.0, 1.0]
    """
    check_passed_on(options, compare_collisions, compare_sorter_to_ground_truth, what="compare_collisions")
    check_positive(collision_lag_ms=collision_lag_ms, n_bins=n_bins)
    comparison = compare_sorter_to_ground_truth(gt_sorting, tested_sorting, **options)
    if not comparison.first.samples_of(collision_lag_ms):
        raise ParameterError(
            f"collision_lag_ms is {collision_lag_ms:g}, less than a sample at {comparison.first.sampling_frequency:g} "
            "Hz; give a longer one"
        )
    return CollisionComparison(comparison=comparison, collision_lag_ms=collision_lag_ms, n_bins=int(n_bins))
