"""A curation as it is made: every step can be undone and made again, and all of them are SpikeInterface's sequence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import xarray as xr

from ..errors import ParameterError
from ..sorting import unit_ids_of, validate_sorting
from ..typing import PathLike
from .curation import QUALITY, apply_step, read_curation, save_curation

#: The labels that :meth:`Curation.label` gives, as SpikeInterface's GUI defines them.
DEFAULT_LABELS = {QUALITY: {"name": QUALITY, "label_options": ["good", "noise", "MUA"], "exclusive": True}}


@dataclass(frozen=True, eq=False)
class Curation:
    """A sorting, the steps that were made on it, and those that were undone.

    Steps do not change a curation: each method returns another one. Earlier sortings are kept, whole but sharing what
    did not change, so that a step back is the same sorting to the bit.

    Attributes
    ----------
    states
        The sorting before all steps, and after each.
    steps
        The steps in format 2, each with the names of all its new units.
    undone
        Steps and sortings that :meth:`redo` brings back, the next one last.
    """

    states: tuple[xr.DataTree, ...]
    steps: tuple[dict[str, Any], ...] = ()
    undone: tuple[tuple[dict[str, Any], xr.DataTree], ...] = ()

    @property
    def sorting(self) -> xr.DataTree:
        """The sorting after all steps."""
        return self.states[-1]

    def apply(
        self, curation: Mapping[str, Any] | Sequence[Any] | PathLike, *, duplicate_ms: float | None = None
    ) -> Curation:
        """Make one step or several, of what :func:`xephys.read_curation` takes."""
        made = self
        for step in read_curation(curation):
            tree, named = apply_step(made.sorting, step, duplicate_ms=duplicate_ms)
            made = Curation((*made.states, tree), (*made.steps, named))
        return made

    def label(self, labels: Mapping[Any, str]) -> Curation:
        """Label units good, noise or MUA."""
        given = [{"unit_id": unit, "labels": {QUALITY: [label]}} for unit, label in labels.items()]
        return self._made({"label_definitions": DEFAULT_LABELS, "manual_labels": given})

    def remove(self, unit_ids: Sequence[Any]) -> Curation:
        """Remove units."""
        return self._made({"removed": list(unit_ids)})

    def merge(self, unit_ids: Sequence[Any], *, new_id: Any = None) -> Curation:
        """Make one unit of several."""
        return self._made({"merges": [{"unit_ids": list(unit_ids), "new_unit_id": new_id}]})

    def split(
        self, unit_id: Any, indices: Sequence[Sequence[int]], *, new_ids: Sequence[Any] | None = None
    ) -> Curation:
        """Divide a unit: lists of its spikes, counted within the unit, and those in none of them."""
        one = {"unit_id": unit_id, "mode": "indices", "indices": [list(rows) for rows in indices]}
        return self._made({"splits": [{**one, "new_unit_ids": None if new_ids is None else list(new_ids)}]})

    def undo(self) -> Curation:
        """Take the last step back.

        Raises
        ------
        ParameterError
            If there is none.
        """
        if not self.steps:
            raise ParameterError("there is no step to undo; the sorting is as it was when the curation began")
        last = (self.steps[-1], self.states[-1])
        return replace(self, states=self.states[:-1], steps=self.steps[:-1], undone=(*self.undone, last))

    def redo(self) -> Curation:
        """Make the step again that was undone last.

        Raises
        ------
        ParameterError
            If none was undone since the last step.
        """
        if not self.undone:
            raise ParameterError("there is no step to make again; a new step forgets those that were undone")
        step, tree = self.undone[-1]
        return Curation((*self.states, tree), (*self.steps, step), self.undone[:-1])

    def to_dict(self) -> dict[str, Any]:
        """All steps as SpikeInterface's ``SequentialCuration``."""
        return {"curation_steps": list(self.steps)}

    def save(self, path: PathLike) -> None:
        """Write all steps as JSON, which SpikeInterface reads and :func:`begin_curation` goes on with."""
        save_curation(list(self.steps), path)

    def _made(self, parts: Mapping[str, Any]) -> Curation:
        ids = unit_ids_of(self.sorting).tolist()
        return self.apply({"unit_ids": ids, **parts})


def begin_curation(
    sorting: xr.DataTree, curation: Mapping[str, Any] | Sequence[Any] | PathLike | None = None
) -> Curation:
    """Begin to curate a sorting, or go on where a stored curation ended.

    Parameters
    ----------
    sorting
        The sorting before all steps.
    curation
        Steps that are made at once, such as the file of :meth:`Curation.save`; they can be undone too.

    Examples
    --------
    >>> import xephys
    >>> sorting = xephys.make_sorting(sample_index=[10, 200, 300], labels=[1, 2, 3], sampling_frequency=1000.0)
    >>> curation = begin_curation(sorting).label({1: "good"}).merge([2, 3], new_id=9)
    >>> curation.sorting["units"]["unit_id"].values.tolist()
    [1, 9]
    >>> curation.undo().sorting["units"]["unit_id"].values.tolist()
    [1, 2, 3]
    """
    begun = Curation((validate_sorting(sorting),))
    return begun if curation is None else begun.apply(curation)
