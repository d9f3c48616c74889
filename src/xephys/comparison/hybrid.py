"""Evaluate the sorting of a hybrid recording: a real recording into which known units were injected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from ..checks import check_passed_on
from .ground_truth import GroundTruthComparison, compare_sorter_to_ground_truth
from .two_sorters import SymmetricSortingComparison, compare_two_sorters


@dataclass(frozen=True, eq=False, kw_only=True)
class HybridComparison:
    """How well a sorting found the injected units, and what its other units are.

    Attributes
    ----------
    injected
        The comparison with the injected units, which are only some of the units in the recording.
    earlier
        The comparison with a sorting made before the units were injected; None if there is no such sorting.
    """

    injected: GroundTruthComparison
    earlier: SymmetricSortingComparison | None

    @property
    def tested_units(self) -> xr.Dataset:
        """The ``kind`` of each unit of the sorting, the unit to which it is assigned, and their agreement.

        The kinds are ``"injected"``, assigned to an injected unit; ``"earlier"``, assigned to a unit that was found
        before the injection; ``"merged"``, assigned to both, so that it holds spikes of two neurons; and ``"new"``, all
        others.
        """
        found = self.injected.assigned[1] >= 0
        known = np.zeros_like(found) if self.earlier is None else self.earlier.assigned[0] >= 0
        kind = np.select([found & known, found, known], ["merged", "injected", "earlier"], "new")
        truth = np.array([*map(str, self.injected.unit1_ids.tolist()), ""], str)
        columns: dict[str, Any] = {
            "kind": ("tested_unit", kind),
            "injected_unit": ("tested_unit", truth[self.injected.assigned[1]]),
            "injected_agreement": ("tested_unit", self.injected.agreement.max(axis=0, initial=0.0)),
        }
        if self.earlier is not None:
            before = np.array([*map(str, self.earlier.unit2_ids.tolist()), ""], str)
            columns["earlier_unit"] = ("tested_unit", before[self.earlier.assigned[0]])
            columns["earlier_agreement"] = ("tested_unit", self.earlier.agreement.max(axis=1, initial=0.0))
        return xr.Dataset(columns, coords={"tested_unit": self.injected.unit2_ids})

    @property
    def summary(self) -> dict[str, float]:
        """Mean scores of the injected units, number of units of each kind, and number of earlier units lost."""
        rates = self.injected.get_performance("pooled_with_average")
        kinds = self.tested_units["kind"].values
        numbers = {f"num_{kind}": int((kinds == kind).sum()) for kind in ("injected", "earlier", "merged", "new")}
        lost = {} if self.earlier is None else {"num_lost": int((self.earlier.assigned[1] < 0).sum())}
        return {**{str(name): float(value) for name, value in rates.items()}, **numbers, **lost}


def compare_hybrid(
    injected_sorting: Any, tested_sorting: Any, earlier_sorting: Any = None, **options: Any
) -> HybridComparison:
    """Compare a sorting of a hybrid recording with the units that were injected into it.

    The injected units are an incomplete ground truth: the other units of the sorting are not false positives but units
    of the real recording. A sorting made before the injection tells which of them were known, and which were lost.

    Parameters
    ----------
    injected_sorting
        The injected units.
    tested_sorting
        The sorting of the hybrid recording.
    earlier_sorting
        A sorting of the same recording without the injected units.
    **options
        ``delta_ms``, ``match_score`` and ``chance_score`` for both comparisons; any others are passed to
        :func:`compare_sorter_to_ground_truth`.

    Returns
    -------
    HybridComparison

    Raises
    ------
    ParameterError
        If an option is unknown, or is ``exhaustive_gt``: the injected units never are all units.

    Examples
    --------
    >>> import xephys
    >>> injected = xephys.make_sorting(sample_index=[10, 200], labels=[1, 1], sampling_frequency=1000.0)
    >>> earlier = xephys.make_sorting(sample_index=[50, 300], labels=[5, 6], sampling_frequency=1000.0)
    >>> found = xephys.make_sorting(sample_index=[10, 50, 200, 400], labels=[0, 1, 0, 2], sampling_frequency=1000.0)
    >>> comparison = compare_hybrid(injected, found, earlier)
    >>> comparison.tested_units["kind"].values.tolist(), comparison.summary["num_lost"]
    (['injected', 'earlier', 'new'], 1)
    """
    check_passed_on(options, compare_sorter_to_ground_truth, what="compare_hybrid", without=("exhaustive_gt",))
    shared = {name: options[name] for name in ("delta_ms", "match_score", "chance_score") if name in options}
    injected = compare_sorter_to_ground_truth(injected_sorting, tested_sorting, **{**options, "exhaustive_gt": False})
    earlier = None if earlier_sorting is None else compare_two_sorters(tested_sorting, earlier_sorting, **shared)
    return HybridComparison(injected=injected, earlier=earlier)
