"""What templates leave unexplained of their spikes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..checks import check_positive
from ..graph.checkpoint import CheckpointedEvents
from .settle import evenly, take_records

#: Spikes of a unit that are looked at.
N_SPIKES = 1000
#: Of ten spikes one is explained worse, and of ten units one explains its spikes worse.
QUANTILE, QUANTILE_Z = 0.9, 1.2816
#: A mean explains its own spikes better than the next ones.
UNEXPLAINED_MIN = 0.005


def estimate_unexplained(
    spikes: NDArray[Any] | CheckpointedEvents, labels: NDArray[np.int32], *, feature_noise: float
) -> NDArray[np.float64]:
    """Share of a spike's energy that the mean of its unit, at the best amplitude, fails to explain, beyond noise.

    Where a unit's waveform changes from spike to spike, by drift or in bursts, or where spikes that nobody matched
    overlap it, a good part of it is left, and other templates can take that up. Drift moves the units of a probe
    alike, so that no unit gets less than most of them.

    Parameters
    ----------
    spikes
        From :func:`match_templates` with ``components``.
    labels
        Unit of each spike, from :func:`refine_clusters`; negative for none.
    feature_noise
        From :func:`estimate_feature_noise`.

    Returns
    -------
    float64, one number a unit: nine of ten of its spikes leave less, and so do nine of ten units.

    Examples
    --------
    >>> spikes = np.zeros(4, [("channel_index", "i8"), ("projection", "f4", (1, 2))])
    >>> spikes["projection"][:, 0] = [[10, 5], [10, -5], [10, 5], [10, -5]]
    >>> estimate_unexplained(spikes, np.zeros(4, np.int32), feature_noise=0.1).round(2).tolist()
    [0.25]
    """
    check_positive(feature_noise=feature_noise)
    n_units = int(labels.max(initial=-1)) + 1
    members = [evenly(np.flatnonzero(labels == unit), N_SPIKES) for unit in range(n_units)]
    rows = np.sort(np.concatenate([np.empty(0, np.int64), *members]))
    chosen = take_records(spikes, ("channel_index", "projection"), rows)
    own = np.array([_of_unit(chosen[np.searchsorted(rows, member)], feature_noise) for member in members])
    return np.maximum(own, np.quantile(own, QUANTILE)) if n_units else own


def _of_unit(spikes: NDArray[Any], noise: float) -> float:
    """The share of one unit, from its spikes on the channel where most of them are."""
    common = np.bincount(spikes["channel_index"]).argmax()
    projection = spikes["projection"][spikes["channel_index"] == common].astype(np.float64)
    features = projection[:, np.abs(projection).max(axis=(0, 2)) > 0].reshape(len(projection), -1)
    mean = features.mean(axis=0)
    amplitude = features @ (mean / max(float(np.linalg.norm(mean)), 1e-30))
    left = np.maximum((features**2).sum(axis=1) - amplitude**2, 0)
    # That quantile of chi squared, by Wilson and Hilferty (1931).
    n = max(features.shape[1] - 1, 1)
    by_noise = noise**2 * n * (1 - 2 / (9 * n) + QUANTILE_Z * np.sqrt(2 / (9 * n))) ** 3
    beyond = np.quantile(left, QUANTILE) - by_noise
    return max(float(beyond / max(np.median(amplitude**2), 1e-30)), UNEXPLAINED_MIN)
