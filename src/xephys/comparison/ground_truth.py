"""A sorting against the truth, with every count, list and table of SpikeInterface's ``GroundTruthComparison``."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..checks import check_choice
from ..errors import ParameterError
from .spikes import Spikes, coincident_with_partner, count_coincident, spikes_of_two
from .two_sorters import AGREEMENT_METHODS, PairComparison, check_scores, unit_number

if TYPE_CHECKING:
    import pandas as pd

#: Ways to assign tested units to true ones.
MATCH_MODES = ("hungarian", "best")
METHODS = ("by_unit", "raw_count", "pooled_with_average")
COUNTS = ("tp", "fn", "fp", "num_gt", "num_tested")


@dataclass(frozen=True, eq=False, kw_only=True)
class GroundTruthComparison(PairComparison):
    """A tested sorting, the second, against the truth, the first.

    Attributes
    ----------
    well_detected_score, redundant_score, overmerged_score
        Scores for the lists of units, unless a call gives others.
    exhaustive_gt
        Whether the truth contains all units. Only then are redundant, overmerged, false and bad units known.
    match_mode
        How units are assigned for the counts.
    """

    well_detected_score: float
    redundant_score: float
    overmerged_score: float
    exhaustive_gt: bool
    match_mode: str

    @cached_property
    def counts(self) -> dict[str, NDArray[np.int64]]:
        """For each true unit: spikes found, missed and false, its own spikes, and those of the unit assigned to it."""
        match = self.counted_match
        paired = match >= 0
        number = np.maximum(match, 0)
        true, tested = self.first.num_spikes, np.append(self.second.num_spikes, 0)
        found = np.zeros(len(match), np.int64)
        found[paired] = self.coincident[paired, match[paired]]
        num_tested = np.where(paired, tested[number], 0)
        return {
            "tp": found,
            "fn": true - found,
            "fp": np.where(paired, num_tested - found, 0),
            "num_gt": true,
            "num_tested": num_tested,
        }

    @property
    def counted_match(self) -> NDArray[np.int64]:
        """Number of the tested unit with which each true unit is counted; -1 for none."""
        return (self.assigned if self.match_mode == "hungarian" else self.best)[0]

    @property
    def count_score(self) -> pd.DataFrame:
        """The counts of each true unit as a table, and the name of the unit assigned to it."""
        import pandas as pd

        table = pd.DataFrame({name: self.counts[name] for name in COUNTS}, index=self.unit1_ids)
        match = self.hungarian_match_12 if self.match_mode == "hungarian" else self.best_match_12
        table["tested_id"] = match.to_numpy()
        return table.rename_axis("gt_unit_id")

    def get_performance(self, method: str = "by_unit", output: str = "pandas") -> Any:
        """Accuracy, recall, precision, false discovery rate and miss rate.

        Parameters
        ----------
        method
            ``"by_unit"``: one row per true unit; ``"pooled_with_average"``: the mean of these; ``"raw_count"``: counts
            of spikes.
        output
            ``"pandas"`` or ``"dict"``.
        """
        check_choice("method", method, METHODS)
        check_choice("output", output, ("pandas", "dict"))
        table = self.count_score if method == "raw_count" else self._rates()
        values = table.mean(axis=0) if method == "pooled_with_average" else table
        return values.to_dict() if output == "dict" else values

    def print_performance(self, method: str = "pooled_with_average") -> None:
        """Print the rates in percent: their means, or unit by unit."""
        check_choice("method", method, ("pooled_with_average", "by_unit"))
        rates = 100 * self.get_performance(method)
        print(f"PERFORMANCE ({method}), percent")
        print(rates.to_string(float_format="{:.2f}".format))

    def print_summary(
        self,
        well_detected_score: float | None = None,
        redundant_score: float | None = None,
        overmerged_score: float | None = None,
    ) -> None:
        """Print the number of units of each kind."""
        counts = self.count_units_categories(well_detected_score, overmerged_score, redundant_score)
        print(f"{self.sorting2_name} against {self.sorting1_name}")
        print(counts.to_string())

    def count_units_categories(
        self,
        well_detected_score: float | None = None,
        overmerged_score: float | None = None,
        redundant_score: float | None = None,
    ) -> pd.Series[int]:
        """Numbers of true and tested units, and of units of each kind that can be determined."""
        import pandas as pd

        counts = {
            "num_gt": len(self.unit1_ids),
            "num_sorter": len(self.unit2_ids),
            "num_well_detected": self.count_well_detected_units(well_detected_score),
        }
        if self.exhaustive_gt:
            counts["num_overmerged"] = self.count_overmerged_units(overmerged_score)
            counts["num_redundant"] = self.count_redundant_units(redundant_score)
            counts["num_false_positive"] = self.count_false_positive_units(redundant_score)
            counts["num_bad"] = self.count_bad_units()
        return pd.Series(counts, dtype="int64")

    def get_confusion_matrix(self) -> pd.DataFrame:
        """Spikes of matched pairs on the diagonal, with false spikes in a last row and missed ones in a last column."""
        import pandas as pd

        match = self.counted_match
        rows = np.concatenate([np.flatnonzero(match >= 0), np.flatnonzero(match < 0)])
        partners = match[match >= 0]
        columns = np.concatenate([partners, np.setdiff1d(np.arange(len(self.unit2_ids)), partners)]).astype(np.int64)
        n, diagonal = len(partners), np.arange(len(partners))
        values = np.zeros((len(rows) + 1, len(columns) + 1), np.int64)
        values[diagonal, diagonal] = self.counts["tp"][rows[:n]]
        values[:-1, -1] = self.counts["fn"][rows]
        values[-1, :-1] = self.second.num_spikes[columns]
        values[-1, :n] -= values[diagonal, diagonal]
        index, header = ([*ids[order].tolist(), last] for ids, order, last in (
            (self.unit1_ids, rows, "FP"), (self.unit2_ids, columns, "FN"),
        ))  # fmt: skip
        return pd.DataFrame(values, index=index, columns=header)

    def get_well_detected_units(self, well_detected_score: float | None = None) -> list[Any]:
        """Tested units that are assigned to a true unit and agree well with it."""
        score = self.well_detected_score if well_detected_score is None else well_detected_score
        match = self.assigned[1]
        agreement = np.append(self.agreement, np.full((1, len(match)), -1.0), axis=0)[match, np.arange(len(match))]
        return self._tested((match >= 0) & (agreement >= score))

    def count_well_detected_units(self, well_detected_score: float | None = None) -> int:
        """Number of :meth:`get_well_detected_units`."""
        return len(self.get_well_detected_units(well_detected_score))

    def get_false_positive_units(self, redundant_score: float | None = None) -> list[Any]:
        """Tested units that are not assigned and agree with no true unit."""
        self._exhaustive("false positive")
        score = self.redundant_score if redundant_score is None else redundant_score
        free, best = self.assigned[1] < 0, self.best[1]
        return self._tested(free & ((best < 0) | (self._best_agreement() < score)))

    def count_false_positive_units(self, redundant_score: float | None = None) -> int:
        """Number of :meth:`get_false_positive_units`."""
        return len(self.get_false_positive_units(redundant_score))

    def get_redundant_units(self, redundant_score: float | None = None) -> list[Any]:
        """Tested units that are not assigned but agree with a true unit, which agrees better with another one."""
        self._exhaustive("redundant")
        score = self.redundant_score if redundant_score is None else redundant_score
        free, best = self.assigned[1] < 0, self.best[1]
        is_best = np.append(self.best[0], -1)[best] == np.arange(len(best))
        return self._tested(free & (best >= 0) & ~is_best & (self._best_agreement() >= score))

    def count_redundant_units(self, redundant_score: float | None = None) -> int:
        """Number of :meth:`get_redundant_units`."""
        return len(self.get_redundant_units(redundant_score))

    def get_overmerged_units(self, overmerged_score: float | None = None) -> list[Any]:
        """Tested units that agree with two or more true units."""
        self._exhaustive("overmerged")
        score = self.overmerged_score if overmerged_score is None else overmerged_score
        return self._tested((self.agreement > score).sum(axis=0) > 1)

    def count_overmerged_units(self, overmerged_score: float | None = None) -> int:
        """Number of :meth:`get_overmerged_units`."""
        return len(self.get_overmerged_units(overmerged_score))

    def get_bad_units(self) -> list[Any]:
        """Tested units that are not assigned to a true unit."""
        self._exhaustive("bad")
        return self._tested(self.assigned[1] < 0)

    def count_bad_units(self) -> int:
        """Number of :meth:`get_bad_units`."""
        return len(self.get_bad_units())

    def get_labels1(self, unit_id: Any) -> list[NDArray[Any]]:
        """For each spike of a true unit, by segment, whether it is found (``"TP"``) or missed (``"FN"``)."""
        return self._labels_of(self.first, self.found[0], unit_id, "FN")

    def get_labels2(self, unit_id: Any) -> list[NDArray[Any]]:
        """For each spike of a tested unit, by segment, whether it is true (``"TP"``) or false (``"FP"``)."""
        return self._labels_of(self.second, self.found[1], unit_id, "FP")

    @cached_property
    def found(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Of each true and of each tested spike whether one of the unit assigned to its own coincides with it."""
        return coincident_with_partner(self.first, self.second, self.assigned[0], self.delta_ms)

    def _labels_of(self, spikes: Spikes, found: NDArray[np.bool_], unit_id: Any, other: str) -> list[NDArray[Any]]:
        own = spikes.unit_index == unit_number(spikes.unit_ids, unit_id)
        return [np.where(found[part][own[part]], "TP", other) for part in spikes.parts()]

    def _rates(self) -> pd.DataFrame:
        import pandas as pd

        tp, fn, fp = (self.counts[name].astype(np.float64) for name in ("tp", "fn", "fp"))
        known = tp > 0
        both = {
            "accuracy": (tp, tp + fn + fp),
            "recall": (tp, tp + fn),
            "precision": (tp, tp + fp),
            "false_discovery_rate": (fp, tp + fp),
            "miss_rate": (fn, self.counts["num_gt"]),
        }
        rates = {name: np.where(known, a / np.where(known, b, 1), 0.0) for name, (a, b) in both.items()}
        return pd.DataFrame(rates, index=self.unit1_ids).rename_axis("gt_unit_id")

    def _best_agreement(self) -> NDArray[np.float64]:
        """Agreement of each tested unit with the true unit that agrees best with it."""
        return np.asarray(self.agreement.max(axis=0, initial=0.0), np.float64)

    def _tested(self, chosen: NDArray[np.bool_]) -> list[Any]:
        return self.unit2_ids[chosen].tolist()

    def _exhaustive(self, what: str) -> None:
        if not self.exhaustive_gt:
            raise ParameterError(
                f"{what} units are known only where the truth holds all units; say that it does (exhaustive_gt=True)"
            )


def compare_sorter_to_ground_truth(
    gt_sorting: Any,
    tested_sorting: Any,
    *,
    gt_name: str = "ground truth",
    tested_name: str = "tested",
    delta_ms: float = 0.4,
    match_score: float = 0.5,
    well_detected_score: float = 0.8,
    redundant_score: float = 0.2,
    overmerged_score: float = 0.2,
    chance_score: float = 0.1,
    exhaustive_gt: bool = False,
    match_mode: str = "hungarian",
    agreement_method: str = "count",
) -> GroundTruthComparison:
    """Compare a sorting with the truth, in SpikeInterface's terms; :func:`xephys.compare` gives the same in one tree.

    Numbers are SpikeInterface's. Labels of single spikes use each spike once, which may give fewer hits than the counts
    in bursts shorter than ``delta_ms``.

    Parameters
    ----------
    gt_sorting, tested_sorting
        Sortings of one recording, or of overlapping parts of it, of any kind that :func:`xephys.compare` accepts.
    gt_name, tested_name
        Names of the two sortings.
    delta_ms
        Maximum distance of coincident spikes.
    match_score
        Minimum agreement of units that are assigned to each other.
    well_detected_score
        Minimum agreement of an assigned unit that counts as well detected.
    redundant_score
        An unassigned unit with at least this agreement is redundant; below it, it is false.
    overmerged_score
        A tested unit that agrees better than this with two true ones is overmerged.
    chance_score
        Minimum agreement of possible matches.
    exhaustive_gt
        Whether the truth contains all units.
    match_mode
        Whether units are assigned one to one (``"hungarian"``), or each true unit to the tested one that agrees best
        with it (``"best"``).
    agreement_method
        As for :func:`compare_two_sorters`; the counts of spikes are the same with both.

    Returns
    -------
    GroundTruthComparison

    Raises
    ------
    ParameterError
        If a score is outside [0, 1], ``delta_ms`` is not positive, or the mode or method is unknown.
    RecordingError
        If the sortings differ in sampling frequency or segments, or have no time in common.

    Examples
    --------
    >>> import xephys
    >>> truth = xephys.make_sorting(sample_index=[10, 200, 300], labels=[1, 2, 2], sampling_frequency=1000.0)
    >>> found = xephys.make_sorting(sample_index=[200, 300, 400], labels=[7, 7, 8], sampling_frequency=1000.0)
    >>> comparison = compare_sorter_to_ground_truth(truth, found, exhaustive_gt=True)
    >>> comparison.get_well_detected_units(), comparison.get_bad_units()
    ([7], [8])
    """
    scores = {
        "match_score": match_score,
        "well_detected_score": well_detected_score,
        "redundant_score": redundant_score,
        "overmerged_score": overmerged_score,
        "chance_score": chance_score,
    }
    check_scores(delta_ms=delta_ms, **scores)
    check_choice("match_mode", match_mode, MATCH_MODES)
    check_choice("agreement_method", agreement_method, AGREEMENT_METHODS)
    truth, tested = spikes_of_two(gt_sorting, tested_sorting, ("true", "tested"))
    return GroundTruthComparison(
        first=truth,
        second=tested,
        coincident=count_coincident(truth, tested, delta_ms, symmetric=False),
        sorting1_name=gt_name,
        sorting2_name=tested_name,
        delta_ms=delta_ms,
        exhaustive_gt=exhaustive_gt,
        match_mode=match_mode,
        agreement_method=agreement_method,
        **scores,
    )
