"""Two stages of curation, each with limits and a history of its own."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ...curate.rules import judge
from ..classified import EmptyWaveformMetricsError
from ..config.groups import CurationConfig


class Stage(NamedTuple):
    """What a stage of curation decided.

    Attributes
    ----------
    kept
        Which of the units that it was given are left.
    history
        Limits, initial and final units, values, and the reasons by unit, as plain values.
    """

    kept: NDArray[np.bool_]
    history: dict[str, Any]


def first_rules(config: CurationConfig) -> list[str]:
    """Rules of the first stage."""
    if not config.curate_first or config.spikes_min_first is None:
        return []
    return [f"num_spikes >= {config.spikes_min_first}"]


def second_rules(config: CurationConfig) -> list[str]:
    """Rules of the second stage, in the order in which reasons are given.

    Examples
    --------
    >>> second_rules(CurationConfig(snr_min=None, fr_min=None))
    ['num_spikes >= 50', 'isi_violations <= 0.01', 'std_norm <= 1.0']
    """
    if not config.curate_second:
        return []
    limits = (
        ("num_spikes >= {}", config.spikes_min_second),
        ("firing_rate >= {}", config.fr_min),
        ("isi_violations <= {}", config.isi_viol_max),
        ("snr >= {}", config.snr_min),
        ("std_norm <= {}", config.std_norm_max),
    )
    return [rule.format(limit) for rule, limit in limits if limit is not None]


def curate_stage(units: xr.Dataset, among: NDArray[np.bool_], rules: list[str], *, name: str) -> Stage:
    """Judge units by rules.

    Parameters
    ----------
    units
        Table of units with a column for each metric.
    among
        Units that are left so far; the others are neither judged nor mentioned.
    rules
        Conditions that every unit has to meet.
    name
        Name of the stage in the history.

    Raises
    ------
    EmptyWaveformMetricsError
        If a rule asks for a metric that a back-end of yours did not measure.
    """
    ids = units["unit_id"].values
    columns = {str(key): values.values for key, values in units.data_vars.items() if values.dims == ("unit",)}
    used = sorted({rule.split()[0] for rule in rules})
    for metric in used:
        if metric not in columns:
            raise EmptyWaveformMetricsError(
                f"a rule asks for {metric}, which the back-end's extract_waveforms has not measured; measure it, or "
                "set the limit to None",
                metric_name=metric,
            )
    judgment = judge(rules, columns, ids)
    kept = among & judgment.passed
    history = {
        "stage": name,
        "rules": rules,
        "initial": ids[among].tolist(),
        "curated_final": ids[kept].tolist(),
        "failed": {str(ids[k]): reasons for k, reasons in judgment.reasons.items() if among[k]},
        "metrics": {key: {str(unit): float(columns[key][k]) for k, unit in enumerate(ids)} for key in used},
    }
    return Stage(kept, history)
