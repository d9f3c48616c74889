"""Remove spikes found twice, spikes outside the recording, and units found twice."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..checks import check_choice, check_positive, check_share
from ..errors import ParameterError
from ..recording.clock import check_same_rate, first_sample
from ..recording.segments import segments_of
from ..sorting import first_samples, samples_per_segment, unit_ids_of, validate_sorting
from .measures import largest_values
from .regroup import logged_tree, nodes_of, regrouped
from .units import select_units

#: Which of two close spikes stays, and whether removed spikes still cause others to be removed.
METHODS = {
    "keep_first": (False, False),
    "keep_last": (True, False),
    "keep_first_iterative": (False, True),
    "keep_last_iterative": (True, True),
}
KEEP = ("max_spikes", "highest_amplitude")


def remove_duplicated_spikes(
    sorting: xr.DataTree, *, censored_ms: float = 0.3, method: str = "keep_first"
) -> xr.DataTree:
    """Remove spikes that follow one of the same unit sooner than a neuron could fire.

    Parameters
    ----------
    sorting
        Any sorting tree.
    censored_ms
        Maximum interval that is too short.
    method
        Which of two close spikes stays: ``"keep_first"`` or ``"keep_last"``; with the suffix ``_iterative``, only
        spikes that stay cause others to be removed.

    Returns
    -------
    A sorting; the log says how many spikes each unit lost. Metrics and templates are not updated: see
    :func:`xephys.analyze`.

    Raises
    ------
    ParameterError
        If the time is not positive, or the method is unknown.

    Examples
    --------
    >>> import xephys
    >>> sorting = xephys.make_sorting(sample_index=[10, 12, 90], labels=[1, 1, 1], sampling_frequency=30_000.0)
    >>> remove_duplicated_spikes(sorting)["spikes"]["sample_index"].values.tolist()
    [10, 90]
    """
    from ..kernels.curate.near_spikes import near_spikes

    check_positive(censored_ms=censored_ms)
    check_choice("method", method, METHODS)
    tree = validate_sorting(sorting)
    spikes = tree["spikes"].dataset
    unit, sample = spikes["unit_index"].values, spikes["sample_index"].values
    segment = _segments(spikes)
    n_units = tree["units"].sizes["unit"]
    order = np.lexsort((sample, segment, unit))
    train = segment[order] * n_units + unit[order]
    # Trains of one segment each, in order of units and, within a unit, of segments.
    bounds = np.flatnonzero(np.append(np.diff(train, prepend=-1) != 0, True))
    within = round(censored_ms * 1e-3 * float(tree.attrs["sampling_frequency"]))
    gone = np.zeros(len(order), bool)
    gone[order] = near_spikes(np.asarray(sample[order], np.int64), bounds, within, *METHODS[method])
    return _without(tree, gone, {"step": "remove_duplicated_spikes", "censored_ms": censored_ms, "method": method})


def remove_excess_spikes(sorting: xr.DataTree, recording: xr.DataArray | xr.DataTree | None = None) -> xr.DataTree:
    """Remove spikes before or after the recorded range.

    Parameters
    ----------
    sorting
        Any sorting tree.
    recording
        The recording that was sorted; if None, the range stored in the sorting.

    Raises
    ------
    ParameterError
        If the length of the recording is unknown, or segments or sampling rates differ.

    Examples
    --------
    >>> import numpy as np
    >>> import xephys
    >>> sorting = xephys.make_sorting(sample_index=[10, 120], labels=[1, 1], sampling_frequency=1000.0)
    >>> recording = xephys.make_recording(np.zeros((100, 2), "int16"), sampling_frequency=1000.0)
    >>> remove_excess_spikes(sorting, recording)["spikes"]["sample_index"].values.tolist()
    [10]
    """
    tree = validate_sorting(sorting)
    if recording is None:
        if not tree.attrs.get("n_samples"):
            raise ParameterError("the sorting does not say how long its recording is; give the recording")
        first, length = first_samples(tree), samples_per_segment(tree)
    else:
        parts = segments_of(recording)
        check_same_rate(parts[0], tree)
        first, length = [first_sample(part) for part in parts], [part.sizes["time"] for part in parts]
    spikes = tree["spikes"].dataset
    segment = _segments(spikes)
    if len(segment) and int(segment.max()) >= len(first):
        raise ParameterError(
            f"spikes lie in segment {segment.max()} and the recording has {len(first)}; give all of it"
        )
    sample = np.asarray(spikes["sample_index"].values, np.int64) - np.asarray(first, np.int64)[segment]
    outside = (sample < 0) | (sample >= np.asarray(length, np.int64)[segment])
    return _without(tree, outside, {"step": "remove_excess_spikes"})


def find_redundant_units(
    sorting: xr.DataTree, *, delta_ms: float = 0.4, agreement_min: float = 0.2, shared_min: float = 0.8
) -> xr.Dataset:
    """Find pairs of units most of whose spikes coincide.

    Parameters
    ----------
    sorting
        Any sorting tree.
    delta_ms
        Maximum distance of coincident spikes.
    agreement_min
        Minimum agreement: coincident spikes over the union of both trains.
    shared_min
        Minimum share of coincident spikes in one of the two units.

    Returns
    -------
    Dataset with dim ``pair``: ``unit1``, ``unit2``, ``agreement``, ``shared``.

    Examples
    --------
    >>> import xephys
    >>> sorting = xephys.make_sorting(sample_index=[10, 11, 90, 91], labels=[1, 2, 1, 2], sampling_frequency=30_000.0)
    >>> find_redundant_units(sorting)["shared"].values.tolist()
    [1.0]
    """
    from ..kernels.comparison.coincidences import add_coincidences
    from ..kernels.comparison.matches import agreement_of_counts

    check_positive(delta_ms=delta_ms)
    check_share(agreement_min=agreement_min, shared_min=shared_min)
    tree = validate_sorting(sorting)
    spikes, ids = tree["spikes"].dataset, np.asarray(unit_ids_of(tree))
    segment = _segments(spikes)
    number = np.bincount(spikes["unit_index"].values, minlength=len(ids)).astype(np.int64)
    within = int(delta_ms / 1000 * float(tree.attrs["sampling_frequency"]))
    counts = np.zeros((len(ids), len(ids)), np.int64)
    for part in range(int(segment.max(initial=-1)) + 1):
        here = segment == part
        train = tuple(np.asarray(spikes[name].values[here], np.int64) for name in ("sample_index", "unit_index"))
        of_part = np.zeros_like(counts)
        add_coincidences(of_part, *train, *train, within)
        counts += np.maximum(of_part, of_part.T)
    counts = np.minimum(counts, number[None, :])
    agreement = agreement_of_counts(counts, number, number)
    second, first = np.nonzero(np.tril(agreement >= agreement_min, -1))
    fewer = np.maximum(np.minimum(number[second], number[first]), 1)
    shared = counts[second, first] / fewer
    chosen = shared > shared_min
    first, second = first[chosen], second[chosen]
    return xr.Dataset(
        {
            "unit1": ("pair", ids[first]),
            "unit2": ("pair", ids[second]),
            "agreement": ("pair", agreement[second, first]),
            "shared": ("pair", shared[chosen]),
        }
    )


def remove_redundant_units(
    sorting: xr.DataTree,
    *,
    keep: str = "max_spikes",
    delta_ms: float = 0.4,
    agreement_min: float = 0.2,
    shared_min: float = 0.8,
) -> xr.DataTree:
    """Keep one of each group of units that were found several times.

    Parameters
    ----------
    sorting
        Any sorting tree.
    keep
        Which of two units to keep: the one with ``"max_spikes"``, or with the ``"highest_amplitude"`` of its template.
    delta_ms, agreement_min, shared_min
        As in :func:`find_redundant_units`.

    Returns
    -------
    A sorting; the log has the pairs.

    Raises
    ------
    ParameterError
        If amplitudes are needed and there are no templates.

    Examples
    --------
    >>> import xephys
    >>> sorting = xephys.make_sorting(sample_index=[10, 11, 90], labels=[1, 2, 1], sampling_frequency=30_000.0)
    >>> remove_redundant_units(sorting)["units"]["unit_id"].values.tolist()
    [1]
    """
    check_choice("keep", keep, KEEP)
    tree = validate_sorting(sorting)
    pairs = find_redundant_units(tree, delta_ms=delta_ms, agreement_min=agreement_min, shared_min=shared_min)
    ids = np.asarray(unit_ids_of(tree))
    if keep == "max_spikes":
        size = np.bincount(tree["spikes"]["unit_index"].values, minlength=len(ids)).astype(np.float64)
    elif "templates" in tree.children:
        size = largest_values(tree["templates"]["templates"].values)
    else:
        raise ParameterError(
            "the sorting has no templates, by which amplitudes are known; keep='max_spikes' needs none"
        )
    place = {unit: k for k, unit in enumerate(ids.tolist())}
    first, second = (
        np.array([place[unit] for unit in pairs[name].values.tolist()], np.int64) for name in ("unit1", "unit2")
    )
    gone = np.where(size[second] < size[first], second, first)
    if not len(gone):
        return tree
    selected = select_units(tree, np.delete(ids, gone).tolist())
    entry = {
        "step": "remove_redundant_units",
        "keep": keep,
        "pairs": [[unit, other] for unit, other in zip(ids[first].tolist(), ids[second].tolist(), strict=True)],
    }
    return logged_tree(nodes_of(selected), selected, entry)


def _segments(spikes: xr.Dataset) -> NDArray[np.int64]:
    known = spikes["segment_index"].values if "segment_index" in spikes else np.zeros(spikes.sizes["spike"])
    return np.asarray(known, np.int64)


def _without(tree: xr.DataTree, gone: NDArray[np.bool_], entry: dict[str, Any]) -> xr.DataTree:
    """The tree without some spikes; units stay even if they have none left."""
    ids, unit = np.asarray(unit_ids_of(tree)), tree["spikes"]["unit_index"].values
    lost = np.bincount(unit[gone], minlength=len(ids))
    same = np.arange(len(ids))
    nodes = regrouped(nodes_of(tree), unit_of_spike=np.where(gone, -1, unit), source=same, successor=same, unit_ids=ids)
    if "num_spikes" in nodes["units"]:
        column = nodes["units"]["num_spikes"]
        left = np.bincount(unit[~gone], minlength=len(ids)).astype(column.dtype)
        nodes["units"] = nodes["units"].assign(num_spikes=("unit", left, column.attrs))
    losses = {str(ids[k]): int(lost[k]) for k in np.flatnonzero(lost).tolist()}
    return logged_tree(nodes, tree, {**entry, "num_spikes_removed": losses})
