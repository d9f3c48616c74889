"""How well a sorting finds the units of another that is known to be true, counted as SpikeInterface counts it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from ..checks import check_positive
from ..errors import ParameterError, RecordingError
from .one_axis import on_one_axis

if TYPE_CHECKING:
    from spikeinterface import BaseSorting

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
    parts of one recording are brought to one axis by what they say of their start and clock, and only the time that
    both cover is compared.

    Parameters
    ----------
    tested, truth
        Sortings: of :func:`xephys.sort`, of :func:`xephys.open_sorting`, the truth of a simulation, or
        SpikeInterface's.
    delta_ms
        Largest distance of two spikes that are the same.
    match_score
        Smallest agreement of units that are matched.
    well_detected_score
        Smallest agreement of a matched unit that counts as well detected.
    redundant_score
        Agreement from which an unmatched tested unit is a second copy, and below which it is a false positive.
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
        If something is not a sorting.
    RecordingError
        If the two have different sampling frequencies, no time in common or no clock by which it is known, or the
        truth has no unit.

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
    check_positive(delta_ms=delta_ms)
    for name, value in scores.items():
        if not 0 <= value <= 1:
            raise ParameterError(f"{name} is {value:g}; it must lie between 0 and 1")
    found, true = as_spikeinterface_sorting(tested), as_spikeinterface_sorting(truth)
    if found.sampling_frequency != true.sampling_frequency:
        raise RecordingError(
            f"the tested sorting was sampled at {found.sampling_frequency:g} Hz and the truth at "
            f"{true.sampling_frequency:g} Hz; compare sortings of one recording"
        )
    if found.get_num_segments() != true.get_num_segments():
        raise RecordingError(
            f"the tested sorting has {found.get_num_segments()} segments and the truth {true.get_num_segments()}; "
            "compare sortings of one recording"
        )
    found, true = on_one_axis(tested, truth, found, true)
    if len(true.unit_ids) == 0:
        raise RecordingError("the truth has no unit, so there is nothing to compare with")
    if len(found.unit_ids) == 0:
        return _nothing_found(true)
    from spikeinterface.comparison import compare_sorter_to_ground_truth

    # SpikeInterface says "no unit" by -1 or "", which may be the name of one: it is given other names.
    numbered = [one.rename_units([str(k) for k in range(len(one.unit_ids))]) for one in (true, found)]
    result = compare_sorter_to_ground_truth(*numbered, exhaustive_gt=True, delta_time=delta_ms, **scores)
    return _from_spikeinterface(result, true_ids=np.asarray(true.unit_ids), tested_ids=np.asarray(found.unit_ids))


def as_spikeinterface_sorting(sorting: Any) -> BaseSorting:
    """Any kind of sorting as SpikeInterface's."""
    from spikeinterface import BaseSorting

    if isinstance(sorting, BaseSorting):
        return sorting
    if hasattr(sorting, "to_spikeinterface"):
        return sorting.to_spikeinterface()
    if not isinstance(sorting, xr.DataTree) or "spikes" not in sorting.children:
        raise TypeError(
            f"expected a sorting (a DataTree with /spikes, or SpikeInterface's), got {type(sorting).__name__}; "
            "see open_sorting"
        )
    from ..io.bridge.spikeinterface import to_spikeinterface

    converted: BaseSorting = to_spikeinterface(sorting)
    return converted


def _from_spikeinterface(result: Any, *, true_ids: Any, tested_ids: Any) -> Comparison:
    """The comparison of two sortings whose units are called by their numbers, under their own names."""
    performance, counts = result.get_performance(), result.count_score
    true_numbers, tested_numbers = list(result.unit1_ids), list(result.unit2_ids)
    true_of = {number: str(name) for number, name in zip(true_numbers, true_ids, strict=True)}
    tested_of = {number: str(name) for number, name in zip(tested_numbers, tested_ids, strict=True)}
    matches = [tested_of.get(result.hungarian_match_12[u], "") for u in true_numbers]
    variables: dict[str, Any] = {name: ("truth_unit", performance[name].to_numpy(float)) for name in MEASURES}
    variables |= {name: ("truth_unit", counts[theirs].to_numpy(np.int64)) for name, theirs in COUNTS.items()}
    units = xr.Dataset({**variables, "match": ("truth_unit", matches)}, coords={"truth_unit": true_ids})
    agreement = xr.DataArray(
        result.agreement_scores.loc[true_numbers, tested_numbers].to_numpy(float),
        dims=("truth_unit", "tested_unit"),
        coords={"truth_unit": true_ids, "tested_unit": tested_ids},
        name="agreement",
    )
    well = set(result.get_well_detected_units())
    redundant, false = set(result.get_redundant_units()), set(result.get_false_positive_units())
    matched = set(matches) - {""}

    def kind(unit: Any) -> str:
        if unit in well:
            return "well detected"
        if tested_of[unit] in matched:
            return "matched"
        return "redundant" if unit in redundant else "false positive" if unit in false else "unmatched"

    merged = set(result.get_overmerged_units())
    spikes = result.event_counts2.loc[tested_numbers].to_numpy(np.int64)
    paired = {m: n for m, n in zip(matches, units["num_matched"].values, strict=True) if m}
    false_spikes = spikes - np.array([paired.get(str(u), 0) for u in tested_ids], np.int64)
    tested_units = xr.Dataset(
        {
            "kind": ("tested_unit", [kind(u) for u in tested_numbers]),
            "overmerged": ("tested_unit", [u in merged for u in tested_numbers]),
            "best_truth": ("tested_unit", [true_of.get(result.best_match_21[u], "") for u in tested_numbers]),
            "agreement": ("tested_unit", agreement.max("truth_unit").values),
            "num_spikes": ("tested_unit", spikes),
            "num_false": ("tested_unit", false_spikes),
        },
        coords={"tested_unit": tested_ids},
    )
    confusion = _confusion(
        units, tested_units, result.match_event_count.loc[true_numbers, tested_numbers].to_numpy(np.int64)
    )
    return Comparison(units, tested_units, agreement, confusion, _summary(units, tested_units))


def _nothing_found(true: Any) -> Comparison:
    """SpikeInterface cannot compare with a sorting without units; every spike is then missed."""
    ids = np.asarray(true.unit_ids)
    counts = np.array([sum(true.count_num_spikes_per_unit(unit_ids=[u]).values()) for u in ids], np.int64)
    zero, none = np.zeros(len(ids), np.int64), np.zeros(0, np.int64)
    variables: dict[str, Any] = {name: ("truth_unit", zero.astype(float)) for name in MEASURES}
    variables |= {name: ("truth_unit", counts if name in ("num_truth", "num_missed") else zero) for name in COUNTS}
    units = xr.Dataset({**variables, "match": ("truth_unit", [""] * len(ids))}, coords={"truth_unit": ids})
    tested_units = xr.Dataset(
        {
            "kind": ("tested_unit", np.zeros(0, "U1")),
            "overmerged": ("tested_unit", np.zeros(0, bool)),
            "best_truth": ("tested_unit", np.zeros(0, "U1")),
            "agreement": ("tested_unit", np.zeros(0)),
            "num_spikes": ("tested_unit", none),
            "num_false": ("tested_unit", none),
        },
        coords={"tested_unit": none},
    )
    agreement = xr.DataArray(
        np.zeros((len(ids), 0)),
        dims=("truth_unit", "tested_unit"),
        coords={"truth_unit": ids, "tested_unit": none},
        name="agreement",
    )
    confusion = _confusion(units, tested_units, np.zeros((len(ids), 0), np.int64))
    return Comparison(units, tested_units, agreement, confusion, _summary(units, tested_units))


def _confusion(units: xr.Dataset, tested_units: xr.Dataset, coincident: Any) -> xr.DataArray:
    """Coincident spikes with matched pairs on the diagonal, and what is left over in a last row and column."""
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
