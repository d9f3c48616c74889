"""Agreement and matches of the units of two sortings, neither of which is known to be right."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..checks import check_choice, check_positive
from ..curate.names import unit_positions
from ..errors import ParameterError
from .spikes import Spikes, agreement_by_distance, count_coincident, spikes_of_two

if TYPE_CHECKING:
    import pandas as pd

#: Ways to measure the agreement of two units.
AGREEMENT_METHODS = ("count", "distance")


@dataclass(frozen=True, eq=False, kw_only=True)
class PairComparison:
    """Agreement of the units of two sortings, and their matches, under SpikeInterface's names.

    Attributes
    ----------
    first, second
        Spikes of both on one axis.
    coincident
        Coincident spikes ``(first unit, second unit)``.
    sorting1_name, sorting2_name
        Names of the sortings.
    delta_ms
        Maximum distance of coincident spikes.
    match_score, chance_score
        Minimum agreement of units that are assigned to each other, and of possible matches.
    agreement_method
        How the agreement is measured.
    """

    first: Spikes
    second: Spikes
    coincident: NDArray[np.int64]
    sorting1_name: str
    sorting2_name: str
    delta_ms: float
    match_score: float
    chance_score: float
    agreement_method: str = "count"

    @property
    def unit1_ids(self) -> NDArray[Any]:
        """Units of the first sorting."""
        return self.first.unit_ids

    @property
    def unit2_ids(self) -> NDArray[Any]:
        """Units of the second sorting."""
        return self.second.unit_ids

    @cached_property
    def agreement(self) -> NDArray[np.float64]:
        """Coincident spikes over the union of both trains ``(first unit, second unit)``, or one by distance."""
        if self.agreement_method == "distance":
            return agreement_by_distance(self.first, self.second, self.delta_ms)
        from ..kernels.comparison.matches import agreement_of_counts

        return agreement_of_counts(self.coincident, self.first.num_spikes, self.second.num_spikes)

    @cached_property
    def assigned(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Number of the unit assigned to each unit, one to one; -1 for none."""
        from ..kernels.comparison.matches import one_to_one

        return one_to_one(self.agreement, self.match_score)

    @cached_property
    def best(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Number of the unit that agrees best with each unit, regardless of other units; -1 for none."""
        from ..kernels.comparison.matches import best_matches

        return best_matches(self.agreement, self.chance_score), best_matches(self.agreement.T, self.chance_score)

    @property
    def agreement_scores(self) -> pd.DataFrame:
        """The agreement as a table."""
        return self._table(self.agreement)

    @property
    def match_event_count(self) -> pd.DataFrame:
        """Coincident spikes as a table."""
        return self._table(self.coincident)

    @property
    def event_counts1(self) -> pd.Series[int]:
        """Spikes of each unit of the first sorting."""
        return _series(self.first.num_spikes, self.unit1_ids)

    @property
    def event_counts2(self) -> pd.Series[int]:
        """Spikes of each unit of the second sorting."""
        return _series(self.second.num_spikes, self.unit2_ids)

    @property
    def hungarian_match_12(self) -> pd.Series[Any]:
        """Unit that each unit of the first sorting is assigned to; -1, or an empty text, for none."""
        return _names_of(self.assigned[0], self.unit1_ids, self.unit2_ids)

    @property
    def hungarian_match_21(self) -> pd.Series[Any]:
        """Unit that each unit of the second sorting is assigned to."""
        return _names_of(self.assigned[1], self.unit2_ids, self.unit1_ids)

    @property
    def best_match_12(self) -> pd.Series[Any]:
        """Unit that agrees best with each unit of the first sorting, at ``chance_score`` or more."""
        return _names_of(self.best[0], self.unit1_ids, self.unit2_ids)

    @property
    def best_match_21(self) -> pd.Series[Any]:
        """Unit that agrees best with each unit of the second sorting."""
        return _names_of(self.best[1], self.unit2_ids, self.unit1_ids)

    @property
    def possible_match_12(self) -> dict[Any, NDArray[Any]]:
        """Units that agree with each unit of the first sorting at ``chance_score`` or more."""
        return _possible(self.agreement, self.chance_score, self.unit1_ids, self.unit2_ids)

    @property
    def possible_match_21(self) -> dict[Any, NDArray[Any]]:
        """Units that agree with each unit of the second sorting."""
        return _possible(self.agreement.T, self.chance_score, self.unit2_ids, self.unit1_ids)

    def get_ordered_agreement_scores(self) -> pd.DataFrame:
        """The agreement with units ordered so that it falls along the diagonal."""
        from ..kernels.comparison.matches import order_by_agreement

        rows, columns = order_by_agreement(self.agreement)
        return self.agreement_scores.iloc[rows, columns]

    def _table(self, values: NDArray[Any]) -> pd.DataFrame:
        import pandas as pd

        return pd.DataFrame(values, index=self.unit1_ids, columns=self.unit2_ids)


@dataclass(frozen=True, eq=False, kw_only=True)
class SymmetricSortingComparison(PairComparison):
    """Two sortings of which neither is the truth; exchanging them gives the same result."""

    def get_matching(self) -> tuple[pd.Series[Any], pd.Series[Any]]:
        """The unit assigned to each unit of the first sorting, and to each of the second."""
        return self.hungarian_match_12, self.hungarian_match_21

    def get_matching_event_count(self, unit1: Any, unit2: Any) -> int:
        """Coincident spikes of two units."""
        return int(self.coincident[unit_number(self.unit1_ids, unit1), unit_number(self.unit2_ids, unit2)])

    def get_best_unit_match1(self, unit1: Any) -> Any:
        """Unit of the second sorting that agrees best with one of the first."""
        return self.best_match_12.iloc[unit_number(self.unit1_ids, unit1)]

    def get_best_unit_match2(self, unit2: Any) -> Any:
        """Unit of the first sorting that agrees best with one of the second."""
        return self.best_match_21.iloc[unit_number(self.unit2_ids, unit2)]

    def get_matching_unit_list1(self, unit1: Any) -> NDArray[Any]:
        """Units of the second sorting that may be a unit of the first."""
        return self.unit2_ids[self.agreement[unit_number(self.unit1_ids, unit1)] >= self.chance_score]

    def get_matching_unit_list2(self, unit2: Any) -> NDArray[Any]:
        """Units of the first sorting that may be a unit of the second."""
        return self.unit1_ids[self.agreement[:, unit_number(self.unit2_ids, unit2)] >= self.chance_score]

    def get_agreement_fraction(self, unit1: Any = None, unit2: Any = None) -> float:
        """Agreement of two units; 0 if one of them is missing, as a match may be."""
        none = (None, -1, "")
        if any(unit in none and unit not in ids for unit, ids in ((unit1, self.unit1_ids), (unit2, self.unit2_ids))):
            return 0.0
        return float(self.agreement[unit_number(self.unit1_ids, unit1), unit_number(self.unit2_ids, unit2)])


def compare_two_sorters(
    sorting1: Any,
    sorting2: Any,
    *,
    sorting1_name: str = "sorting1",
    sorting2_name: str = "sorting2",
    delta_ms: float = 0.4,
    match_score: float = 0.5,
    chance_score: float = 0.1,
    agreement_method: str = "count",
) -> SymmetricSortingComparison:
    """Compare two sortings of which neither is known to be right.

    Spikes coincide within ``delta_ms``; the larger of the counts in both directions is used. Units are assigned one to
    one (Hungarian algorithm). Counts, agreements and matches are SpikeInterface's.

    Parameters
    ----------
    sorting1, sorting2
        Sortings of one recording, or of overlapping parts of it, of any kind that :func:`xephys.compare` accepts.
    sorting1_name, sorting2_name
        Names of the sortings.
    delta_ms
        Maximum distance of coincident spikes.
    match_score
        Minimum agreement of units that are assigned to each other.
    chance_score
        Minimum agreement of possible matches.
    agreement_method
        ``"count"``: coincident spikes over the union of both trains. ``"distance"``: spikes are boxes ``delta_ms``
        long, and the nearer two spikes are, the more they count.

    Returns
    -------
    SymmetricSortingComparison

    Raises
    ------
    ParameterError
        If a score is outside [0, 1], ``delta_ms`` is not positive, or the method is unknown.
    RecordingError
        If the sortings differ in sampling frequency or segments, or have no time in common.

    Examples
    --------
    >>> import xephys
    >>> sorting = xephys.make_sorting(sample_index=[10, 200, 300], labels=[1, 2, 2], sampling_frequency=1000.0)
    >>> compare_two_sorters(sorting, sorting).get_matching_event_count(2, 2)
    2
    """
    check_scores(delta_ms=delta_ms, match_score=match_score, chance_score=chance_score)
    check_choice("agreement_method", agreement_method, AGREEMENT_METHODS)
    first, second = spikes_of_two(sorting1, sorting2, ("first", "second"))
    return SymmetricSortingComparison(
        first=first,
        second=second,
        coincident=count_coincident(first, second, delta_ms, symmetric=True),
        sorting1_name=sorting1_name,
        sorting2_name=sorting2_name,
        delta_ms=delta_ms,
        match_score=match_score,
        chance_score=chance_score,
        agreement_method=agreement_method,
    )


def unit_number(unit_ids: NDArray[Any], unit: Any) -> int:
    """Number of a unit by its name."""
    return int(unit_positions(unit_ids, unit)[0])


def check_scores(*, delta_ms: float, **scores: float) -> None:
    """Check that a distance is positive and that scores are between 0 and 1."""
    check_positive(delta_ms=delta_ms)
    for name, value in scores.items():
        if not 0 <= value <= 1:
            raise ParameterError(f"{name} is {value:g}; it must lie between 0 and 1")


def _series(values: NDArray[Any], index: NDArray[Any]) -> Any:
    import pandas as pd

    return pd.Series(values, index=index)


def _names_of(numbers: NDArray[np.int64], index: NDArray[Any], names: NDArray[Any]) -> Any:
    """Names by number, for -1 what says that there is none: -1 among numbers, and an empty text among texts."""
    none = np.array([-1 if names.dtype.kind in "iu" else ""], names.dtype)
    return _series(np.concatenate([names, none])[numbers], index)


def _possible(
    agreement: NDArray[np.float64], score_min: float, ids: NDArray[Any], others: NDArray[Any]
) -> dict[Any, NDArray[Any]]:
    possible = (agreement >= score_min) & (agreement > 0)
    rows, columns = np.nonzero(possible)
    parts = np.split(others[columns], np.cumsum(np.bincount(rows, minlength=len(ids)))[:-1]) if len(ids) else []
    return dict(zip(ids.tolist(), parts, strict=True))
