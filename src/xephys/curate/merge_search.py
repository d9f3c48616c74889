"""Find units that are one neuron, step by step, with each pair's scores and the step that rejected it; merge them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..analysis.run import analyze
from ..checks import check_choice, check_passed_on, hint_for
from ..errors import ParameterError
from ..sorting import unit_ids_of, validate_sorting
from .merge import merge_units
from .merge_steps import PRESETS, STEPS, Search
from .names import unused_ids
from .regroup import logged_tree, nodes_of


@dataclass(frozen=True, eq=False)
class Merges:
    """Pairs of units, with the results of a search.

    Attributes
    ----------
    pairs
        All pairs with dim ``pair``: ``unit1``, ``unit2``, whether to ``merge`` them, the step that rejected them
        (``rejected_by``; empty for those to be merged), and the scores of the steps, NaN if a step was not evaluated.
    groups
        Names of the units to be merged with each other: pairs with a common unit form one group.
    steps
        The steps with their parameters.
    """

    pairs: xr.Dataset
    groups: tuple[tuple[Any, ...], ...]
    steps: dict[str, dict[str, Any]]

    def scores_of(self, group: Sequence[Any]) -> list[dict[str, Any]]:
        """The pairs of a group that are to be merged, with their scores."""
        chosen = self.pairs["merge"].values & np.isin(self.pairs["unit1"].values, list(group))
        table = self.pairs.isel(pair=chosen).drop_vars(["merge", "rejected_by"])
        frame = table.to_dataframe().dropna(axis="columns", how="all")
        return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]

    def apply(self, sorting: xr.DataTree, *, duplicate_ms: float | None = 0.3) -> xr.DataTree:
        """Merge each group; the log has the scores of its pairs."""
        tree = validate_sorting(sorting)
        for group in self.groups:
            name = unused_ids(tree, 1, stem=group[0])[0]
            tree = merge_units(tree, list(group), new_id=name, duplicate_ms=duplicate_ms)
        entry = {
            "step": "find_merges",
            "steps": self.steps,
            "merges": [{"units": list(group), "pairs": self.scores_of(group)} for group in self.groups],
        }
        return logged_tree(nodes_of(tree), tree, entry)


def find_merges(
    sorting: xr.DataTree,
    recording: xr.DataArray | xr.DataTree,
    preset: str = "similarity_correlograms",
    *,
    steps: Iterable[str] | None = None,
    parameters: Mapping[str, Mapping[str, Any]] | None = None,
    extensions: Mapping[str, Mapping[str, Any]] | None = None,
    **settings: Any,
) -> Merges:
    """Find units that are one neuron. Computes.

    Each step rejects pairs: by number of spikes, noise, contamination, distance, templates, correlograms, times of
    presence, neighbors in amplitude and position, cross-contamination, the effect of a merge on contamination, or
    SLAy's score. Steps, presets and scores are SpikeInterface's. The recording is read once, and the sorting's stored
    analysis is reused.

    Parameters
    ----------
    sorting, recording
        As in :func:`xephys.analyze`.
    preset
        ``similarity_correlograms``, ``temporal_splits``, ``x_contaminations``, ``feature_neighbors`` or ``slay``.
    steps
        Names of single steps, in order, instead of a preset: ``num_spikes``, ``snr``, ``remove_contaminated``,
        ``unit_locations``, ``template_similarity``, ``correlogram``, ``presence_distance``, ``knn``,
        ``cross_contamination``, ``quality_score``, ``slay_score``.
    parameters
        Parameters of single steps, such as ``{"num_spikes": {"n_spikes_min": 50}}``.
    extensions
        Parameters of the extensions that the steps need, such as ``{"correlograms": {"bin_ms": 0.5}}``.
    **settings
        As in :func:`xephys.analyze`.

    Returns
    -------
    Merges
        ``.groups`` are the units to be merged, ``.pairs`` says why others are not, ``.apply(sorting)`` merges them.

    Raises
    ------
    ParameterError
        If a preset, step or parameter is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> import xephys
    >>> from xephys.simulation.sorting import truth_sorting
    >>> recording, truth = xephys.testing.simulate_recording(duration_s=4, n_channels=8, n_units=2, seed=0)
    >>> sorting = truth_sorting(recording, truth)
    >>> unit = sorting["units"]["unit_id"].values[0]
    >>> n_spikes = int(sorting["units"]["num_spikes"][0])
    >>> divided = xephys.split_unit(sorting, unit, labels=np.arange(n_spikes) % 2, new_ids=[10, 11])
    >>> found = find_merges(divided, recording, steps=["unit_locations", "template_similarity"])
    >>> found.groups
    ((10, 11),)
    """
    check_passed_on(settings, find_merges, analyze, what="find_merges", without=("preset",))
    check_choice("preset", preset, PRESETS)
    names = list(PRESETS[preset] if steps is None else steps)
    chosen = _parameters(names, parameters or {})
    wanted = {need: {} for name in names for need in STEPS[name].needs}  # type: dict[str, dict[str, Any]]
    if "template_similarity" in wanted:
        wanted["template_similarity"]["method"] = chosen.get("template_similarity", {}).get("method", "l1")
    if "quality_metrics" in wanted:
        wanted["quality_metrics"]["names"] = ["snr"]
    for name, given in (extensions or {}).items():
        if name not in wanted:
            raise ParameterError(
                f"parameters are given for {name!r}, which no step needs; needed are {list(wanted)}"
                f"{hint_for(name, wanted)}"
            )
        wanted[name].update(given)
    tree = validate_sorting(sorting)
    if wanted:
        tree = analyze(tree, recording, list(wanted), parameters=wanted, **settings)
    search = Search.of(tree, recording)
    ids = np.asarray(unit_ids_of(tree))
    rejected = np.zeros(len(search.pairs), object)
    rejected[:] = ""
    for name in names:
        kept = STEPS[name].keeps(search, chosen[name])
        rejected[search.left & ~kept] = name
        search.left &= kept
    columns: dict[str, Any] = {
        "unit1": ("pair", ids[search.pairs[:, 0]]),
        "unit2": ("pair", ids[search.pairs[:, 1]]),
        "merge": ("pair", search.left),
        "rejected_by": ("pair", rejected.astype(str)),
    }
    columns |= {name: ("pair", values) for name, values in search.scores.items()}
    return Merges(xr.Dataset(columns), _groups(search.pairs[search.left], ids), chosen)


def merge_automatically(
    sorting: xr.DataTree,
    recording: xr.DataArray | xr.DataTree,
    presets: str | Iterable[str] = "similarity_correlograms",
    *,
    repeat: bool = False,
    duplicate_ms: float | None = 0.3,
    **options: Any,
) -> xr.DataTree:
    """Find units that are one neuron and merge them, preset by preset. Computes.

    Of the stored analysis, only results of merged units are recomputed.

    Parameters
    ----------
    sorting, recording
        As in :func:`find_merges`.
    presets
        One preset or several, applied one after the other.
    repeat
        Repeat the search with a preset until it finds nothing more.
    duplicate_ms
        As in :func:`xephys.merge_units`.
    **options
        ``parameters``, ``extensions`` and other arguments of :func:`find_merges`.

    Returns
    -------
    A sorting, with the scores of all merged pairs in its log.

    Examples
    --------
    >>> import xephys
    >>> from xephys.simulation.sorting import truth_sorting
    >>> recording, truth = xephys.testing.simulate_recording(duration_s=4, n_channels=8, n_units=2, seed=0)
    >>> sorting = truth_sorting(recording, truth)
    >>> merged = merge_automatically(sorting, recording, "slay")
    >>> merged["units"].sizes["unit"]
    2
    """
    check_passed_on(options, find_merges, analyze, what="merge_automatically", without=("preset",))
    tree = validate_sorting(sorting)
    for preset in [presets] if isinstance(presets, str) else list(presets):
        while True:
            found = find_merges(tree, recording, preset, **options)
            tree = found.apply(tree, duplicate_ms=duplicate_ms)
            if not (repeat and found.groups):
                break
    return tree


def _parameters(names: Iterable[str], given: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Parameters of the steps: their defaults, updated with the given ones."""
    chosen: dict[str, dict[str, Any]] = {}
    for name in names:
        check_choice("step", name, STEPS)
        chosen[name] = {**STEPS[name].parameters, **given.get(name, {})}
        for parameter in given.get(name, {}):
            known = STEPS[name].parameters
            if parameter not in known:
                raise ParameterError(
                    f"step {name!r} has no parameter {parameter!r}; it has {', '.join(known)}"
                    f"{hint_for(parameter, known)}"
                )
    if unused := [name for name in given if name not in chosen]:
        raise ParameterError(f"parameters are given for {unused[0]!r}, which is not a step of {', '.join(chosen)}")
    return chosen


def _groups(pairs: NDArray[np.int64], unit_ids: NDArray[Any]) -> tuple[tuple[Any, ...], ...]:
    """Units joined by pairs, in order."""
    from ..kernels.comparison.agreement_graph import components

    label = components(len(unit_ids), pairs)
    order = np.argsort(label, kind="stable")
    parts = np.split(unit_ids[order], np.cumsum(np.bincount(label))[:-1]) if len(label) else []
    return tuple(tuple(part.tolist()) for part in parts if len(part) > 1)
