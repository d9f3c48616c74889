"""Write what phy's feature and waveform views show: principal components and waveforms of the analyzed spikes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

#: phylib drops axes of length one and would take spikes for components.
_N_MIN = 2


def write_features(folder: Path, results: Mapping[str, xr.Dataset], rank: NDArray[np.int64]) -> None:
    """``pc_features`` of the spikes in ``pc_feature_spike_ids``, on the channels of ``pc_feature_ind``.

    ``rank`` is the position of each spike of the sorting among those of the folder.
    """
    node, kept = results.get("principal_components"), results.get("waveforms")
    if node is None or kept is None or node["projection"].ndim != 3 or node.sizes["waveform"] < _N_MIN:
        return
    values = node["projection"].values
    if values.shape[1] < _N_MIN:
        values = np.pad(values, [(0, 0), (0, _N_MIN - values.shape[1]), (0, 0)])
    channels = np.asarray(kept["channel_index"].values, np.int32)
    if len(channels) == 1:  # the folder has a second, empty template
        channels = np.concatenate([channels, np.full_like(channels, -1)])
    ids = rank[kept["waveform_spike"].values]
    order = np.argsort(ids, kind="stable")
    np.save(folder / "pc_features.npy", np.ascontiguousarray(values[order], np.float32))
    np.save(folder / "pc_feature_ind.npy", channels)
    np.save(folder / "pc_feature_spike_ids.npy", ids[order].astype(np.int64))


def write_waveforms(
    folder: Path,
    results: Mapping[str, xr.Dataset],
    rank: NDArray[np.int64],
    unit_index: NDArray[np.int64],
    templates: xr.DataArray,
) -> None:
    """Waveforms of the chosen spikes, in the window of the templates; phy shows them if it has no raw file."""
    kept = results.get("waveforms")
    if kept is None or kept.sizes["waveform"] < _N_MIN or kept.sizes["slot"] < _N_MIN:
        return
    spikes = kept["waveform_spike"].values
    ids = rank[spikes]
    order = np.argsort(ids, kind="stable")
    channels = np.asarray(kept["channel_index"].values, np.int32)[unit_index[spikes]]
    shift = int(templates.attrs.get("nbefore", 0)) - int(kept.attrs["nbefore"])
    values = in_window(kept["waveform"].values[order], shift=shift, n_samples=templates.sizes["sample"])
    np.save(folder / "_phy_spikes_subset.waveforms.npy", values)
    np.save(folder / "_phy_spikes_subset.channels.npy", channels[order])
    np.save(folder / "_phy_spikes_subset.spikes.npy", ids[order].astype(np.int64))


def in_window(waveforms: NDArray[np.float32], *, shift: int, n_samples: int) -> NDArray[np.float32]:
    """Waveforms ``(waveform, sample, slot)`` shifted later by ``shift`` samples, cut or padded with 0.

    Examples
    --------
    >>> in_window(np.float32([[[1], [2], [3]]]), shift=1, n_samples=3)[0, :, 0].tolist()
    [0.0, 1.0, 2.0]
    """
    out = np.zeros((len(waveforms), n_samples, waveforms.shape[2]), np.float32)
    lo, hi = max(0, shift), min(n_samples, shift + waveforms.shape[1])
    out[:, lo:hi] = waveforms[:, lo - shift : hi - shift]
    return out
