"""What a Kilosort4 folder holds besides spikes and units, for sortings of any preset.

The preset ``kilosort4`` keeps it in the group ``/kilosort4`` of its sorting. For other presets, the same group is built
from what the sort learned, and the features of all spikes are projected into a file in one pass.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ...errors import ParameterError
from ...features.waveforms import project_peaks
from ...graph.checkpoint import run_events
from ...preprocess.whiten import whitening_matrix
from ...recording.clock import first_sample
from ...recording.geometry import channel_groups, nearest_channels
from ...schema import PEAK_DTYPE
from ...sorting import first_samples, samples_per_segment
from ...templates.average import dense_templates, lagged_similarity


def kilosort_fields(sorting: xr.DataTree, *, nearest_chans: int) -> xr.Dataset:
    """The group ``/kilosort4`` of a sorting, or its equivalent from what another preset learned, without projections.

    Raises
    ------
    ParameterError
        If the sorting has neither.
    """
    if "kilosort4" in sorting.children:
        return sorting["kilosort4"].to_dataset()
    if "learned" not in sorting.children:
        raise ParameterError(
            "this sorting has neither a node kilosort4 nor a node learned, so its white templates are not known; give "
            "one that xephys.sort made and that has units"
        )
    channels, whitening, components, templates = (
        sorting[f"learned/{name}"].to_dataset() for name in ("channels", "whitening", "components", "templates")
    )
    own = templates.isel(unit=np.flatnonzero(templates["represents"].values))
    places = np.stack([channels["x"].values, channels["y"].values], axis=1)
    peaks = own["channel_index"].values[:, 0]
    basis = components["components"]
    nbefore = int(own.attrs["nbefore"])
    if int(basis.attrs["nbefore"]) != nbefore or basis.sizes["sample"] != own.sizes["sample"]:
        raise ParameterError("components and templates of this sorting have different windows; sort again")
    n_spikes = sorting["spikes"].sizes["spike"]
    return xr.Dataset(
        {
            "whitening": (("channel", "channel_out"), whitening_matrix(whitening)),
            "component": (("component", "sample"), basis.values),
            "template": (("unit", "sample", "channel"), dense_templates(own).values),
            "similarity": (("unit", "other"), lagged_similarity(own)),
            "peak_channel": ("unit", peaks),
            "feature_channel": (
                ("unit", "slot"),
                nearest_channels(places, n_nearest=nearest_chans, groups=channel_groups(channels))[peaks],
            ),
            "detection_template": ("spike", sorting["spikes"]["unit_index"].values.astype(np.int32)),
            "kept": ("found", np.ones(n_spikes, bool)),
        },
        attrs={"nbefore": nbefore},
    )


def write_features(
    path: Path,
    sorting: xr.DataTree,
    fields: xr.Dataset,
    *,
    whitened: xr.DataArray | None,
    progress: Callable[[int, int], None] | None,
) -> NDArray[np.float32]:
    """Write ``(spike, component, slot)`` to a file and return the norm of each spike's features.

    Raises
    ------
    ParameterError
        If features have to be projected and white traces are missing or belong to another recording.
    """
    spikes = sorting["spikes"].dataset
    shape = (spikes.sizes["spike"], fields.sizes["component"], fields.sizes["slot"])
    if "projection" in fields:
        np.save(path, np.ascontiguousarray(fields["projection"].values.transpose(0, 2, 1), np.float32))
        return np.asarray(fields["feature_norm"].values, np.float32)
    if whitened is None:
        raise ParameterError(
            "the principal components of the spikes take one pass over the white traces; give "
            "whitened=xephys.whiten_like(recording, learned=sorting)"
        )
    sorted_samples = samples_per_segment(sorting)[0]
    if whitened.sizes["time"] != sorted_samples:
        raise ParameterError(
            f"the white traces have {whitened.sizes['time']} samples and the sorting is of {sorted_samples}; give "
            "those of the recording that was sorted, whitened=xephys.whiten_like(recording, learned=sorting)"
        )
    if first_sample(whitened) != first_samples(sorting)[0]:
        raise ParameterError(
            f"the white traces begin at sample {first_sample(whitened)} of their segment and what was sorted at sample "
            f"{first_samples(sorting)[0]}; give those of the recording that was sorted"
        )
    norms = np.zeros(shape[0], np.float32)
    if not shape[0]:
        np.save(path, np.zeros(shape, np.float32))
        return norms
    records = np.zeros(shape[0], PEAK_DTYPE)
    records["sample_index"] = spikes["sample_index"].values
    records["channel_index"] = fields["peak_channel"].values[spikes["unit_index"].values]
    components = fields["component"].assign_attrs(nbefore=fields.attrs["nbefore"])
    table = project_peaks(whitened, records, components=components, n_nearest=shape[2])
    found = run_events(table, path.parent / ".features", progress=progress)
    out: Any = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=shape)
    first = 0
    for chunk, stored in zip(found.iter_chunks(), found.paths, strict=True):
        projection = chunk["projection"]
        out[first : first + len(chunk)] = projection.transpose(0, 2, 1)
        norms[first : first + len(chunk)] = np.sqrt((projection.astype(np.float64) ** 2).sum(axis=(1, 2)))
        first += len(chunk)
        stored.unlink()
    out.flush()
    del out
    shutil.rmtree(found.folder.parent)
    return norms


def spike_places(sorting: xr.DataTree, places: NDArray[np.float64]) -> NDArray[np.float32]:
    """Position of each spike, or of its unit's channel if no position was estimated."""
    spikes = sorting["spikes"].dataset
    if "x" in spikes and "y" in spikes:
        return np.stack([spikes["x"].values, spikes["y"].values], axis=1).astype(np.float32)
    channels = sorting["units"]["channel_index"].values
    return places[channels[spikes["unit_index"].values]].astype(np.float32)
