"""When units are reliable."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from ..checks import check_positive
from .facts import Facts
from .results import Analysis
from .spikes import Rows


def valid_periods(analysis: Analysis, rows: Rows, parameters: dict[str, Any]) -> xr.Dataset:
    """The node ``valid_unit_periods``: ``false_positives``, ``false_negatives`` and ``valid (unit, window)``.

    A window is valid if both shares, computed with a margin on either side, are small, and if it belongs to a
    sufficiently long period of such windows. Windows begin at ``start`` and end before ``stop``, samples of their
    ``segment``.
    """
    from ..kernels.metrics.valid_periods import unit_windows, window_edges

    check_positive(**{name: parameters[name] for name in ("window_s", "fp_max", "fn_max", "refractory_ms")})
    subject = analysis.subject
    facts = Facts(analysis, rows, analysis.changed["valid_unit_periods"])
    length = round(parameters["window_s"] * facts.rate)
    foreign, missing, valid = unit_windows(
        facts.samples,
        facts.spike_values("amplitude_scalings", "scale"),
        facts.parts,
        facts.n_samples,
        window_samples=length,
        margin_samples=round(parameters["margin"] * length),
        duration_samples_min=int(parameters["duration_s_min"] * facts.rate),
        fp_max=parameters["fp_max"],
        fn_max=parameters["fn_max"],
        refractory_samples=round(parameters["refractory_ms"] * 1e-3 * facts.rate),
        censored_samples=round(parameters["censored_ms"] * 1e-3 * facts.rate),
    )
    edges = [window_edges(int(n), length) for n in facts.n_samples]
    segment = np.repeat(np.arange(len(edges)), [len(windows) for windows in edges])
    bounds = np.concatenate(edges) + subject.first_samples[segment][:, None]
    name, dims = "valid_unit_periods", ("unit", "window")
    return xr.Dataset(
        {
            "false_positives": (dims, analysis.by_unit(name, "false_positives", foreign)),
            "false_negatives": (dims, analysis.by_unit(name, "false_negatives", missing)),
            "valid": (dims, analysis.by_unit(name, "valid", valid)),
        },
        coords={"segment": ("window", segment), "start": ("window", bounds[:, 0]), "stop": ("window", bounds[:, 1])},
    )
