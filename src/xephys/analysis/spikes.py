"""Values of single spikes: which are chosen, their amplitude, their position, and their multiple of the template."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..checks import check_choice, check_keywords
from ..graph.plan import Stage
from ..localize.peaks import METHODS as PLACES
from ..localize.window import PeakWindow
from ..recording.geometry import channel_groups, separation_um
from .reading import Reading, read_spikes
from .results import Analysis
from .sparsity import prior_templates

Rows = dict[str, NDArray[Any]]


def choose(analysis: Analysis, rows: Rows, parameters: dict[str, Any]) -> xr.Dataset:
    """The node ``random_spikes``: which spikes of each unit have waveforms."""
    from ..kernels.analysis.choice import chosen_spikes, spike_lots

    subject, settings = analysis.subject, analysis.settings
    chosen = np.ones(subject.n_spikes, bool)
    if settings.n_spikes_max is not None:
        lots = spike_lots(subject.sample_index, subject.segment_index, seed=settings.seed)
        chosen = chosen_spikes(subject.unit_index, lots, n_units=subject.n_units, n_spikes_max=settings.n_spikes_max)
    return xr.Dataset({"chosen": ("spike", chosen)})


def peak_shifts(analysis: Analysis) -> NDArray[np.int64]:
    """Lag at which each unit's template is largest on its peak channel, if a template is known."""
    subject = analysis.subject
    peak = analysis.nodes["sparsity"]["peak_channel"].values
    templates = analysis.nodes.get("templates")
    shifts = np.zeros(subject.n_units, np.int64)
    prior = prior_templates(subject)
    if prior is not None:
        main = np.take_along_axis(prior.templates, peak[:, None, None], axis=2)[:, :, 0]
        shifts = np.abs(main).argmax(axis=1) - prior.nbefore
    if templates is not None:
        own = ~analysis.changed["templates"]
        shifts[own] = template_shifts(templates, peak)[own]
    return shifts


def template_shifts(templates: xr.Dataset, peak: NDArray[np.int64]) -> NDArray[np.int64]:
    """Lag at which each template is largest on its peak channel."""
    slot = (templates["channel_index"].values == peak[:, None]).argmax(axis=1)
    main = np.take_along_axis(templates["average"].values, slot[:, None, None], axis=2)[:, :, 0]
    return np.asarray(np.abs(main).argmax(axis=1) - int(templates.attrs["nbefore"]), np.int64)


def amplitudes(analysis: Analysis, rows: Rows, parameters: dict[str, Any]) -> xr.Dataset:
    """The node ``spike_amplitudes``: the trace where the unit's template peaks.

    The pass reads it where the template was expected to peak. If a unit's template turns out to peak at another sample,
    its spikes are read again.
    """
    name = "spike_amplitudes"
    values = rows.get("amplitude", np.zeros(0, np.float32))
    amplitude = analysis.by_spike(name, "amplitude", positions=rows.get("spike", _NONE), values=values)
    peak = analysis.nodes["sparsity"]["peak_channel"].values
    shifts = template_shifts(analysis.nodes["templates"], peak)
    expected = rows.get("shifts", shifts)
    moved = analysis.changed[name] & (shifts != expected)
    again = moved[analysis.subject.unit_index]
    if again.any():
        reading = reading_of(analysis, wanted=again, peak_channels=peak, shifts=shifts)
        found = read_spikes(analysis.subject, reading)
        amplitude[found["spike"]] = found["amplitude"]
    return xr.Dataset({
        "amplitude": ("spike", amplitude, {"units": str(analysis.subject.recording.attrs.get("units", "counts"))}),
        "peak_shift": ("unit", analysis.by_unit(name, "peak_shift", shifts), {"units": "samples"}),
    })  # fmt: skip


def locating(analysis: Analysis, parameters: dict[str, Any]) -> tuple[Stage, tuple[str, ...]]:
    """The stage that localizes spikes, and the fields it adds."""
    given = dict(parameters)
    method = given.pop("method")
    check_choice("method", method, PLACES)
    subject = analysis.subject
    rate = subject.sampling_frequency
    nbefore, nafter = (round(given.pop(name) * 1e-3 * rate) for name in ("ms_before", "ms_after"))
    build, fields = PLACES[method]
    check_keywords(given, build, what=f"method {method!r}")
    separation = separation_um(subject.recording, subject.positions)
    groups = channel_groups(subject.recording)
    window = PeakWindow(subject.positions, groups, separation, nbefore, max(1, nafter), rate)
    return build(window, **given), fields


def locations(analysis: Analysis, rows: Rows, parameters: dict[str, Any]) -> xr.Dataset:
    """The node ``spike_locations``: ``x``, ``y``, ``z`` in µm, and ``alpha`` of a point source."""
    fields = PLACES[parameters["method"]].fields
    where = rows.get("spike", _NONE)
    return xr.Dataset({
        name: (
            "spike",
            analysis.by_spike("spike_locations", name, positions=where, values=rows.get(name, np.zeros(0))),
            {"units": "" if name == "alpha" else "um"},
        )
        for name in fields
    })  # fmt: skip


def scalings(analysis: Analysis, rows: Rows, parameters: dict[str, Any]) -> xr.Dataset:
    """The node ``amplitude_scalings``: size of each spike as a multiple of its unit's template.

    If no template was known before the pass, the recording is read a second time with the templates from the pass.
    """
    name = "amplitude_scalings"
    if "scale" not in rows and analysis.changed[name].any():
        wanted = analysis.changed[name][analysis.subject.unit_index]
        reading = reading_of(analysis, wanted=wanted, **scaling_fields(analysis, parameters))
        rows = read_spikes(analysis.subject, reading)
    where = rows.get("spike", _NONE)
    scale = analysis.by_spike(name, "scale", positions=where, values=rows.get("scale", np.zeros(0, np.float32)))
    collides = analysis.by_spike(
        name, "collides", positions=where, values=rows.get("collides", np.zeros(0, bool)), fill=False
    )
    return xr.Dataset({"scale": ("spike", scale), "collides": ("spike", collides)})


def scaling_fields(analysis: Analysis, parameters: dict[str, Any]) -> dict[str, Any]:
    """Arguments of a reading that computes scales; empty if no template is known yet."""
    subject = analysis.subject
    channels = analysis.nodes["sparsity"]["channel_index"].values
    prior = prior_templates(subject)
    known = analysis.nodes.get("templates")
    if parameters["source"] == "sorting" and prior is not None:
        templates, nbefore = sparse_of(prior.templates, channels), prior.nbefore
    elif known is not None and not analysis.changed["templates"].any():
        templates, nbefore = known["average"].values, int(known.attrs["nbefore"])
    else:
        return {}
    lag = int(parameters["lag_ms"] * 1e-3 * subject.sampling_frequency) if parameters["collisions"] else 0
    return {"templates": np.ascontiguousarray(templates, np.float32), "template_nbefore": nbefore, "lag_samples": lag}


def sparse_of(dense: NDArray[np.float32], channels: NDArray[np.int32]) -> NDArray[np.float32]:
    """Templates on their channels ``(unit, sample, slot)``.

    Examples
    --------
    >>> sparse_of(np.float32([[[1, 2, 3]]]), np.array([[2, -1]], np.int32)).tolist()
    [[[3.0, 0.0]]]
    """
    taken = np.take_along_axis(dense, np.maximum(channels, 0)[:, None, :].astype(np.int64), axis=2)
    return np.where((channels >= 0)[:, None, :], taken, np.float32(0))


def reading_of(analysis: Analysis, *, wanted: NDArray[np.bool_], **fields: Any) -> Reading:
    """A reading of some spikes with the analysis' window and channels."""
    nbefore, nafter = analysis.window
    subject = analysis.subject
    sparsity = analysis.nodes.get("sparsity")
    reading = Reading(
        wanted=wanted,
        chosen=np.zeros(subject.n_spikes, bool),
        channels=np.full((subject.n_units, 1), -1, np.int32) if sparsity is None else sparsity["channel_index"].values,
        nbefore=nbefore,
        nafter=nafter,
        peak_channels=None if sparsity is None else sparsity["peak_channel"].values,
    )
    return replace(reading, **fields)


_NONE = np.zeros(0, np.int64)
