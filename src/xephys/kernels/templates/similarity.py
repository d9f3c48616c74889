"""Similarity of templates: cosine of their waveforms at the best lag, for pairs that share a channel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.match.model import build_match_model

__all__ = ["SIMILARITY_DTYPE", "energy_of_noise", "template_similarity"]

SIMILARITY_DTYPE = np.dtype(
    [("unit_a", np.int64), ("unit_b", np.int64), ("similarity", np.float64), ("lag", np.int64), ("scale", np.float64)]
)


def template_similarity(
    *,
    temporal: NDArray[np.floating],
    spatial: NDArray[np.floating],
    channels: NDArray[np.integer],
    n_channels: int,
    lag_samples_max: int,
    similarity_min: float = 0.0,
) -> NDArray[np.void]:
    """Cosine similarity of templates over the union of their channels, at the lag where it is largest.

    Parameters
    ----------
    temporal, spatial, channels : arrays of shape (unit, rank, sample), (unit, rank, slot), (unit, slot)
        Low-rank templates (`low_rank_templates`).
    n_channels : int
        Channels of the recording.
    lag_samples_max : int
        Lags tried, in samples in either direction; less than the length of the templates.
    similarity_min : float
        Less similar pairs are left out.

    Returns
    -------
    structured array of dtype `SIMILARITY_DTYPE`
        One row for each pair with ``unit_a < unit_b``, in that order; pairs without a common channel are absent.
        ``lag`` is the number of samples to add to the spikes of `unit_a` so that they mark the same feature as those of
        `unit_b`; ``scale`` is the norm of `unit_b` divided by that of `unit_a`.

    Raises
    ------
    ValueError
        If `lag_samples_max` is negative or as long as a template.

    Examples
    --------
    >>> import numpy as np
    >>> temporal = np.zeros((2, 1, 8))
    >>> temporal[0, 0, 2:5], temporal[1, 0, 3:6] = [1, -4, 2], [2, -8, 4]
    >>> pairs = template_similarity(temporal=temporal, spatial=np.ones((2, 1, 1)), channels=np.zeros((2, 1), int),
    ...                             n_channels=1, lag_samples_max=3)
    >>> float(pairs["similarity"][0].round(6)), int(pairs["lag"][0]), float(pairs["scale"][0])
    (1.0, -1, 2.0)
    """
    n_samples = temporal.shape[2]
    if not 0 <= lag_samples_max < n_samples:
        raise ValueError(
            f"lag_samples_max is {lag_samples_max}; it must be 0 to {n_samples - 1}, less than the template's length."
        )
    model = build_match_model(
        temporal=temporal, spatial=spatial, channels=channels, n_channels=n_channels, steps_per_sample=0
    )
    norms = np.sqrt(model["energies"])
    first = np.repeat(np.arange(norms.size), np.diff(model["pair_starts"]))
    second = model["pair_units"].astype(np.int64)
    lags = np.arange(-lag_samples_max, lag_samples_max + 1)
    overlap = model["pair_overlaps"][:, 0, lags + n_samples - 1].astype(np.float64)
    best = overlap.argmax(axis=1)
    product = norms[first] * norms[second]
    similarity = overlap[np.arange(best.size), best] / np.where(product > 0, product, 1.0)
    keep = (first < second) & (product > 0) & (similarity >= similarity_min)
    pairs = np.zeros(int(keep.sum()), SIMILARITY_DTYPE)
    pairs["unit_a"], pairs["unit_b"] = first[keep], second[keep]
    pairs["similarity"] = similarity[keep]
    pairs["lag"] = lags[best[keep]]
    pairs["scale"] = norms[second[keep]] / norms[first[keep]]
    return pairs


def energy_of_noise(
    channels: NDArray[np.integer], num_averaged: NDArray[np.integer], *, n_samples: int
) -> NDArray[np.float64]:
    """What noise of one unit per sample surely adds to the energy of a mean waveform.

    The mean of twenty spikes on dozens of channels is so noisy that its cosine to the mean of other spikes of the same
    neuron is well below 1. Two standard deviations less than the expected energy are taken off, so that chance makes
    no shapes alike.

    Parameters
    ----------
    channels : (n_units, n_slots) int
        Channel of each slot, −1 where empty.
    num_averaged : (n_units,) int
        Number of spikes of each mean.
    n_samples : int

    Returns
    -------
    energy : (n_units,) float64

    Examples
    --------
    >>> energy_of_noise(np.array([[0, 1], [3, -1]]), np.array([20, 20]), n_samples=100).tolist()
    [8.0, 3.585786437626905]
    """
    values = n_samples * (channels >= 0).sum(axis=1).astype(np.float64)
    return np.asarray((values - 2 * np.sqrt(2 * values)) / np.maximum(num_averaged, 1), np.float64)
