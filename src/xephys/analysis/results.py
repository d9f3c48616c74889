"""Results of an analysis on a sorting's tree: where they are stored, and for which units they are still valid.

Every extension has a node ``/analysis/NAME``. It stores a digest of each unit's spikes (``unit_key``) and, as
attributes, the parameters and inputs of the computation. Results are valid for a unit as long as all three are the
same, whatever the unit's current name and position, and whatever became of other units.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..errors import ParameterError
from ..recording.fingerprint import recording_fingerprint
from ..recording.segments import tree_of
from ..sorting import plain_value, validate_sorting
from .subject import Subject, content_key

NODE = "analysis"
KEY = "unit_key"
POPULATION = "population"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Settings that the extensions share.

    Attributes
    ----------
    ms_before, ms_after
        Window of waveforms and templates.
    n_spikes_max
        Maximum number of spikes per unit whose waveforms are averaged or kept; all if None.
    seed
        Seed for choosing them, and for all other random choices.
    """

    ms_before: float = 1.0
    ms_after: float = 2.0
    n_spikes_max: int | None = 500
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("ms_before", "ms_after"):
            value = getattr(self, name)
            if not value >= 0:
                raise ParameterError(f"{name} is {value:g}; it must be at least 0")


@dataclass
class Analysis:
    """The results so far, while an analysis runs.

    Attributes
    ----------
    subject, settings
        What is analyzed and how.
    nodes
        Datasets by name of the extension; known ones are replaced as they are brought up to date.
    changed
        For each extension, the units without valid results.
    """

    subject: Subject
    settings: Settings
    nodes: dict[str, xr.Dataset] = field(default_factory=dict)
    changed: dict[str, NDArray[np.bool_]] = field(default_factory=dict)

    @cached_property
    def recording_identity(self) -> str:
        segments = self.subject.segments
        return recording_fingerprint(segments[0] if len(segments) == 1 else tree_of(segments))

    @cached_property
    def population(self) -> int:
        """A digest of which units there are."""
        return content_key(np.sort(self.subject.unit_keys))

    @property
    def window(self) -> tuple[int, int]:
        """Samples of a waveform before the spike, and from it on."""
        rate = self.subject.sampling_frequency
        return round(self.settings.ms_before * 1e-3 * rate), max(1, round(self.settings.ms_after * 1e-3 * rate))

    def compare(self, name: str, *, described: str, reads: bool) -> None:
        """Determine for which units a known node is still valid."""
        subject = self.subject
        changed = np.ones(subject.n_units, bool)
        known = known_node(subject.sorting, name)
        if known is not None and self._holds(known, described=described, reads=reads):
            changed = known[KEY].values != subject.unit_keys
            self.nodes[name] = known
        self.changed[name] = changed

    def _holds(self, known: xr.Dataset, *, described: str, reads: bool) -> bool:
        if known.attrs.get("parameters") != described or known.sizes.get("unit") != self.subject.n_units:
            return False
        if "spike" in known.dims and known.sizes["spike"] != self.subject.n_spikes:
            return False
        return not reads or known.attrs.get("recording") == self.recording_identity

    def old(self, name: str, variable: str) -> NDArray[Any] | None:
        """Values of a known node; None if there are none."""
        node = self.nodes.get(name)
        return node[variable].values if node is not None and variable in node else None

    def by_spike(
        self, name: str, variable: str, *, positions: NDArray[np.int64], values: NDArray[Any], fill: Any = np.nan
    ) -> NDArray[Any]:
        """One value per spike: new ones at their positions, known ones elsewhere."""
        old = self.old(name, variable)
        out = np.full(self.subject.n_spikes, fill, values.dtype) if old is None else old.astype(values.dtype)
        out[positions] = values
        return out

    def by_unit(self, name: str, variable: str, values: NDArray[Any], *, fill: Any = 0) -> NDArray[Any]:
        """One row per unit: changed units from ``values``, which has a row for each of them, and known ones elsewhere.

        Rows that are shorter along their last dimension are padded.
        """
        old = self.old(name, variable)
        if old is None or self.changed[name].all():
            return values
        width = max(old.shape[-1], values.shape[-1]) if values.ndim > 1 else 0
        if values.ndim > 1:
            old, values = padded_to(old, width, fill), padded_to(values, width, fill)
        out = old.astype(values.dtype)
        out[self.changed[name]] = values[self.changed[name]]
        return out

    def put(self, name: str, dataset: xr.Dataset, *, described: str, reads: bool) -> None:
        """Store a result, with the conditions of its validity."""
        node = dataset.assign({KEY: ("unit", self.subject.unit_keys)})
        node.attrs.update({"parameters": described, POPULATION: self.population})
        if reads:
            node.attrs["recording"] = self.recording_identity
        self.nodes[name] = node

    def tree(self) -> xr.DataTree:
        """The sorting with all results."""
        nodes = {f"{NODE}/{name}": dataset for name, dataset in self.nodes.items()}
        return with_nodes(self.subject.sorting, nodes)


def padded_to(values: NDArray[Any], width: int, fill: Any) -> NDArray[Any]:
    """Rows padded at the end of their last dimension.

    Examples
    --------
    >>> padded_to(np.array([[1, 2]]), 3, -1).tolist()
    [[1, 2, -1]]
    """
    missing = width - values.shape[-1]
    return np.pad(values, [(0, 0)] * (values.ndim - 1) + [(0, missing)], constant_values=fill) if missing else values


def known_node(sorting: xr.DataTree, name: str) -> xr.Dataset | None:
    """The stored result of an extension; None if there is none."""
    path = f"{NODE}/{name}"
    if NODE not in sorting.children or name not in sorting[NODE].children:
        return None
    node = sorting[path].to_dataset(inherit=False)
    return node if KEY in node else None


def current_results(sorting: xr.DataTree) -> dict[str, xr.Dataset]:
    """All stored results by extension, after checking that they belong to the sorting's current spikes.

    Raises
    ------
    ParameterError
        If units have changed since; :func:`xephys.analyze` brings results up to date.
    """
    if NODE not in validate_sorting(sorting).children:
        return {}
    keys = Subject(sorting, ()).unit_keys
    results = {}
    for name, child in sorting[NODE].children.items():
        node = child.to_dataset(inherit=False)
        if node.sizes.get("unit", len(keys)) != len(keys) or (KEY in node and np.any(node[KEY].values != keys)):
            raise ParameterError(
                f"the stored {name} are of other spikes than the sorting has now; bring them up to date with "
                f"xephys.analyze(sorting, recording, [{name!r}])"
            )
        results[str(name)] = node
    return results


def columns_of(node: xr.Dataset) -> xr.Dataset:
    """The metrics of a node, without the information on their validity.

    Examples
    --------
    >>> list(columns_of(xr.Dataset({"snr": ("unit", [5.0]), "unit_key": ("unit", [7])})))
    ['snr']
    """
    columns = node.drop_vars([KEY, "neighborhood_key"], errors="ignore")
    columns.attrs = {}
    return columns


def with_nodes(sorting: xr.DataTree, nodes: Mapping[str, xr.Dataset]) -> xr.DataTree:
    """A sorting with some nodes added or replaced."""
    present = {
        node.path.strip("/"): node.to_dataset(inherit=False)
        for node in sorting.subtree
        if node.path != "/" and node.has_data
    }
    tree = xr.DataTree.from_dict({**present, **nodes})
    tree.attrs = dict(sorting.attrs)
    return tree


def described(parameters: Mapping[str, Any]) -> str:
    """Parameters as text that is equal for equal parameters.

    Examples
    --------
    >>> described({"b": 1, "a": (2, None)})
    '{"a": [2, null], "b": 1}'
    """
    return json.dumps(dict(parameters), sort_keys=True, default=plain_value)
