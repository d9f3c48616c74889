"""Template matching that also finds peaks in its residual, lazily, in one pass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import xarray as xr

from ..detect.rules import PeakRules
from ..detect.threshold import locally_exclusive
from ..graph.events import SpikeTable
from ..graph.plan import Stage
from ..recording.stages import recording_plan
from .settings import MatchSettings, spikes_stage


def match_and_look(
    recording: xr.DataArray,
    *,
    templates: xr.Dataset,
    components: xr.DataArray,
    n_nearest: int,
    peaks: Mapping[str, Any],
    **settings: Any,
) -> SpikeTable:
    """Find the spikes of known templates, and the peaks in their residual, which belong to no template.

    Parameters
    ----------
    recording, templates, components, n_nearest, **settings
        As for :func:`xephys.match_templates`.
    peaks
        Parameters of :func:`xephys.detect_peaks` with the method ``locally_exclusive``.

    Returns
    -------
    Lazy table like that of :func:`xephys.match_templates` with components; peaks have ``unit_index`` -1.

    Raises
    ------
    ParameterError
        If a setting is unknown or a number outside its limits.
    RecordingError
        If the templates come from another probe.
    """
    from ..kernels.match.leftover import match_and_look as kernel

    checked = MatchSettings.read(settings, what="match_and_look")
    matching = spikes_stage(recording, templates, checked, components=components, n_nearest=n_nearest)
    stage = replace(with_peak_rules(recording, matching, peaks), func=kernel)
    return SpikeTable.of_plan(recording_plan(recording).then(stage))


def with_peak_rules(recording: xr.DataArray, matching: Stage, peaks: Mapping[str, Any]) -> Stage:
    """A stage that matches, with the arrays and parameters that define the peaks of its residual."""
    rules = dict(peaks)
    sweep = max(1, round(rules.pop("exclude_sweep_ms") * 1e-3 * float(recording.attrs["sampling_frequency"])))
    looking = locally_exclusive(
        PeakRules(recording, recording.sizes["channel"], rules.pop("peak_sign"), sweep), **rules
    )
    arrays = dict(looking.arrays)
    return replace(
        matching,
        call="match_templates()",  # this is a variant of it, and tasks have public names
        parameters={**matching.parameters, **looking.parameters},
        arrays={
            **matching.arrays,
            "peak_thresholds": arrays["thresholds"],
            "competing": arrays["neighbors"],
            "good": arrays["good"],
        },
    )
