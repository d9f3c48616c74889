"""Labels after Bombcell: noise by waveform, multi-unit by spikes, and units that are not somata."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..checks import readable
from ..errors import ParameterError, XephysWarning
from ..sorting import unit_ids_of, validate_sorting
from ..typing import PathLike
from .columns import unit_columns
from .expression import parse_condition
from .regroup import logged_tree, nodes_of
from .rules import Judgment, judge
from .units import relabel_units

#: Sections of the thresholds, in order of evaluation.
SECTIONS = ("noise", "mua", "non_somatic")
#: Thresholds of Bombcell (Fabre et al. 2023), with the values of SpikeInterface 0.105. Units that fail a condition of
#: ``noise`` are noise; of the others, those that fail one of ``mua`` are multi-unit; units that meet ``non_somatic``
#: are not somata.
BOMBCELL: dict[str, tuple[str, ...]] = {
    "noise": (
        "num_positive_peaks <= 2",
        "num_negative_peaks <= 1",
        "0.0001 <= peak_to_trough_duration <= 0.00115",
        "waveform_baseline_flatness <= 0.5",
        "peak_after_to_trough_ratio <= 0.8",
        "0.01 <= exp_decay <= 0.1",
    ),
    "mua": (
        "abs(amplitude_median) >= 30",
        "snr >= 5",
        "amplitude_cutoff <= 0.2",
        "num_spikes >= 300",
        "sliding_rp_violation <= 0.1",
        "presence_ratio >= 0.7",
        "drift_ptp <= 100",
        "isolation_distance >= 20",
        "l_ratio <= 0.3",
    ),
    "non_somatic": (
        "peak_before_width < 0.00015 and trough_width < 0.0002 "
        "and (peak_before_to_trough_ratio > 3 or peak_before_to_peak_after_ratio > 3)",
        "main_peak_to_trough_ratio > 0.8",
    ),
}
#: Metrics for which NaN is a result: no contamination could be ruled out.
NAN_FAILS = {"sliding_rp_violation"}
_WIDTHS = ("peak_before_width", "trough_width")
_RATIOS = ("peak_before_to_trough_ratio", "peak_before_to_peak_after_ratio")


def label_like_bombcell(
    sorting: xr.DataTree,
    *,
    metrics: xr.Dataset | Sequence[xr.Dataset] | None = None,
    thresholds: Mapping[str, Any] | PathLike | None = None,
    split_non_somatic: bool = False,
) -> xr.DataTree:
    """Label units as good, mua, noise or non-somatic, by Bombcell's rules on their metrics.

    Parameters
    ----------
    sorting
        As in :func:`curate_by_rules`: quality metrics and template metrics.
    metrics
        As of :func:`curate_by_rules`: quality metrics and template metrics.
    thresholds
        Conditions by section, ``noise``, ``mua`` and ``non_somatic``; or SpikeInterface's thresholds
        (``{"mua": {"snr": {"greater": 5, "less": None}}}``), also as the path of a JSON file. Bombcell's if None.
    split_non_somatic
        Label non-somatic units by whether they are good: ``non_soma_good`` and ``non_soma_mua`` instead of
        ``non_soma``.

    Returns
    -------
    A sorting with new labels. For each unit, the log says which conditions it fails, or why it is not a soma.
    Conditions on unknown metrics are left out, with a warning and a log entry.

    Raises
    ------
    ParameterError
        If a section is unknown, or a condition cannot be read.

    Examples
    --------
    >>> import xephys
    >>> sorting = xephys.make_sorting(sample_index=[10, 20, 30], labels=[1, 2, 2], sampling_frequency=1000.0)
    >>> labelled = label_like_bombcell(sorting, thresholds={"mua": ["num_spikes > 1"]})
    >>> labelled["units"]["label"].values.tolist()
    ['mua', 'good']
    """
    tree = validate_sorting(sorting)
    columns, ids = unit_columns(tree, metrics), unit_ids_of(tree)
    sections = _sections(BOMBCELL if thresholds is None else thresholds)
    known = {name: _known(conditions, columns) for name, conditions in sections.items()}
    left_out = [text for name, conditions in sections.items() for text in conditions if text not in known[name]]
    if left_out:
        warnings.warn(
            f"{len(left_out)} conditions ask for metrics that are not known and are left out: {'; '.join(left_out)}",
            XephysWarning,
            stacklevel=2,
        )
    noise = judge(known["noise"], columns, ids)
    strict = [text for text in known["mua"] if NAN_FAILS & set(parse_condition(text).names)]
    lenient = judge([text for text in known["mua"] if text not in strict], columns, ids, unknown="pass")
    sliding = judge(strict, columns, ids)
    is_good = lenient.passed & sliding.passed
    labels = np.where(noise.passed, np.where(is_good, "good", "mua"), "noise").astype(object)
    other = _met(known["non_somatic"], columns, ids)
    odd = noise.passed & ~other.passed
    labels[odd] = np.where(is_good[odd], "non_soma_good", "non_soma_mua") if split_non_somatic else "non_soma"
    reasons = {
        str(ids[k]): noise.reasons.get(k)
        or [reason for part in (lenient, sliding, other) for reason in part.reasons.get(k, [])]
        for k in np.flatnonzero(labels != "good").tolist()
    }
    tree = relabel_units(tree, labels=dict(zip(ids.tolist(), labels.tolist(), strict=True)))
    entry = {"step": "label_like_bombcell", "thresholds": known, "left_out": left_out, "reasons": reasons}
    return logged_tree(nodes_of(tree), tree, entry)


def _met(conditions: Iterable[str], columns: Mapping[str, NDArray[Any]], unit_ids: NDArray[Any]) -> Judgment:
    """Units pass if they meet none of the conditions; the reasons of the others are the conditions that they meet."""
    passed, reasons = np.ones(len(unit_ids), bool), dict[int, list[str]]()
    for text in conditions:
        opposite = f"not ({text})"
        judgment = judge([opposite], columns, unit_ids, unknown="pass")
        passed &= judgment.passed
        for k, found in judgment.reasons.items():
            reasons.setdefault(k, []).extend(text + reason.removeprefix(opposite) for reason in found)
    return Judgment(passed, reasons)


def _sections(thresholds: Mapping[str, Any] | PathLike) -> dict[str, list[str]]:
    """Conditions by section, from any accepted form."""
    if isinstance(thresholds, (str, Path)):
        with readable(thresholds, what="thresholds (JSON)"):
            text = Path(thresholds).read_bytes()
        try:
            thresholds = json.loads(text)
        except ValueError as error:
            raise ParameterError(f"{thresholds} is not whole JSON ({error}); save the thresholds again") from error
    given = {str(name).replace("-", "_"): value for name, value in dict(thresholds).items()}
    unknown = [name for name in given if name not in SECTIONS]
    if unknown:
        raise ParameterError(f"thresholds have a section {unknown[0]!r}; sections are {', '.join(SECTIONS)}")
    return {name: _conditions(name, given.get(name) or []) for name in SECTIONS}


def _conditions(section: str, given: Mapping[str, Any] | Iterable[str]) -> list[str]:
    if not isinstance(given, Mapping):
        return [given] if isinstance(given, str) else list(given)
    texts = {str(metric): text for metric, limits in given.items() if (text := _limits_text(str(metric), limits))}
    if section != "non_somatic":
        return list(texts.values())
    # SpikeInterface states what somata meet: narrow widths together with a large ratio, or anything else, violate it.
    widths = " and ".join(f"not ({texts[name]})" for name in _WIDTHS if name in texts)
    ratios = " or ".join(f"not ({texts[name]})" for name in _RATIOS if name in texts)
    alone = [f"not ({text})" for name, text in texts.items() if name not in (*_WIDTHS, *_RATIOS)]
    return [*([f"{widths} and ({ratios})"] if widths and ratios else []), *alone]


def _limits_text(metric: str, limits: Mapping[str, Any]) -> str:
    """SpikeInterface's limits of a metric as a condition; empty if there are none."""
    value = f"abs({metric})" if limits.get("abs") else metric
    low, high = (
        None if limit is None or limit != limit else limit for limit in (limits.get("greater"), limits.get("less"))
    )
    both = [f"{value} >= {low}"] * (low is not None) + [f"{value} <= {high}"] * (high is not None)
    return " and ".join(both)


def _known(conditions: Iterable[str], columns: Mapping[str, Any]) -> list[str]:
    """Conditions whose metrics are all known."""
    return [text for text in conditions if all(name in columns for name in parse_condition(text).names)]
