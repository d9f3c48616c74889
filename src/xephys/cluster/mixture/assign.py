"""Labels of spikes by a fitted mixture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ...checks import check_positive
from ...errors import ParameterError
from ...graph.events import run_tasks
from ...graph.keep.archive import storable
from .inputs import check_spikes

#: Variables of a model.
MODEL = ("mean", "loading", "log_weight", "log_place", "neighbors", "noise")


@storable
@dataclass(frozen=True)
class Assignment:
    """Labels of spikes by a mixture.

    Attributes
    ----------
    labels
        int32 per spike: its most likely unit, or -1 for noise.
    candidates
        int32 ``(spike, n_candidates)``: units in order of likelihood, -1 where there are fewer.
    log_likelihoods
        float32 ``(spike, n_candidates + 1)``: log weight and log likelihood of each, relative to the likelihood of
        noise; the last column is the log weight of noise.
    """

    labels: NDArray[np.int32]
    candidates: NDArray[np.int32]
    log_likelihoods: NDArray[np.float32]

    @property
    def responsibilities(self) -> NDArray[np.float32]:
        """Probabilities of the candidates and of noise: float32 ``(spike, n_candidates + 1)``."""
        largest = self.log_likelihoods.max(axis=1, keepdims=True)
        weights = np.exp(self.log_likelihoods - largest)
        shares: NDArray[np.float32] = weights / weights.sum(axis=1, keepdims=True)
        return shares


def assign_by_mixture(
    features: NDArray[np.floating[Any]],
    channels: NDArray[np.integer[Any]],
    model: xr.Dataset,
    *,
    n_candidates: int = 5,
    batch_rows: int = 65_536,
) -> Assignment:
    """Label spikes by a mixture that was fitted to others. Computes.

    Parameters
    ----------
    features
        float ``(spike, slot, component)``, as for :func:`cluster_by_mixture`.
    channels
        Row of the model's ``neighbors`` of each spike: its channel.
    model
        ``model`` of the result of :func:`cluster_by_mixture`.
    n_candidates
        Number of units returned for each spike.
    batch_rows
        Number of spikes of a task. Results do not depend on it.

    Returns
    -------
    Labels, candidates and likelihoods. Spikes on channels where no unit can appear are noise.

    Raises
    ------
    ParameterError
        If features or channels do not fit the model, or are not finite.

    Examples
    --------
    >>> import xephys
    >>> rng = np.random.default_rng(0)
    >>> truth = np.arange(400) % 2
    >>> features = rng.normal(size=(400, 2, 1)) + 8.0 * np.eye(2)[truth][:, :, None]
    >>> channels, neighbors = np.zeros(400, int), np.array([[0, 1]])
    >>> found = xephys.cluster_by_mixture(features[:300], channels[:300], truth[:300], neighbors=neighbors)
    >>> bool((assign_by_mixture(features[300:], channels[300:], found.model).labels == truth[300:]).all())
    True
    """
    from ...kernels.cluster.mixture.assign import assign
    from ...kernels.cluster.mixture.neighborhoods import find_neighborhoods
    from ...kernels.cluster.mixture.pairs import Projected, pairs_of, project_units

    check_positive(n_candidates=n_candidates, batch_rows=batch_rows)
    if missing := [name for name in MODEL if name not in model]:
        raise ParameterError(f"the model has no {' and no '.join(missing)}; give the model of cluster_by_mixture")
    table = model["neighbors"].values
    shape = (table.shape[1], model.sizes["component"])
    if features.ndim != 3 or features.shape[1:] != shape:
        raise ParameterError(
            f"features have the shape {features.shape}; the model needs (spike, {shape[0]}, {shape[1]})"
        )
    rows = check_spikes(features, channels, table)
    sets, set_of_row = find_neighborhoods(table, model["noise"].values, n_components=shape[1])
    places = np.full((len(sets.channels), model.sizes["unit"]), -np.inf)
    places[set_of_row] = model["log_place"].values
    pairs = pairs_of(np.isfinite(places))
    loadings = np.concatenate([model["mean"].values[..., None], model["loading"].values], axis=-1)
    loadings = loadings.reshape(len(loadings), -1, loadings.shape[-1])
    seen = Projected(*project_units(loadings, pairs.starts, pairs.units, sets.entries, sets.whiten))
    where = set_of_row[rows]
    order = np.argsort(where, kind="stable")
    batches = [(order[first : first + batch_rows],) for first in range(0, len(order), int(batch_rows))]
    weights = model["log_weight"].values + places, float(model.attrs["log_noise_weight"])
    shared = (features, where, sets, pairs, seen, *weights, int(n_candidates))
    candidates = np.full((len(rows), n_candidates), -1, np.int32)
    joint = np.full((len(rows), n_candidates + 1), weights[1], np.float32)
    for (some,), (units, likelihoods) in zip(batches, run_tasks(assign, batches, shared=shared), strict=True):
        candidates[some], joint[some] = units, likelihoods
    # A spike without candidates keeps the weight of noise alone.
    joint[:, :-1][candidates < 0] = -np.inf
    labels = np.where(joint[:, 0] > joint[:, -1], candidates[:, 0], -1).astype(np.int32)
    return Assignment(labels, candidates, joint)


def model_of(
    loadings: NDArray[np.float64],
    log_weights: NDArray[np.float64],
    log_noise: float,
    places: NDArray[np.float64],
    table: NDArray[np.int32],
    noise: NDArray[np.float64],
    *,
    n_components: int,
) -> xr.Dataset:
    """A mixture as labelled arrays.

    Examples
    --------
    >>> loadings = np.zeros((2, 3, 1 + 1))
    >>> near = np.zeros((3, 1), np.int32)
    >>> model = model_of(loadings, np.zeros(2), 0.0, np.zeros((3, 2)), near, np.array(1.0), n_components=1)
    >>> dict(model["loading"].sizes)
    {'unit': 2, 'channel': 3, 'component': 1, 'factor': 1}
    """
    shaped = loadings.reshape(len(loadings), -1, n_components, loadings.shape[2])
    noise_dims = () if noise.ndim == 0 else ("noise_channel", "component", "other_channel", "other_component")
    return xr.Dataset(
        {
            "mean": (("unit", "channel", "component"), shaped[..., 0]),
            "loading": (("unit", "channel", "component", "factor"), shaped[..., 1:]),
            "log_weight": ("unit", log_weights),
            "log_place": (("row", "unit"), places),
            "neighbors": (("row", "slot"), table),
            "noise": (noise_dims, noise),
        },
        attrs={"log_noise_weight": float(log_noise)},
    )
