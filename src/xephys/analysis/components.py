"""Principal components of the chosen waveforms: one model per channel, one for all, or one of whole waveforms."""

from __future__ import annotations

from typing import Any

import xarray as xr

from ..checks import check_choice, check_positive
from ..graph.local import map_in_threads
from .results import Analysis
from .spikes import Rows

MODES = ("by_channel_local", "by_channel_global", "concatenated")


def project(analysis: Analysis, rows: Rows, parameters: dict[str, Any]) -> xr.Dataset:
    """The node ``principal_components``: ``projection (waveform, component, slot)`` and the models.

    The models of a known node are kept, and new waveforms are projected on them. After a merge the spikes are the same
    as before, so the projections of all other units do not change.
    """
    from ..kernels.analysis import components as kernel

    mode, n_components = parameters["mode"], parameters["n_components"]
    check_choice("mode", mode, MODES)
    check_positive(n_components=n_components)
    node = analysis.nodes["waveforms"]
    subject = analysis.subject
    waveforms = node["waveform"].values
    owners = subject.unit_index[node["waveform_spike"].values]
    channels = node["channel_index"].values
    known = analysis.nodes.get("principal_components")
    if known is not None:
        model = kernel.Model(known["loading"].values, known["mean"].values, known["variance"].values)
    else:
        model = kernel.fit(
            waveforms, owners, channels, mode=mode, n_components=n_components, n_channels=subject.n_channels,
            mapped=map_in_threads,
        )  # fmt: skip
    values = kernel.project(
        waveforms, owners, channels, model, mode=mode, whiten=bool(parameters["whiten"]), mapped=map_in_threads
    )
    dims = ("waveform", "component") if mode == "concatenated" else ("waveform", "component", "slot")
    return xr.Dataset(
        {
            "projection": (dims, values),
            "loading": (("model", "component", "feature"), model.components),
            "mean": (("model", "feature"), model.means),
            "variance": (("model", "component"), model.variances),
        }
    )
