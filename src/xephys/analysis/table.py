"""The table of extensions, one row each, which determines what is computed, in which order and from what."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import xarray as xr

from ..checks import check_choice, hint_for
from ..errors import ParameterError
from . import components, periods, quality, shapes, spikes, trains, units, waveforms
from .results import Analysis
from .sparsity import find_channels

Compute = Callable[[Analysis, spikes.Rows, dict[str, Any]], xr.Dataset]


class Extension(NamedTuple):
    """A row: the function that makes the node, what it needs first, its parameters, and what it takes from the pass.

    ``reads``: ``""`` nothing, ``"spikes"`` every spike of changed units, ``"waveforms"`` the chosen ones, ``"noise"`` a
    few tiles. ``settings`` are the shared settings on which it depends. ``whole``: whether part of it depends on all
    units, including removed ones. ``further``: whether its methods have parameters of their own, which they check.
    """

    compute: Compute
    needs: tuple[str, ...]
    parameters: dict[str, Any]
    reads: str = ""
    settings: tuple[str, ...] = ()
    doc: str = ""
    whole: bool = False
    further: bool = False


def _sparsity(analysis: Analysis, rows: spikes.Rows, parameters: dict[str, Any]) -> xr.Dataset:
    return find_channels(analysis, analysis.changed["sparsity"], parameters)


_CORRELOGRAM = {"window_ms": 50.0, "bin_ms": 1.0}
_WINDOW = ("ms_before", "ms_after", "n_spikes_max", "seed")

#: Every extension by name, ordered so that each comes after what it needs.
EXTENSIONS: dict[str, Extension] = {
    "sparsity": Extension(
        _sparsity,
        (),
        {"method": "radius", "radius_um": 100.0, "n_channels_max": 5, "threshold": 5.0, "by_property": "group"},
        settings=("seed",),
        doc="peak channel of each unit, and the channels that count as its own",
    ),
    "random_spikes": Extension(
        spikes.choose, (), {}, settings=("n_spikes_max", "seed"), doc="spikes whose waveforms are averaged and kept"
    ),
    "noise_levels": Extension(waveforms.noise, (), {"n_tiles": 20}, "noise", doc="noise of each channel"),
    "noise_waveforms": Extension(
        waveforms.noise_waveforms, (), {"n_stretches": 1000}, "noise", _WINDOW, "stretches of noise on all channels"
    ),
    "waveforms": Extension(
        waveforms.keep_waveforms, ("sparsity", "random_spikes"), {}, "waveforms", _WINDOW, "waveforms of chosen spikes"
    ),
    "templates": Extension(
        waveforms.average,
        ("sparsity", "random_spikes"),
        {"operators": ("average", "std")},
        "waveforms",
        _WINDOW,
        "average, standard deviation and median of the waveforms",
    ),
    "spike_amplitudes": Extension(
        spikes.amplitudes, ("templates",), {}, "spikes", _WINDOW, "trace where the unit's template peaks"
    ),
    "spike_locations": Extension(
        spikes.locations,
        ("sparsity",),
        {"method": "center_of_mass", "ms_before": 0.5, "ms_after": 0.5},
        "spikes",
        doc="place of each spike",
        further=True,
    ),
    "amplitude_scalings": Extension(
        spikes.scalings,
        ("templates",),
        {"lag_ms": 2.0, "collisions": True, "source": "sorting"},
        "spikes",
        _WINDOW,
        "size of each spike as a multiple of its unit's template",
    ),
    "unit_locations": Extension(
        units.locations,
        ("templates",),
        {"method": "monopolar_triangulation", "feature": "ptp", "distance_max_um": 1000.0},
        settings=_WINDOW,
        doc="place of each unit, from its template",
    ),
    "template_similarity": Extension(
        units.similarity,
        ("templates",),
        {"method": "cosine", "lag_ms": 0.0, "support": "union"},
        settings=_WINDOW,
        doc="how alike the templates of two units are",
    ),
    "correlograms": Extension(trains.correlograms, (), _CORRELOGRAM, doc="lags between the spikes of two units"),
    "auto_correlograms": Extension(trains.auto_correlograms, (), _CORRELOGRAM, doc="lags between the spikes of a unit"),
    "acgs_3d": Extension(
        trains.acgs_3d,
        (),
        {**_CORRELOGRAM, "n_quantiles": 10, "smooth_ms": 250.0},
        doc="autocorrelogram for each quantile of the momentary firing rate",
    ),
    "isi_histograms": Extension(
        trains.isi_histograms, (), _CORRELOGRAM, doc="intervals between neighboring spikes of a unit"
    ),
    "principal_components": Extension(
        components.project,
        ("waveforms",),
        {"n_components": 5, "mode": "by_channel_local", "whiten": True},
        settings=_WINDOW,
        doc="projections of the waveforms on principal components",
    ),
    "valid_unit_periods": Extension(
        periods.valid_periods,
        ("amplitude_scalings",),
        {
            "window_s": 30.0,
            "margin": 1.0,
            "fp_max": 0.1,
            "fn_max": 0.1,
            "duration_s_min": 180.0,
            "refractory_ms": 0.8,
            "censored_ms": 0.0,
        },
        settings=_WINDOW,
        doc="when a unit has few foreign and few missing spikes",
    ),
    "template_metrics": Extension(
        shapes.template_metrics, ("templates",), {}, settings=_WINDOW, doc="shapes of the templates, and their spread"
    ),
    "quality_metrics": Extension(
        quality.quality,
        (),
        {"names": None},
        settings=_WINDOW,
        doc="quality metrics, by SpikeInterface's names",
        whole=True,
    ),
}


def needs_of(name: str, parameters: Mapping[str, Any]) -> tuple[str, ...]:
    """What an extension needs first; for metrics, only what the wanted ones use."""
    return quality.needs_of(dict(parameters)) if name == "quality_metrics" else EXTENSIONS[name].needs


def with_needs(names: Iterable[str], parameters: Mapping[str, Mapping[str, Any]] | None = None) -> list[str]:
    """Extensions and what they need, in the order of the table.

    Raises
    ------
    ParameterError
        If a name is not an extension.

    Examples
    --------
    >>> with_needs(["spike_amplitudes"])
    ['sparsity', 'random_spikes', 'templates', 'spike_amplitudes']
    """
    wanted: set[str] = set()
    pending = [names] if isinstance(names, str) else list(names)
    while pending:
        name = pending.pop()
        check_choice("extension", name, EXTENSIONS)
        if name not in wanted:
            wanted.add(name)
            pending += needs_of(name, {**EXTENSIONS[name].parameters, **(parameters or {}).get(name, {})})
    return [name for name in EXTENSIONS if name in wanted]


def parameters_of(name: str, given: dict[str, Any]) -> dict[str, Any]:
    """The parameters of an extension: its defaults, updated with the given ones.

    Raises
    ------
    ParameterError
        If the extension does not have a parameter.
    """
    extension = EXTENSIONS[name]
    unknown = sorted(set(given) - set(extension.parameters))
    if unknown and not extension.further:
        raise ParameterError(
            f"extension {name!r} has no parameter {unknown[0]!r}; it has {', '.join(extension.parameters) or 'none'}"
            f"{hint_for(unknown[0], extension.parameters)}"
        )
    return {**extension.parameters, **given}
