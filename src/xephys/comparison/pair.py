"""How well a sorting finds the units of a known truth, counted as in SpikeInterface."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from ..errors import RecordingError
from .ground_truth import GroundTruthComparison
from .spikes import count_coincident, spikes_of_two
from .two_sorters import check_scores

#: Minimum agreement with a true unit for it to be named with a tested one.
CHANCE_SCORE = 0.1
MEASURES = ("accuracy", "recall", "precision")
COUNTS = {
    "num_truth": "num_gt",
    "num_tested": "num_tested",
    "num_matched": "tp",
    "num_missed": "fn",
    "num_false": "fp",
}


@dataclass(frozen=True, eq=False)
class Comparison:
    """A tested sorting against the truth.

    Attributes
    ----------
    units
        Dataset with dim ``truth_unit``: ``accuracy``, ``recall``, ``precision`` (0 for units that nothing matches),
        ``match`` (the tested unit, as a string, or ``""``), spike counts ``num_truth``, ``num_tested``,
        ``num_matched``, ``num_missed``, ``num_false``.
    tested_units
        Dataset with dim ``tested_unit``: ``kind`` (``"well detected"``, ``"matched"``, ``"redundant"``,
        ``"false positive"``, ``"unmatched"``), ``overmerged``, ``best_truth`` (as a string, or ``""``), the best
        ``agreement``, ``num_spikes``, and ``num_false``, those that are not matched.
    agreement
        DataArray ``(truth_unit, tested_unit)``: coincident spikes over the union of both trains.
    confusion
        DataArray ``(truth_unit, tested_unit)``: coincident spikes, matched units first and in the same order on both
        axes; the last row, ``"false"``, and the last column, ``"missed"``, hold the spikes that are not matched.
    summary
        Numbers of units of each kind; the means of the three measures over all units of the truth, as SpikeInterface
        pools them (0 for those that nothing matches), and of the precision over the matched ones.
    """

    units: xr.Dataset
    tested_units: xr.Dataset
    agreement: xr.DataArray
    confusion: xr.DataArray
    summary: dict[str, float]

    def __repr__(self) -> str:
        s = self.summary
        means = ", ".join(f"{name} {s[name]:.3f}" for name in MEASURES)
        return (
            f"<Comparison of {s['num_tested_units']:.0f} tested with {s['num_truth_units']:.0f} true units: "
            f"{s['num_well_detected']:.0f} well detected, {means}>"
        )


def compare(
    tested: Any,
    truth: Any,
    *,
    delta_ms: float = 0.4,
    match_score: float = 0.5,
    well_detected_score: float = 0.8,
    redundant_score: float = 0.2,
    overmerged_score: float = 0.2,
) -> Comparison:
    """Compare a sorting with the truth.

    The counts are those of SpikeInterface's ``compare_sorter_to_ground_truth`` with an exhaustive truth: spikes
    coincide within ``delta_ms``, and units are assigned to each other one to one (Hungarian algorithm). Sortings of
    parts of one recording are brought onto one axis by their starts and clocks, and only the time that both cover is
    compared.

    Parameters
    ----------
    tested, truth
        Sortings: of :func:`xephys.sort`, of :func:`xephys.open_sorting`, the truth of a simulation, or
        SpikeInterface's.
    delta_ms
        Maximum distance of two spikes that count as the same.
    match_score
        Minimum agreement of matched units.
    well_detected_score
        Minimum agreement of a matched unit that counts as well detected.
    redundant_score
        An unmatched tested unit with at least this agreement is a second copy; below it, it is a false positive.
    overmerged_score
        A tested unit that agrees better than this with two units of the truth is overmerged.

    Returns
    -------
    Comparison

    Raises
    ------
    ParameterError
        If a score is outside [0, 1], or ``delta_ms`` is not positive.
    TypeError
        If an argument is not a sorting.
    RecordingError
        If the sortings differ in sampling frequency, have no time in common or no clock to determine it, or the truth
        has no units.

    Examples
    --------
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0)
    >>> compare(truth, truth).summary["accuracy"]
    1.0
    """
    scores = {
        "match_score": match_score,
        "well_detected_score": well_detected_score,
        "redundant_score": redundant_score,
        "overmerged_score": overmerged_score,
    }
    check_scores(delta_ms=delta_ms, **scores)
    true, found = spikes_of_two(truth, tested, ("true", "tested"))
    if len(true.unit_ids) == 0:
        raise RecordingError("the truth has no unit, so there is nothing to compare with")
    return _labelled(
        GroundTruthComparison(
            first=true,
            second=found,
            coincident=count_coincident(true, found, delta_ms, symmetric=False),
            sorting1_name="truth",
            sorting2_name="tested",
            delta_ms=delta_ms,
            chance_score=CHANCE_SCORE,
            exhaustive_gt=True,
            match_mode="hungarian",
            **scores,
        )
    )


def _labelled(result: GroundTruthComparison) -> Comparison:
    """The comparison as labelled tables."""
    true_ids, tested_ids = result.unit1_ids, result.unit2_ids
    named = np.array([*map(str, tested_ids.tolist()), ""], str)
    rates, match = result.get_performance(), result.assigned[0]
    variables: dict[str, Any] = {name: ("truth_unit", rates[name].to_numpy(np.float64)) for name in MEASURES}
    variables |= {name: ("truth_unit", result.counts[theirs]) for name, theirs in COUNTS.items()}
    units = xr.Dataset({**variables, "match": ("truth_unit", named[match])}, coords={"truth_unit": true_ids})
    dims, coords = ("truth_unit", "tested_unit"), {"truth_unit": true_ids, "tested_unit": tested_ids}
    agreement = xr.DataArray(result.agreement, dims=dims, coords=coords, name="agreement")
    kind = np.full(len(tested_ids), "unmatched", "U16")
    kind[result.assigned[1] >= 0] = "matched"
    kinds = {
        "false positive": result.get_false_positive_units(),
        "redundant": result.get_redundant_units(),
        "well detected": result.get_well_detected_units(),
    }
    for name, members in kinds.items():
        kind[np.isin(tested_ids, members)] = name
    paired = result.assigned[1] >= 0
    false_spikes = result.second.num_spikes.copy()
    false_spikes[paired] -= result.coincident[result.assigned[1][paired], np.flatnonzero(paired)]
    tested_units = xr.Dataset(
        {
            "kind": ("tested_unit", kind),
            "overmerged": ("tested_unit", np.isin(tested_ids, result.get_overmerged_units())),
            "best_truth": ("tested_unit", np.array([*map(str, true_ids.tolist()), ""], str)[result.best[1]]),
            "agreement": ("tested_unit", agreement.values.max(axis=0, initial=0.0)),
            "num_spikes": ("tested_unit", result.second.num_spikes),
            "num_false": ("tested_unit", false_spikes),
        },
        coords={"tested_unit": tested_ids},
    )
    confusion = _confusion(units, tested_units, result.coincident)
    return Comparison(units, tested_units, agreement, confusion, _summary(units, tested_units))


def _confusion(units: xr.Dataset, tested_units: xr.Dataset, coincident: Any) -> xr.DataArray:
    """Coincident spikes with matched pairs on the diagonal, and unmatched spikes in a last row and column."""
    true_ids, tested_ids = units["truth_unit"].values, tested_units["tested_unit"].values
    place = {str(u): k for k, u in enumerate(tested_ids)}
    matched = np.array([m != "" for m in units["match"].values], bool)
    rows = np.concatenate([np.flatnonzero(matched), np.flatnonzero(~matched)])
    partners = np.array([place[m] for m in units["match"].values[matched]], np.int64)
    columns = np.concatenate([partners, np.setdiff1d(np.arange(len(tested_ids)), partners)])
    counts = np.zeros((len(rows) + 1, len(columns) + 1), np.int64)
    counts[:-1, :-1] = coincident[np.ix_(rows, columns)]
    counts[:-1, -1] = units["num_missed"].values[rows]
    counts[-1, :-1] = tested_units["num_false"].values[columns]
    return xr.DataArray(
        counts,
        dims=("truth_unit", "tested_unit"),
        coords={
            "truth_unit": [*map(str, true_ids[rows]), "false"],
            "tested_unit": [*map(str, tested_ids[columns]), "missed"],
        },
        name="confusion",
    )


def _summary(units: xr.Dataset, tested_units: xr.Dataset) -> dict[str, float]:
    kinds = tested_units["kind"].values
    numbers: dict[str, float] = {
        "num_truth_units": units.sizes["truth_unit"],
        "num_tested_units": tested_units.sizes["tested_unit"],
        "num_well_detected": int(np.sum(kinds == "well detected")),
        "num_redundant": int(np.sum(kinds == "redundant")),
        "num_overmerged": int(tested_units["overmerged"].sum()),
        "num_false_positive": int(np.sum(kinds == "false positive")),
    }
    matched = units["match"].values != ""
    precision = float(units["precision"].values[matched].mean()) if matched.any() else float("nan")
    means = {name: float(units[name].mean()) for name in MEASURES}
    return numbers | means | {"num_matched_units": int(matched.sum()), "precision_matched": precision}
