"""Template metrics by SpikeInterface's names."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from .facts import Facts
from .results import Analysis
from .spikes import Rows

#: Units of the columns; columns that are not listed have none.
UNITS = {
    "peak_to_trough_duration": "s", "trough_half_width": "s", "peak_half_width": "s", "repolarization_slope": "uV/s",
    "recovery_slope": "uV/s", "main_to_next_extremum_duration": "s", "trough_width": "s", "peak_before_width": "s",
    "peak_after_width": "s", "velocity_above": "um/ms", "velocity_below": "um/ms", "exp_decay": "1/um", "spread": "um",
}  # fmt: skip


def template_metrics(analysis: Analysis, rows: Rows, parameters: dict[str, Any]) -> xr.Dataset:
    """The node ``template_metrics``: one column per metric, by unit."""
    from ..kernels.metrics import template_shape, template_spread

    changed = analysis.changed["template_metrics"]
    facts = Facts(analysis, rows, changed)
    templates = analysis.nodes["templates"]
    found = np.full((len(changed), len(template_shape.COLUMNS) + len(template_spread.COLUMNS)), np.nan)
    single = template_shape.template_shapes(facts.main_templates[changed], sampling_frequency=facts.rate)
    several = template_spread.template_spreads(
        templates["average"].values[changed],
        templates["channel_index"].values[changed],
        analysis.subject.positions,
        sampling_frequency=facts.rate,
    )
    found[changed] = np.concatenate([single, several], axis=1)
    names = (*template_shape.COLUMNS, *template_spread.COLUMNS)
    return xr.Dataset(
        {
            name: (
                "unit",
                analysis.by_unit("template_metrics", name, found[:, k]),
                {"units": UNITS[name]} if name in UNITS else {},
            )
            for k, name in enumerate(names)
        }
    )
