"""An interactive curation: every step can be undone and redone, and all steps form SpikeInterface's sequence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import xarray as xr

from ..checks import check_passed_on
from ..errors import ParameterError
from ..sorting import unit_ids_of, validate_sorting
from ..typing import PathLike
from .bombcell import label_like_bombcell
from .curation import read_curation, save_curation
from .curation_steps import QUALITY, apply_step
from .merge_search import Merges
from .rules import Rule, curate_by_rules

#: Definition of the labels that :meth:`Curation.label` sets, as in SpikeInterface's GUI.
DEFAULT_LABELS: dict[str, dict[str, Any]] = {
    QUALITY: {"name": QUALITY, "label_options": ["good", "noise", "MUA"], "exclusive": True}
}
#: Labels that SpikeInterface spells otherwise.
_SPELLED = {"mua": "MUA"}


@dataclass(frozen=True, eq=False)
class Curation:
    """A sorting, the steps applied to it, and those that were undone.

    A curation is immutable: each method returns a new one. Earlier sortings are kept completely, sharing unchanged
    parts, so that undoing a step returns the same sorting to the bit.

    Attributes
    ----------
    states
        The sorting before all steps, and after each one; a single sorting begins a curation.
    steps
        The steps in format 2, each including the names of all its new units.
    undone
        Steps and sortings that :meth:`redo` restores, the next one last.
    """

    states: tuple[xr.DataTree, ...]
    steps: tuple[dict[str, Any], ...] = ()
    undone: tuple[tuple[dict[str, Any], xr.DataTree], ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.states, tuple):
            object.__setattr__(self, "states", (validate_sorting(self.states),))

    @property
    def sorting(self) -> xr.DataTree:
        """The sorting after all steps."""
        return self.states[-1]

    def apply(
        self, curation: Mapping[str, Any] | Sequence[Any] | PathLike, *, duplicate_ms: float | None = None
    ) -> Curation:
        """Apply one or several steps, in any form that :func:`xephys.read_curation` accepts."""
        made = self
        for step in read_curation(curation):
            tree, named = apply_step(made.sorting, step, duplicate_ms=duplicate_ms)
            made = Curation((*made.states, tree), (*made.steps, named))
        return made

    def label(self, labels: Mapping[Any, str]) -> Curation:
        """Label units as good, noise or MUA."""
        given = [{"unit_id": unit, "labels": {QUALITY: [label]}} for unit, label in labels.items()]
        return self._made({"label_definitions": DEFAULT_LABELS, "manual_labels": given})

    def remove(self, unit_ids: Sequence[Any]) -> Curation:
        """Remove units."""
        return self._made({"removed": list(unit_ids)})

    def merge(self, unit_ids: Sequence[Any], *, new_id: Any = None) -> Curation:
        """Merge several units into one."""
        return self._made({"merges": [{"unit_ids": list(unit_ids), "new_unit_id": new_id}]})

    def split(
        self, unit_id: Any, indices: Sequence[Sequence[int]], *, new_ids: Sequence[Any] | None = None
    ) -> Curation:
        """Split a unit into lists of its spikes, counted within the unit, and the spikes in none of them."""
        one = {"unit_id": unit_id, "mode": "indices", "indices": [list(rows) for rows in indices]}
        return self._made({"splits": [{**one, "new_unit_ids": None if new_ids is None else list(new_ids)}]})

    def by_rules(self, rules: Rule | Sequence[Rule], **options: Any) -> Curation:
        """Label or remove units by rules, as :func:`xephys.curate_by_rules` does; the log has the reasons."""
        check_passed_on(options, curate_by_rules, what="by_rules")
        return self._relabelled(curate_by_rules(self.sorting, rules, **options))

    def like_bombcell(self, **options: Any) -> Curation:
        """Label units as :func:`label_like_bombcell` does; the log has the reasons."""
        check_passed_on(options, label_like_bombcell, what="like_bombcell")
        return self._relabelled(label_like_bombcell(self.sorting, **options))

    def merge_found(self, found: Merges, *, duplicate_ms: float | None = None) -> Curation:
        """Merge the groups of :func:`find_merges`."""
        merges = [{"unit_ids": list(group), "new_unit_id": None} for group in found.groups]
        return self._made({"merges": merges}, duplicate_ms=duplicate_ms)

    def undo(self) -> Curation:
        """Undo the last step.

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
        """Redo the step that was undone last.

        Raises
        ------
        ParameterError
            If no step was undone since the last new one.
        """
        if not self.undone:
            raise ParameterError("there is no step to make again; a new step forgets those that were undone")
        step, tree = self.undone[-1]
        return Curation((*self.states, tree), (*self.steps, step), self.undone[:-1])

    def to_dict(self) -> dict[str, Any]:
        """All steps as SpikeInterface's ``SequentialCuration``."""
        return {"curation_steps": list(self.steps)}

    def save(self, path: PathLike) -> None:
        """Write all steps as JSON, which SpikeInterface reads and :func:`begin_curation` continues."""
        save_curation(list(self.steps), path)

    def _made(self, parts: Mapping[str, Any], *, duplicate_ms: float | None = None) -> Curation:
        ids = unit_ids_of(self.sorting).tolist()
        return self.apply({"unit_ids": ids, **parts}, duplicate_ms=duplicate_ms)

    def _relabelled(self, tree: xr.DataTree) -> Curation:
        """The curation with a sorting that has other labels or fewer units, and the step that makes it."""
        ids, left = unit_ids_of(self.sorting).tolist(), set(unit_ids_of(tree).tolist())
        before = dict(zip(ids, self.sorting["units"]["label"].values.tolist(), strict=True))
        after = dict(zip(unit_ids_of(tree).tolist(), tree["units"]["label"].values.tolist(), strict=True))
        labels = {unit: _SPELLED.get(label, label) for unit, label in after.items() if label != before[unit]}
        quality = DEFAULT_LABELS[QUALITY]
        options = list(dict.fromkeys([*quality["label_options"], *labels.values()]))
        given = {
            "unit_ids": ids,
            "label_definitions": {QUALITY: {**quality, "label_options": options}},
            "manual_labels": [{"unit_id": unit, "labels": {QUALITY: [label]}} for unit, label in labels.items()],
            "removed": [unit for unit in ids if unit not in left],
        }
        (step,) = read_curation(given)
        return Curation((*self.states, tree), (*self.steps, step))


def begin_curation(
    sorting: xr.DataTree, curation: Mapping[str, Any] | Sequence[Any] | PathLike | None = None
) -> Curation:
    """Begin to curate a sorting, or continue a stored curation.

    Parameters
    ----------
    sorting
        The sorting before all steps.
    curation
        Steps to apply immediately, such as the file written by :meth:`Curation.save`; they can be undone too.

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
