"""Leave out spikes of other neurons that a unit's template matched."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..graph.checkpoint import StoredRecords
from ..graph.columns import load_columns, rows_where
from ..graph.events import run_tasks
from .selected import SelectedRecords

#: Maximum number of spikes from which a unit's border is found.
N_SPIKES_MAX = 2500
#: Number of spikes whose features are in memory at a time.
N_SPIKES_AT_A_TIME = 1 << 15


def without_spikes_of_others(spikes: StoredRecords, *, n_spikes_min: int) -> tuple[SelectedRecords, NDArray[np.void]]:
    """Matched spikes without those of a shape of their own, and smaller than the unit's. Computes.

    The template of a small unit also matches spikes of many far neurons. Where these form a group beside the unit's
    own spikes, which need not leave a gap, a border between the two is found on some of the spikes, and applied to all.

    Parameters
    ----------
    spikes
        From :func:`match_templates` with ``components``, on disk; if the tissue moves, as they would be seen at rest.
    n_spikes_min
        Minimum number of spikes of a unit.

    Returns
    -------
    kept
        The other spikes.
    records
        One record of dtype ``kernels.cluster.overlapping.OTHERS`` for each unit with a border.
    """
    from ..kernels.cluster.overlapping import OTHERS, find_border
    from ..kernels.cluster.parts import rows_by_label

    (units,) = load_columns(spikes, unit_index=np.int32)
    numbers, unit_rows = rows_by_label(units, n_max=N_SPIKES_MAX, n_min=n_spikes_min)
    keep = np.ones(len(units), bool)
    if not unit_rows:
        return SelectedRecords(spikes, rows_where(keep)), np.empty(0, OTHERS)
    rows = np.sort(np.concatenate(unit_rows))
    used = spikes.load(("projection", "amplitude"), rows=rows)
    shared: tuple[Any, ...] = np.ascontiguousarray(used["projection"]), np.ascontiguousarray(used["amplitude"])
    jobs = [
        (unit, np.searchsorted(rows, of_unit), n_spikes_min)
        for unit, of_unit in zip(numbers.tolist(), unit_rows, strict=True)
    ]
    found = run_tasks(find_border, jobs, shared=shared, part_of="match_templates")
    borders = [border for border in found if border is not None]
    if not borders:
        return SelectedRecords(spikes, rows_where(keep)), np.empty(0, OTHERS)
    records = np.concatenate([border.record for border in borders])
    directions = np.stack([border.direction for border in borders])
    offsets = np.array([border.offset for border in borders])
    curves = np.stack([border.curve for border in borders])
    border_of = np.full(int(units.max()) + 1, -1)
    border_of[records["unit"]] = np.arange(len(borders))

    judged = rows_where((border_of >= 0)[units])
    for begin in range(0, len(judged), N_SPIKES_AT_A_TIME):
        block = judged[begin : begin + N_SPIKES_AT_A_TIME]
        own = border_of[units[block]]
        features = spikes.load(("projection",), rows=block)["projection"].reshape(len(block), directions.shape[1])
        along = np.einsum("sf,sf->s", features, directions[own]) - offsets[own]
        keep[block] = np.polynomial.polynomial.polyval(along, curves[own].T, tensor=False) <= 0
    return SelectedRecords(spikes, rows_where(keep)), records
