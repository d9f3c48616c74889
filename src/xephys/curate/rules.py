"""Label or remove units by rules on their metrics, with the reason for each unit in the sorting's log."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..checks import check_choice
from ..errors import ParameterError
from ..sorting import unit_ids_of, validate_sorting
from .columns import unit_columns
from .expression import Condition, Truth, parse_condition
from .regroup import logged_tree, nodes_of
from .units import relabel_units, select_units

#: A condition on metrics, or a function of the table of metrics that returns for each unit whether it is met.
Rule = str | Callable[[xr.Dataset], Any]
#: Treatment of units for which a rule is undecided because a metric is NaN.
UNKNOWN = ("fail", "pass")


class Judgment(NamedTuple):
    """The verdict on each unit: whether it meets all rules, and if not, why."""

    passed: NDArray[np.bool_]
    reasons: dict[int, list[str]]


def curate_by_rules(
    sorting: xr.DataTree,
    rules: Rule | Sequence[Rule],
    *,
    metrics: xr.Dataset | Sequence[xr.Dataset] | None = None,
    passed: str | None = "good",
    failed: str | None = "noise",
    unknown: str = "fail",
    remove: bool = False,
) -> xr.DataTree:
    """Label units by whether they meet rules on their metrics, or remove units that do not.

    Parameters
    ----------
    sorting
        Any sorting tree.
    rules
        Conditions such as ``"snr > 5"``, ``"isi_violations_ratio < 0.5 or num_spikes < 200"``, ``"30 <=
        abs(amplitude_median)"`` (comparisons, ``and``, ``or``, ``not``, ``+ - * /``, ``abs()``; parsed, never run), or
        functions that take the Dataset of all metrics and return a boolean for each unit. A unit has to meet all of
        them.
    metrics
        Tables of metrics, as returned by :func:`xephys.compute_quality_metrics` and
        :func:`xephys.compute_template_metrics`, or data frames. Columns of the sorting's ``/units`` and of its stored
        analysis can be used as well.
    passed, failed
        Labels for units that meet all rules, and for the others; None keeps the existing labels.
    unknown
        Treatment of NaN: ``"fail"`` (the unit does not meet the rule) or ``"pass"``.
    remove
        Remove units that do not meet a rule.

    Returns
    -------
    A sorting. Its log has an entry with the rules and, for each unit that failed one, the reasons: the rule, and the
    values on which it depends.

    Raises
    ------
    ParameterError
        If a rule is not a condition, or uses an unknown metric.

    Examples
    --------
    >>> import xephys
    >>> sorting = xephys.make_sorting(sample_index=[10, 200, 300], labels=[1, 2, 2], sampling_frequency=1000.0)
    >>> curated = curate_by_rules(sorting, "num_spikes >= 2")
    >>> curated["units"]["label"].values.tolist()
    ['noise', 'good']
    >>> curation_log(curated)[-1]["reasons"]
    {'1': ['num_spikes >= 2: num_spikes is 1']}
    """
    check_choice("unknown", unknown, UNKNOWN)
    tree = validate_sorting(sorting)
    listed = [rules] if isinstance(rules, str) or callable(rules) else list(rules)
    columns, ids = unit_columns(tree, metrics), unit_ids_of(tree)
    judgment = judge(listed, columns, ids, unknown=unknown)
    names = np.array([failed if not remove else None, passed], object)[judgment.passed.astype(np.int64)]
    labels = {unit: str(name) for unit, name in zip(ids.tolist(), names.tolist(), strict=True) if name is not None}
    if labels:
        tree = relabel_units(tree, labels=labels)
    if remove and not judgment.passed.all():
        tree = select_units(tree, ids[judgment.passed].tolist())
    entry = {
        "step": "curate_by_rules",
        "rules": [name_of(rule) for rule in listed],
        "unknown": unknown,
        "removes": remove,
        "reasons": {str(ids[k]): reasons for k, reasons in judgment.reasons.items()},
    }
    return logged_tree(nodes_of(tree), tree, entry)


def judge(
    rules: Iterable[Rule], columns: Mapping[str, NDArray[Any]], unit_ids: NDArray[Any], *, unknown: str = "fail"
) -> Judgment:
    """Apply rules to a table of metrics.

    Parameters
    ----------
    rules
        Conditions or functions.
    columns
        Values of all units by name of the metric.
    unit_ids
        Names of the units.
    unknown
        Whether a unit meets a rule that is undecided for it (``"pass"``) or not (``"fail"``).

    Examples
    --------
    >>> judge(["snr > 5"], {"snr": np.array([6.0, np.nan])}, np.array([1, 2]))
    Judgment(passed=array([ True, False]), reasons={1: ['snr > 5: snr is nan']})
    """
    passed = np.ones(len(unit_ids), bool)
    reasons: dict[int, list[str]] = {}
    for rule in rules:
        if callable(rule):
            truth, names = _of_function(rule, columns, unit_ids), ()
        else:
            condition = _condition(rule)
            truth, names = condition.holds(columns), condition.names
        meets = truth.true | ~truth.known if unknown == "pass" else truth.true & truth.known
        passed &= meets
        for k in np.flatnonzero(~meets).tolist():
            values = ", ".join(f"{name} is {_short(columns[name][k])}" for name in names)
            reasons.setdefault(k, []).append(f"{name_of(rule)}: {values}" if values else name_of(rule))
    return Judgment(passed, reasons)


def curation_log(sorting: xr.DataTree) -> list[dict[str, Any]]:
    """Everything done to a sorting, step by step: labels, removals, merges, splits, and the reasons of rules.

    Examples
    --------
    >>> import xephys
    >>> sorting = xephys.make_sorting(sample_index=[10, 20], labels=[1, 2], sampling_frequency=1000.0)
    >>> curation_log(xephys.select_units(sorting, [2]))[-1]
    {'step': 'select_units', 'removed': [1]}
    """
    import json

    return list(json.loads(validate_sorting(sorting).attrs.get("log", "[]")))


def name_of(rule: Rule) -> str:
    """A rule as written in the log."""
    return rule.strip() if isinstance(rule, str) else getattr(rule, "__name__", type(rule).__name__)


def _condition(rule: Any) -> Condition:
    if not isinstance(rule, str):
        raise ParameterError(f"a rule is a text such as 'snr > 5', or a function of the metrics, not {rule!r:.60}")
    return parse_condition(rule)


def _of_function(
    rule: Callable[[xr.Dataset], Any], columns: Mapping[str, NDArray[Any]], unit_ids: NDArray[Any]
) -> Truth:
    table = xr.Dataset({name: ("unit", values) for name, values in columns.items()}, {"unit_id": ("unit", unit_ids)})
    answer = np.asarray(rule(table))
    if answer.shape != (len(unit_ids),) or answer.dtype.kind != "b":
        raise ParameterError(
            f"{name_of(rule)} returned {answer.dtype} of shape {answer.shape}; a rule returns a boolean for each of "
            f"the {len(unit_ids)} units"
        )
    return Truth(answer, np.ones(len(unit_ids), bool))


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, (float, np.floating)) else str(value)
