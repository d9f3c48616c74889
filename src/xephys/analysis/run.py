"""All requested extensions of a sorting, in one pass over its recording."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..checks import check_positive
from ..errors import ParameterError
from ..graph.local import run_as_ready
from .reading import read_spikes
from .results import POPULATION, Analysis, Settings, described
from .spikes import Rows, locating, peak_shifts, reading_of, scaling_fields
from .subject import Subject
from .table import EXTENSIONS, needs_of, parameters_of, with_needs
from .waveforms import are_aligned, noise_starts

#: Extensions computed by default: what is usually requested from SpikeInterface's analyzer.
DEFAULT = (
    "noise_levels", "templates", "spike_amplitudes", "unit_locations", "template_similarity", "correlograms",
    "isi_histograms",
)  # fmt: skip


def analyze(
    sorting: xr.DataTree,
    recording: xr.DataArray | xr.DataTree,
    extensions: Iterable[str] = DEFAULT,
    *,
    parameters: Mapping[str, Mapping[str, Any]] | None = None,
    ms_before: float = 1.0,
    ms_after: float = 2.0,
    n_spikes_max: int | None = 500,
    seed: int = 0,
) -> xr.DataTree:
    """Compute extensions of a sorting, reading its recording once. Computes.

    Results already stored on ``sorting`` are reused: they are valid for a unit as long as its spikes, the recording and
    the parameters are the same. After a merge, a split or a relabelling, only results of changed units are recomputed,
    and only the tiles with their spikes are read.

    Parameters
    ----------
    sorting
        Any sorting tree. Columns ``channel_index`` and the node ``/templates`` are used if it has them; without the
        first, a few tiles are read to find the units' channels.
    recording
        The recording that was sorted, filtered as the waveforms should be; a tree of its segments if there are several.
        Counts are converted to microvolts if the channels have gains.
    extensions
        Names from the table below; extensions that they need are added.
    parameters
        Parameters of single extensions, by name, such as ``{"correlograms": {"window_ms": 100.0}}``.
    ms_before, ms_after
        Window of waveforms and templates around a spike.
    n_spikes_max
        Maximum number of spikes per unit whose waveforms are averaged or kept; all if None.
    seed
        Seed for choosing the spikes.

    Returns
    -------
    The sorting with a node ``/analysis/NAME`` for each extension: see :ref:`the table <extensions>`.

    Raises
    ------
    ParameterError
        If a name is unknown, a number is outside its limits, or the recording does not belong to the sorting.

    Examples
    --------
    >>> from xephys.simulation.sorting import truth_sorting
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=4, n_channels=8, n_units=2, seed=0)
    >>> analyzed = analyze(truth_sorting(recording, truth), recording, ["spike_amplitudes", "unit_locations"])
    >>> bool((analyzed["analysis/spike_amplitudes"]["amplitude"] < 0).all())
    True
    >>> analyzed["analysis/unit_locations"]["y"].dims
    ('unit',)
    """
    check_positive(ms_after=ms_after, **({} if n_spikes_max is None else {"n_spikes_max": n_spikes_max}))
    settings = Settings(ms_before=ms_before, ms_after=ms_after, n_spikes_max=n_spikes_max, seed=seed)
    analysis = Analysis(subject=Subject.of(sorting, recording), settings=settings)
    update(analysis, extensions, parameters or {})
    return analysis.tree()


def update(analysis: Analysis, extensions: Iterable[str], parameters: Mapping[str, Mapping[str, Any]]) -> None:
    """Bring extensions, and what they need, up to date."""
    names = with_needs(extensions, parameters)
    for name in parameters:
        if name not in names:
            raise ParameterError(f"parameters are given for {name!r}, which is not computed; name it in extensions")
    given = {name: parameters_of(name, dict(parameters.get(name, {}))) for name in names}
    texts: dict[str, str] = {}
    depends: dict[str, bool] = {}  # on the traces
    for name in names:
        extension = EXTENSIONS[name]
        common = {key: asdict(analysis.settings)[key] for key in extension.settings}
        needed = {need: texts[need] for need in needs_of(name, given[name])}
        texts[name] = described({**given[name], "settings": common, "needs": needed})
        depends[name] = bool(extension.reads) or any(depends[need] for need in needed)
        analysis.compare(name, described=texts[name], reads=depends[name])
    moved = "waveforms" in analysis.nodes and not are_aligned(analysis)
    rows: Rows | None = None
    steps: dict[str, Callable[[], None]] = {}

    def compute(name: str) -> None:
        node = EXTENSIONS[name].compute(analysis, rows or {}, given[name])
        analysis.put(name, node, described=texts[name], reads=depends[name])
        analysis.changed[name] = np.zeros(analysis.subject.n_units, bool)

    def compute_all() -> None:
        run_as_ready(steps, {name: needs_of(name, given[name]) for name in steps})
        steps.clear()

    for name in names:
        changed = name not in analysis.nodes or bool(analysis.changed[name].any())
        if not changed and EXTENSIONS[name].whole:
            changed = analysis.nodes[name].attrs.get(POPULATION) != analysis.population
        if not changed and not (moved and "waveform" in analysis.nodes[name].dims):
            continue
        if changed and EXTENSIONS[name].reads and rows is None:
            compute_all()  # the pass uses what comes before it, and has memory and cores to itself
            rows = _read(analysis, names, given)
        steps[name] = partial(compute, name)
    compute_all()


def _read(analysis: Analysis, names: list[str], given: Mapping[str, dict[str, Any]]) -> dict[str, NDArray[Any]]:
    """The one pass: everything that extensions need from the traces of changed units."""
    subject = analysis.subject
    of_spike = subject.unit_index
    fields: dict[str, Any] = {}
    wanted, chosen = np.zeros(subject.n_spikes, bool), np.zeros(subject.n_spikes, bool)
    for name in names:
        if EXTENSIONS[name].reads == "spikes":
            wanted |= analysis.changed[name][of_spike]
        if EXTENSIONS[name].reads == "waveforms":
            chosen |= analysis.changed[name][of_spike] & analysis.nodes["random_spikes"]["chosen"].values
    medians = "median" in given.get("templates", {}).get("operators", ())
    if chosen.any():
        fields.update(averages="templates" in names, waveforms="waveforms" in names or medians)
    if "spike_amplitudes" in names:
        fields["shifts"] = peak_shifts(analysis)
    if "spike_locations" in names:
        fields["locate"], fields["place_fields"] = locating(analysis, given["spike_locations"])
    if "amplitude_scalings" in names:
        fields.update(scaling_fields(analysis, given["amplitude_scalings"]))
    if "noise_levels" in names and "noise_levels" not in analysis.nodes:
        fields["noise_tiles"] = int(given["noise_levels"]["n_tiles"])
    if "noise_waveforms" in names and "noise_waveforms" not in analysis.nodes:
        fields["noise_starts"] = noise_starts(analysis, int(given["noise_waveforms"]["n_stretches"]))
    rows = read_spikes(subject, reading_of(analysis, wanted=wanted, chosen=chosen, **fields))
    if "shifts" in fields:
        rows["shifts"] = fields["shifts"]
    return rows
