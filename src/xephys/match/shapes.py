"""Decide by shape and score together which matches are spikes."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..graph.checkpoint import StoredRecords
from ..graph.columns import iter_blocks, rows_where
from ..graph.events import run_tasks
from ..graph.local import map_in_threads

#: Maximum number of matches from which a unit's shape is learned.
N_SPIKES_MAX = 2500
#: Number of matches that are judged at a time.
N_AT_A_TIME = 50_000


def judge_by_shape(
    spikes: StoredRecords, thresholds: NDArray[np.float64], *, n_spikes_min: int
) -> tuple[NDArray[np.bool_], NDArray[np.void]]:
    """Which matches are spikes: those above the threshold or, where shapes tell more, those that fit by both. Computes.

    Near the threshold of a small unit, spikes and false alarms have the same scores. Where they differ in shape, what
    the scores suggest is enough to learn how (see ``kernels.cluster.false_alarms``).

    Parameters
    ----------
    spikes
        Matches of a low threshold, with ``unit_index``, ``gain`` and ``projection``, on disk.
    thresholds
        The threshold of each unit, from :func:`balance_thresholds`.
    n_spikes_min
        Minimum number of spikes of a unit.

    Returns
    -------
    is_spike
        One bool for each match.
    records
        One record of dtype ``kernels.cluster.false_alarms.JUDGED`` for each unit that was judged by shape.
    """
    from ..kernels.cluster.false_alarms import JUDGED, find_shape
    from ..kernels.cluster.parts import rows_by_label

    units, score = np.empty(spikes.count, np.int32), np.empty(spikes.count)
    is_spike = np.empty(spikes.count, np.bool_)
    for block, known in iter_blocks(spikes, ("unit_index", "gain")):
        units[block], score[block] = known["unit_index"], np.sqrt(known["gain"])
        is_spike[block] = known["gain"] >= thresholds[known["unit_index"]] ** 2
    doubtful = _with_both(units, is_spike, len(thresholds), n_spikes_min)
    number = np.where(doubtful, np.arange(len(thresholds)), -1).astype(np.int32)
    numbers, unit_rows = rows_by_label(number[units], n_max=N_SPIKES_MAX)
    if not unit_rows:
        return is_spike, np.empty(0, JUDGED)
    rows = np.sort(np.concatenate(unit_rows))
    shared = np.ascontiguousarray(spikes.load(("projection",), rows=rows)["projection"]), score[rows]
    jobs: list[tuple[Any, ...]] = [
        (unit, np.searchsorted(rows, of_unit), float(thresholds[unit]), n_spikes_min)
        for unit, of_unit in zip(numbers.tolist(), unit_rows, strict=True)
    ]
    shapes = [shape for shape in run_tasks(find_shape, jobs, shared=shared, part_of="match_templates") if shape]
    if not shapes:
        return is_spike, np.empty(0, JUDGED)
    records = np.concatenate([shape.record for shape in shapes])
    shape_of = np.full(len(thresholds), -1)
    shape_of[records["unit"]] = np.arange(len(records))
    judged = rows_where((shape_of >= 0)[units])
    parts = np.array_split(judged, -(-len(judged) // N_AT_A_TIME))
    judge = partial(_are_likely, spikes, shapes=shapes, shape_of=shape_of, score=score, thresholds=thresholds)
    is_spike[judged] = np.concatenate(map_in_threads(judge, parts))
    return is_spike, records


def _with_both(
    units: NDArray[np.int32], is_spike: NDArray[np.bool_], n_units: int, n_spikes_min: int
) -> NDArray[np.bool_]:
    """Mask of the units with enough matches on either side of their threshold."""
    from ..kernels.lib.records import count_labels

    every, above = count_labels(units, n_labels=n_units), count_labels(units[is_spike], n_labels=n_units)
    return np.minimum(above, every - above) >= n_spikes_min


def _are_likely(
    spikes: StoredRecords,
    rows: NDArray[np.integer[Any]],
    *,
    shapes: list[Any],
    shape_of: NDArray[np.int64],
    score: NDArray[np.float64],
    thresholds: NDArray[np.float64],
) -> NDArray[np.bool_]:
    """Whether each of these matches is more likely a spike than a false alarm."""
    from ..kernels.cluster.false_alarms import odds_of

    some = spikes.load(("unit_index", "projection"), rows=rows)
    features, beyond = some["projection"].reshape(len(rows), -1), score[rows] - thresholds[some["unit_index"]]
    return np.asarray(odds_of(features, beyond, shape_of[some["unit_index"]], shapes) > 0)
