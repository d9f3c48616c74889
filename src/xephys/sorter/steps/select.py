"""Select the spikes among the last matches: those of their unit's shape and above its threshold."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ...graph.checkpoint import StoredRecords
from ...graph.columns import rows_where
from ...match.others import without_spikes_of_others
from ...match.selected import SelectedRecords, select_records
from ...match.shapes import judge_by_shape
from .tidy import are_above

Log = list[dict[str, Any]]


def own_matches(matched: StoredRecords, live: NDArray[np.bool_], *, n_spikes_min: int) -> tuple[SelectedRecords, Log]:
    """The matches without spikes of other neurons, and the log of these.

    Those that are not ``live`` are kept: beside silent channels, no spike has the shape of its neuron.
    """
    own, records = without_spikes_of_others(select_records(matched, live), n_spikes_min=n_spikes_min)
    if not live.all():
        kept = ~live
        kept[rows_where(live)[own.selected]] = True
        own = SelectedRecords(matched, rows_where(kept))
    return own, _log_of(records, action="leave out", reason="spikes of other neurons")


def spikes_among(
    matches: StoredRecords,
    templates: xr.Dataset,
    live: NDArray[np.bool_],
    *,
    match_threshold: float,
    n_spikes_min: int,
    judges: bool,
) -> tuple[StoredRecords, Log]:
    """The matches that are spikes, still on disk, and the log of the units that shape decides.

    Parameters
    ----------
    matches
        From the last match.
    templates
        With ``relative_threshold``.
    live
        Which matches lie beside no silent channel; only their shapes are judged.
    match_threshold
        The usual threshold.
    n_spikes_min
        Minimum number of spikes of a unit.
    judges
        Whether shapes are judged; if so, the matches have projections.
    """
    is_spike = are_above(matches, templates, match_threshold)
    if not judges:
        return select_records(matches, is_spike), []
    thresholds = match_threshold * templates["relative_threshold"].values
    is_spike[live], shapes = judge_by_shape(select_records(matches, live), thresholds, n_spikes_min=n_spikes_min)
    return select_records(matches, is_spike), _log_of(shapes, action="judge", reason="shape and score together")


def _log_of(records: NDArray[np.void], **what: str) -> Log:
    return [
        {"step": "match", **what, **{name: row[name].item() for name in records.dtype.names or ()}} for row in records
    ]
