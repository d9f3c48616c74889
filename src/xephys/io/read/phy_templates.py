"""Read arrays of a folder of phy or Kilosort, and compute the templates of its clusters."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import RecordingError

#: Kilosort up to version 3 writes templates of norm one, to be multiplied by the size of a spike.
_NORM_TOLERANCE = 0.02
#: Maximum number of channels from which the position of a template is computed.
_N_CHANNELS_MAX = 32


def has_array(folder: Path, name: str) -> bool:
    return (folder / f"{name}.npy").is_file()


def read_array(folder: Path, name: str, dtype: Any = None) -> NDArray[Any]:
    """A numeric array of the folder."""
    path = folder / f"{name}.npy"
    try:
        values = np.load(path, allow_pickle=False)
    except FileNotFoundError as error:
        raise RecordingError(f"{folder} has no {path.name}; copy the whole folder") from error
    except (ValueError, OSError, EOFError) as error:
        raise RecordingError(f"{path} cannot be read as an array of numbers ({error}); copy it again") from error
    return values if dtype is None else values.astype(dtype)


def cluster_templates(
    folder: Path,
    unit_index: NDArray[np.int64],
    template_of_spike: NDArray[np.int64],
    clusters: list[int],
    size: NDArray[np.float64] | None,
) -> NDArray[np.float32]:
    """Mean template of each cluster ``(unit, sample, channel)``, on all channels and unwhitened."""
    from scipy.sparse import coo_array

    templates = _dense_templates(folder)
    n, shape = len(templates), templates.shape[1:]
    if len(template_of_spike) and not 0 <= template_of_spike.min() <= template_of_spike.max() < n:
        raise RecordingError(
            f"{folder}: spike_templates run from {template_of_spike.min()} to {template_of_spike.max()} and there are "
            f"{n} templates, counted from 0; copy the folder again"
        )
    flat = templates.reshape(n, -1).astype(np.float64)
    norms = np.linalg.norm(flat, axis=1)
    if size is not None and n and np.all((np.abs(norms - 1) < _NORM_TOLERANCE) | (norms == 0)):
        counts = np.maximum(np.bincount(template_of_spike, minlength=n), 1)
        flat *= (np.bincount(template_of_spike, weights=size, minlength=n) / counts)[:, None]
    ones = np.ones(len(unit_index))
    counts = coo_array((ones, (unit_index, template_of_spike)), shape=(len(clusters), n)).tocsr()
    total = np.asarray(counts.sum(axis=1), np.float64).ravel()
    mean = (counts @ flat) / np.maximum(total, 1)[:, None]
    empty = np.flatnonzero(total == 0)
    mean[empty] = flat[np.array(clusters, np.int64)[empty]] if len(empty) else 0.0
    return _unwhitened(folder, mean.reshape(len(clusters), *shape)).astype(np.float32)


def _dense_templates(folder: Path) -> NDArray[np.float32]:
    templates = np.nan_to_num(read_array(folder, "templates", np.float32))
    if templates.ndim != 3:
        raise RecordingError(
            f"{folder / 'templates.npy'} has shape {templates.shape}; (template, sample, channel) is read"
        )
    n_channels = (
        len(read_array(folder, "channel_map").ravel()) if has_array(folder, "channel_map") else templates.shape[2]
    )
    name = next((name for name in ("template_ind", "templates_ind") if has_array(folder, name)), None)
    channels = None if name is None else read_array(folder, name).astype(np.int64)
    if channels is None or channels.shape != templates.shape[::2]:
        return templates
    if channels.shape[1] == n_channels and (channels == np.arange(n_channels)).all():
        return templates
    from ...kernels.templates.combine import dense_waveforms

    # Empty slots hold -1, or the number of channels.
    return dense_waveforms(templates, np.where(channels < n_channels, channels, -1), n_channels=n_channels)


def _unwhitened(folder: Path, templates: NDArray[np.float64]) -> NDArray[np.float64]:
    """Templates with the whitening undone; each white channel is a mixture of the others."""
    n_channels = templates.shape[2]
    if has_array(folder, "whitening_mat_inv"):
        inverse = read_array(folder, "whitening_mat_inv", np.float64)
    elif has_array(folder, "whitening_mat"):
        inverse = np.linalg.pinv(read_array(folder, "whitening_mat", np.float64))
    else:
        return templates
    if inverse.shape != (n_channels, n_channels) or np.array_equal(inverse, np.eye(n_channels)):
        return templates
    return np.asarray(templates @ inverse.T)


def usual_peak(templates: NDArray[np.float32]) -> int:
    """The sample at which most templates peak: the position of the spike, if no file tells it."""
    if not templates.size:
        return 0
    return int(np.median(np.abs(templates).max(axis=2).argmax(axis=1)))


def seen_places(templates: NDArray[np.float32], channels: Mapping[str, Any]) -> dict[str, Any]:
    """Peak channel and position of each unit, computed from its template."""
    from ...kernels.templates.average import template_positions

    found: dict[str, Any] = {"channel_index": np.abs(templates).max(axis=1).argmax(axis=1)}
    if "x" not in channels:
        return found
    order = np.argsort(-np.ptp(templates, axis=1), axis=1, kind="stable")[:, :_N_CHANNELS_MAX].astype(np.int32)
    places = np.stack([channels["x"], channels["y"]], axis=1)
    near = np.take_along_axis(templates, order[:, None].astype(np.int64), axis=2)
    positions = template_positions(near, channels=order, positions_um=places)
    return {**found, "x": positions[:, 0], "y": positions[:, 1]}
