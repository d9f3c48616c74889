"""Compare several sortings of one recording: a graph of agreements between units, and what the sortings agree on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..checks import check_choice
from ..errors import ParameterError
from .spikes import Spikes, coincident_with_partner, count_coincident, spikes_of_two
from .two_sorters import AGREEMENT_METHODS, SymmetricSortingComparison, check_scores

SPIKETRAIN_MODES = ("union", "intersection")


@dataclass(frozen=True, eq=False, kw_only=True)
class MultiSortingComparison:
    """Units of several sortings, and which of them are the same neuron.

    Attributes
    ----------
    name_list
        Names of the sortings.
    spikes
        Their spikes, on the axis of the first sorting.
    comparisons
        Every pair of sortings, by their names.
    delta_ms
        Maximum distance of coincident spikes.
    spiketrain_mode
        Spikes of agreed units: those of either sorting, or those of both.
    """

    name_list: tuple[str, ...]
    spikes: tuple[Spikes, ...]
    comparisons: dict[tuple[str, str], SymmetricSortingComparison]
    delta_ms: float
    spiketrain_mode: str

    @cached_property
    def nodes(self) -> xr.Dataset:
        """All units with dim ``node``: ``sorting`` (a number), ``unit_index``, and ``group``, its number among the
        agreed units."""
        from ..kernels.comparison.agreement_graph import components

        sizes = [len(one.unit_ids) for one in self.spikes]
        group = components(sum(sizes), self.edges["node"].values[self.edges["kept"].values])
        return xr.Dataset(
            {
                "sorting": ("node", np.repeat(np.arange(len(sizes)), sizes)),
                "unit_index": ("node", np.concatenate([np.arange(size) for size in sizes])),
                "group": ("node", group),
            }
        )

    @cached_property
    def edges(self) -> xr.Dataset:
        """All matches with dim ``edge``: ``node (edge, 2)``, ``agreement``, and whether it is ``kept``.

        If a group has two units of one sorting, its weakest matches are dropped.
        """
        from ..kernels.comparison.agreement_graph import one_unit_a_sorting

        sizes = np.array([len(one.unit_ids) for one in self.spikes])
        starts = np.concatenate([[0], np.cumsum(sizes)])
        nodes, agreements = [np.zeros((0, 2), np.int64)], [np.zeros(0)]
        for (i, j), pair in zip(combinations(range(len(sizes)), 2), self.comparisons.values(), strict=True):
            first = np.flatnonzero(pair.assigned[0] >= 0)
            second = pair.assigned[0][first]
            nodes.append(np.column_stack([first + starts[i], second + starts[j]]))
            agreements.append(pair.agreement[first, second])
        edges, weights = np.concatenate(nodes), np.concatenate(agreements)
        kept = one_unit_a_sorting(np.repeat(np.arange(len(sizes)), sizes), edges, weights)
        return xr.Dataset({"node": (("edge", "side"), edges), "agreement": ("edge", weights), "kept": ("edge", kept)})

    @cached_property
    def units(self) -> xr.Dataset:
        """Agreed units with dim ``unit``: the mean agreement of their matches, how many sortings have them, and in
        ``member (unit, sorting)`` the number of the unit there, -1 where there is none."""
        nodes, edges = self.nodes, self.edges.isel(edge=self.edges["kept"].values)
        n_units = int(nodes["group"].max()) + 1 if nodes.sizes["node"] else 0
        of_edge = nodes["group"].values[edges["node"].values[:, 0]]
        count = np.bincount(of_edge, minlength=n_units)
        total = np.bincount(of_edge, weights=edges["agreement"].values, minlength=n_units)
        member = np.full((n_units, len(self.spikes)), -1, np.int64)
        member[nodes["group"].values, nodes["sorting"].values] = nodes["unit_index"].values
        return xr.Dataset(
            {
                "avg_agreement": ("unit", np.where(count > 0, total / np.maximum(count, 1), 0.0)),
                "agreement_number": ("unit", np.bincount(nodes["group"].values, minlength=n_units)),
                "member": (("unit", "sorting"), member),
            },
            coords={"sorting": list(self.name_list)},
        )

    def compute_subgraphs(self) -> tuple[list[list[str]], list[list[Any]]]:
        """For each agreed unit, the names of the sortings and of its units in them."""
        order = np.argsort(self.nodes["group"].values, kind="stable")
        names = np.array(self.name_list, object)[self.nodes["sorting"].values]
        ids = np.array([unit for one in self.spikes for unit in one.unit_ids.tolist()], object)
        ends = np.cumsum(np.bincount(self.nodes["group"].values))[:-1]
        return tuple([part.tolist() for part in np.split(column[order], ends)] for column in (names, ids))  # type: ignore[return-value]

    def get_agreement_sorting(
        self, minimum_agreement_count: int = 1, *, minimum_agreement_count_only: bool = False
    ) -> xr.DataTree:
        """The units on which several sortings agree, as a sorting.

        Parameters
        ----------
        minimum_agreement_count
            Minimum number of sortings that must contain a unit.
        minimum_agreement_count_only
            Use only units in exactly this number of sortings.

        Returns
        -------
        A sorting whose units have the columns ``avg_agreement``, ``agreement_number``, and for each sorting a column
        ``unit_in_NAME`` with the unit's name there, or an empty text.

        Raises
        ------
        ParameterError
            If no unit is in that many sortings.
        """
        number = self.units["agreement_number"].values
        few = minimum_agreement_count
        chosen = np.flatnonzero(number == few if minimum_agreement_count_only else number >= few)
        spikes, unit_index = self._agreed_spikes
        place = np.full(self.units.sizes["unit"], -1, np.int64)
        place[chosen] = np.arange(len(chosen))
        mine = place[unit_index] >= 0
        if not mine.any():
            raise ParameterError(
                f"no unit is in {few} sortings; of {len(number)} agreed units the largest number is "
                f"{number.max(initial=0)}"
            )
        return self._tree(spikes, np.flatnonzero(mine), place, chosen)

    @cached_property
    def _agreed_spikes(self) -> tuple[Spikes, NDArray[np.int64]]:
        """Spikes of all agreed units: those of their best match, or of the only sorting that contains them."""
        edges = self.edges.isel(edge=self.edges["kept"].values)
        group, weight = self.nodes["group"].values[edges["node"].values[:, 0]], edges["agreement"].values
        order = np.lexsort((-np.arange(len(group)), weight, group))
        last = order[np.append(np.diff(group[order]) != 0, True)] if len(order) else order
        best = edges["node"].values[last]
        alone = np.setdiff1d(np.arange(self.nodes.sizes["node"]), edges["node"].values)
        parts = [self._spikes_of_nodes(alone)]
        parts += [self._of_pair(i, j, best) for i, j in combinations(range(len(self.spikes)), 2)]
        columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
        first = self.spikes[0]
        order = np.lexsort((columns[2], columns[0], columns[1]))
        sample, segment, unit = (column[order] for column in columns)
        agreed = Spikes(
            sample_index=sample, unit_index=unit, segment_index=segment, unit_ids=np.arange(self.units.sizes["unit"]),
            n_segments=first.n_segments, sampling_frequency=first.sampling_frequency,
        )  # fmt: skip
        return agreed, unit

    def _of_pair(self, i: int, j: int, best: NDArray[np.int64]) -> tuple[NDArray[np.int64], ...]:
        """Sample, segment and agreed unit of the spikes of those whose best match is between two sortings."""
        sorting, unit = self.nodes["sorting"].values, self.nodes["unit_index"].values
        here = best[(sorting[best[:, 0]] == i) & (sorting[best[:, 1]] == j)]
        partner = np.full(len(self.spikes[i].unit_ids), -1, np.int64)
        partner[unit[here[:, 0]]] = unit[here[:, 1]]
        found = coincident_with_partner(self.spikes[i], self.spikes[j], partner, self.delta_ms)
        one, other = self._spikes_of_nodes(here[:, 0]), self._spikes_of_nodes(here[:, 1])
        mine = np.isin(self.spikes[i].unit_index, unit[here[:, 0]])
        theirs = np.isin(self.spikes[j].unit_index, unit[here[:, 1]])
        if self.spiketrain_mode == "intersection":
            return tuple(column[found[0][mine]] for column in one)
        new = ~found[1][theirs]
        return tuple(np.concatenate([a, b[new]]) for a, b in zip(one, other, strict=True))

    def _spikes_of_nodes(self, nodes: NDArray[np.int64]) -> tuple[NDArray[np.int64], ...]:
        """Sample, segment and agreed unit of the spikes of some nodes, sorting by sorting."""
        starts = np.concatenate([[0], np.cumsum([len(one.unit_ids) for one in self.spikes])])
        node = [one.unit_index + start for one, start in zip(self.spikes, starts[:-1], strict=True)]
        mine = np.isin(np.concatenate(node), nodes)
        columns = [
            np.concatenate([getattr(one, name) for one in self.spikes]) for name in ("sample_index", "segment_index")
        ]
        return columns[0][mine], columns[1][mine], self.nodes["group"].values[np.concatenate(node)[mine]]

    def _tree(
        self, spikes: Spikes, mine: NDArray[np.int64], place: NDArray[np.int64], chosen: NDArray[np.int64]
    ) -> xr.DataTree:
        """A sorting of some agreed units, with what is known of their agreement."""
        from ..curate.regroup import logged_tree, nodes_of
        from ..io.bridge.si_sorting import TreeSorting
        from ..io.bridge.spikeinterface import from_spikeinterface
        from ..io.store.encode import encode_array

        record = [("sample_index", np.int64), ("unit_index", np.int64), ("segment_index", np.int64)]
        vector = np.zeros(len(mine), record)
        vector["sample_index"], vector["segment_index"] = spikes.sample_index[mine], spikes.segment_index[mine]
        vector["unit_index"] = place[spikes.unit_index[mine]]
        sorting = TreeSorting(
            spikes=encode_array(vector),
            sampling_frequency=spikes.sampling_frequency,
            unit_ids=encode_array(chosen),
            num_segments=spikes.n_segments,
            properties={},
        )
        tree = from_spikeinterface(sorting)
        units = self.units.isel(unit=chosen)
        columns = {name: ("unit", units[name].values) for name in ("avg_agreement", "agreement_number")}
        for k, (name, one) in enumerate(zip(self.name_list, self.spikes, strict=True)):
            ids = np.array([*map(str, one.unit_ids.tolist()), ""], str)
            columns[f"unit_in_{name}"] = ("unit", ids[units["member"].values[:, k]])
        nodes = nodes_of(tree)
        nodes["units"] = nodes["units"].assign(columns)
        return logged_tree(nodes, tree, {"step": "agreement", "sortings": list(self.name_list)})


def compare_multiple_sorters(
    sortings: Iterable[Any],
    *,
    name_list: Sequence[str] | None = None,
    delta_ms: float = 0.4,
    match_score: float = 0.5,
    chance_score: float = 0.1,
    agreement_method: str = "count",
    spiketrain_mode: str = "union",
) -> MultiSortingComparison:
    """Compare several sortings of one recording, and find the units on which they agree.

    Every pair is compared as by :func:`compare_two_sorters`, and matched units are joined. If a group then contains two
    units of one sorting, its weakest matches are dropped until it does not. (SpikeInterface drops one match per excess
    unit, which may leave two of them in the group.) Agreements and groups are SpikeInterface's. Spikes of agreed units
    coincide within ``delta_ms``, where SpikeInterface always uses 5 samples. Their times are those of the sorting
    listed first, where SpikeInterface uses either one.

    Parameters
    ----------
    sortings
        Names of the sortings; ``sorting0``, ``sorting1``, ... if None.
    name_list
        What they are called; ``sorting0``, ``sorting1``, ... if None.
    delta_ms, match_score, chance_score, agreement_method
        As in :func:`compare_two_sorters`.
    spiketrain_mode
        Spikes of a unit that is in several sortings: from the two that agree best, those of either (``"union"``, with
        times from the one listed first), or those of both (``"intersection"``).

    Returns
    -------
    MultiSortingComparison
        ``.units`` are the agreed units; ``.get_agreement_sorting(2)`` makes a sorting of them.

    Raises
    ------
    ParameterError
        If there are fewer than two sortings, names are missing or given twice, or a score is outside [0, 1].
    RecordingError
        If sortings differ in sampling frequency or segments.

    Examples
    --------
    >>> import xephys
    >>> one = xephys.make_sorting(sample_index=[10, 200, 300], labels=[1, 2, 2], sampling_frequency=1000.0)
    >>> other = xephys.make_sorting(sample_index=[200, 300, 400], labels=[7, 7, 8], sampling_frequency=1000.0)
    >>> several = compare_multiple_sorters([one, other, other], name_list=["a", "b", "c"])
    >>> several.units["agreement_number"].values.tolist()
    [1, 3, 2]
    """
    check_scores(delta_ms=delta_ms, match_score=match_score, chance_score=chance_score)
    check_choice("agreement_method", agreement_method, AGREEMENT_METHODS)
    check_choice("spiketrain_mode", spiketrain_mode, SPIKETRAIN_MODES)
    listed = list(sortings)
    names = [f"sorting{k}" for k in range(len(listed))] if name_list is None else [str(name) for name in name_list]
    if len(listed) < 2 or len(names) != len(listed) or len(set(names)) < len(names):
        raise ParameterError(
            f"{len(listed)} sortings and {len(set(names))} different names are given; give two sortings or more, and a "
            "name for each"
        )
    spikes = [spikes_of_two(listed[0], one, (names[0], name)) for one, name in zip(listed[1:], names[1:], strict=True)]
    on_axis = (spikes[0][0], *(pair[1] for pair in spikes))
    comparisons = {
        (names[i], names[j]): SymmetricSortingComparison(
            first=on_axis[i],
            second=on_axis[j],
            coincident=count_coincident(on_axis[i], on_axis[j], delta_ms, symmetric=True),
            sorting1_name=names[i],
            sorting2_name=names[j],
            delta_ms=delta_ms,
            agreement_method=agreement_method,
            match_score=match_score,
            chance_score=chance_score,
        )
        for i, j in combinations(range(len(listed)), 2)
    }
    return MultiSortingComparison(
        name_list=tuple(names),
        spikes=on_axis,
        comparisons=comparisons,
        delta_ms=delta_ms,
        spiketrain_mode=spiketrain_mode,
    )
