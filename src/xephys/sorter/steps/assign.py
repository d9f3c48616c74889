"""Assign matched spikes to units: shift them, order them, and keep one of two that are closer than a neuron can fire.

Meanwhile a spike is its sample, its template and its row among the matches; the rest is read at the end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ...graph.columns import Records, load_columns, load_rows, row_dtype

#: Values per spike by name: columns, or a structured array.
SpikeColumns: TypeAlias = Mapping[str, NDArray[Any]] | NDArray[Any]


@dataclass
class Assigned:
    """Spikes of templates, on the way to units.

    Attributes
    ----------
    sample_index, template
        When each spike is, and the template that it is a spike of.
    row
        Position among the matches; the two parts of a sum of two templates have the same.
    """

    sample_index: NDArray[np.int64]
    template: NDArray[np.int32]
    row: NDArray[np.integer[Any]]

    @classmethod
    def of(cls, matches: Records) -> Assigned:
        """The matches as they are."""
        samples, templates = load_columns(matches, sample_index=np.int64, unit_index=np.int32)
        return cls(samples, templates, np.arange(len(samples), dtype=row_dtype(len(samples))))

    @property
    def columns(self) -> dict[str, NDArray[Any]]:
        """Sample and template under the names that matches have."""
        return {"sample_index": self.sample_index, "unit_index": self.template}

    def keep(self, chosen: NDArray[Any]) -> None:
        """Restrict the spikes to a mask, or bring them into an order."""
        if chosen.dtype == bool and chosen.all():
            return
        self.sample_index = self.sample_index[chosen]  # one after another, so that only one of them exists twice
        self.template = self.template[chosen]
        self.row = self.row[chosen]


def assign_spikes(
    spikes: Assigned,
    matches: Records,
    *,
    target: NDArray[np.integer[Any]],
    shift: NDArray[np.int64],
    first_sample: int,
    n_samples: int,
    dead_samples: int,
    sums: NDArray[np.void] | None = None,
) -> None:
    """Leave only spikes of templates that have a unit, shift them, and bring them into the order of sample and unit.

    Parameters
    ----------
    spikes
        Of the matches; they are changed.
    matches
        With ``gain``, in memory or on disk.
    target
        Unit of each template; negative for none.
    shift
        Number of samples added to the spikes of each template.
    first_sample, n_samples
        Range of the recording.
    dead_samples
        Of two spikes of a unit that are closer than this, the better match is kept.
    sums
        Records of ``kernels.templates.composites.COMPOSITE``; spikes of these templates are given to their parts.
    """
    from ...kernels.lib.records import row_blocks

    if sums is not None and len(sums):
        _give_to_parts(spikes, sums)
    spikes.keep((target >= 0)[spikes.template])
    key = np.empty(len(spikes.row), np.int64)
    for block in row_blocks(len(key)):
        template = spikes.template[block]
        moved = spikes.sample_index[block] + shift[template]
        spikes.sample_index[block] = np.clip(moved, first_sample, first_sample + n_samples - 1)
        key[block] = spikes.sample_index[block] * len(target) + target[template]
    spikes.keep(np.argsort(key, kind="stable"))
    del key
    spikes.keep(_not_repeated(matches, spikes, target, dead_samples=dead_samples))


def columns_of_spikes(
    matches: Records, spikes: Assigned, unit_of_template: NDArray[np.integer[Any]], sizes: NDArray[np.float64]
) -> dict[str, NDArray[Any]]:
    """Values per spike: those assigned, and what was measured when they were matched.

    ``amplitude`` is multiplied by the relative size of the template; ``x`` and ``y`` are float32.
    """
    from ...kernels.lib.records import row_blocks

    n_spikes = len(spikes.row)
    places = [name for name in ("x", "y") if name in (matches.dtype.names or ())]
    columns: dict[str, NDArray[Any]] = {
        "sample_index": spikes.sample_index,
        "unit_index": np.empty(n_spikes, np.int32),
        "amplitude": np.empty(n_spikes, np.float64),
        **{name: np.empty(n_spikes, np.float32) for name in places},
    }
    for block in row_blocks(n_spikes):
        template, found = spikes.template[block], load_rows(matches, ["amplitude", *places], spikes.row[block])
        columns["unit_index"][block] = unit_of_template[template]
        columns["amplitude"][block] = found["amplitude"] * sizes[template]
        for name in places:
            columns[name][block] = found[name]
    return columns


def _give_to_parts(spikes: Assigned, sums: NDArray[np.void]) -> None:
    """Replace the spikes of sums by spikes of their parts, which come last."""
    from ...kernels.curate.parts_of_sums import give_to_parts

    is_sum = np.zeros(max(int(spikes.template.max(initial=-1)), int(sums["unit"].max())) + 1, np.bool_)
    is_sum[sums["unit"]] = True
    of_sums = np.flatnonzero(is_sum[spikes.template])
    table = np.zeros(len(of_sums), [("sample_index", "<i8"), ("unit_index", "<i8"), ("row", "<i8")])
    table["sample_index"], table["unit_index"] = spikes.sample_index[of_sums], spikes.template[of_sums]
    table["row"] = spikes.row[of_sums]
    parts = give_to_parts(table, sums)
    spikes.keep(~is_sum[spikes.template])
    spikes.sample_index = np.concatenate([spikes.sample_index, parts["sample_index"]])
    spikes.template = np.concatenate([spikes.template, parts["unit_index"].astype(np.int32)])
    spikes.row = np.concatenate([spikes.row, parts["row"].astype(spikes.row.dtype)])


def _not_repeated(
    matches: Records, spikes: Assigned, target: NDArray[np.integer[Any]], *, dead_samples: int
) -> NDArray[np.bool_]:
    """Mask of the spikes without the worse match of two that are too close."""
    from ...kernels.curate.repeats import close_spikes, drop_repeats

    close = close_spikes(spikes.sample_index, target.astype(np.int32)[spikes.template], dead_samples=dead_samples)
    table = np.zeros(len(close), [("sample_index", "<i8"), ("unit_index", "<i8"), ("gain", "<f8"), ("row", "<i8")])
    table["sample_index"], table["unit_index"] = spikes.sample_index[close], target[spikes.template[close]]
    table["gain"], table["row"] = load_rows(matches, ["gain"], spikes.row[close])["gain"], close
    kept = np.ones(len(spikes.row), np.bool_)
    kept[close] = False
    kept[drop_repeats(table, dead_samples=dead_samples)["row"]] = True
    return kept
