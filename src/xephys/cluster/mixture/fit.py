"""Cluster by a mixture of Gaussians of low rank with missing channels: fitted to half of the spikes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ...checks import check_number, check_positive
from ...errors import ParameterError
from ...graph.events import run_tasks
from ...graph.keep.archive import storable
from ...graph.process.blas import single_threaded_blas
from .assign import Assignment, assign_by_mixture, model_of
from .inputs import check_spikes, noise_of, start_labels, table_of_neighbors

#: The fit ends when held-out spikes are explained better by less than this, in nats per spike.
GAIN_MIN = 0.005


@storable
@dataclass(frozen=True)
class MixtureClustering(Assignment):
    """Labels of spikes by a mixture that was fitted to them.

    Attributes
    ----------
    labels, candidates, log_likelihoods
        As of :class:`Assignment`.
    held_out
        bool per spike: those that decided and were not fitted.
    decisions
        Records of the accepted changes, in order.
    model
        Dataset with ``mean`` ``(unit, channel, component)``, ``loading`` ``(unit, channel, component, factor)``,
        ``log_weight`` ``(unit)``, ``log_place`` ``(row, unit)``, how much more frequent a unit is on a channel
        than all spikes (minus infinity where it cannot appear), ``neighbors`` ``(row, slot)``,
        ``noise`` and the attribute ``log_noise_weight``: all that :func:`assign_by_mixture` needs.
    """

    held_out: NDArray[np.bool_]
    decisions: NDArray[Any]
    model: xr.Dataset

    @property
    def n_clusters(self) -> int:
        return int(self.model.sizes["unit"])


def cluster_by_mixture(
    features: NDArray[np.floating[Any]],
    channels: NDArray[np.integer[Any]],
    labels: NDArray[np.integer[Any]],
    *,
    neighbors: NDArray[np.integer[Any]] | None = None,
    positions: NDArray[np.floating[Any]] | None = None,
    noise: float | NDArray[np.floating[Any]] = 1.0,
    signal_rank: int = 3,
    n_candidates: int = 5,
    n_spikes_min: int = 20,
    n_rounds: int | None = 3,
    entropy_weight: float = 0.5,
    n_iterations_max: int = 50,
    n_spikes_max: int = 2_000_000,
    batch_rows: int = 65_536,
    seed: int = 0,
) -> MixtureClustering:
    """Improve labels of spikes by a mixture of Gaussians, each spike observed on the channels around it. Computes.

    Every unit is a Gaussian over all channels of the probe: a mean, a few directions in which its spikes vary, and the
    noise. The likelihood of a spike is that of the channels on which it was observed. Half of the spikes are fitted by
    expectation maximization; the other half decides when a fit ends, and whether a unit is split, merged or dropped.

    Parameters
    ----------
    features
        float ``(spike, slot, component)``, such as the field ``projection`` of :func:`project_peaks` and
        :func:`match_templates`.
    channels
        Row of ``neighbors`` of each spike: its channel (``channel_index``).
    labels
        Start labels: 0 to n - 1, or -1 for none.
    neighbors
        int ``(row, slot)``: the channels of the slots, padded with -1. With drift, give one row for each channel and
        displacement, with channels of a probe extended by the motion.
    positions
        Instead of ``neighbors``: ``(channel, 2)`` in µm; the slots are then the nearest channels in ascending order.
    noise
        Standard deviation of a feature in the absence of spikes (:func:`estimate_feature_noise`), or the covariance
        ``(channel, component, channel, component)`` of all features of the probe.
    signal_rank
        Number of directions in which the spikes of a unit vary.
    n_candidates
        Number of units considered for each spike.
    n_spikes_min
        Start labels with fewer spikes are dropped, and no part of a unit has fewer.
    n_rounds
        Largest number of rounds of splits, merges and demolitions; if None, units are only fitted.
    entropy_weight
        What the held-out spikes decide by is their log likelihood less the entropy of their responsibilities times this
        weight. The larger it is, the less two units may overlap; with 0, the likelihood alone decides, and units whose
        features are not Gaussian are cut into pieces.
    n_iterations_max
        Largest number of iterations of a fit.
    n_spikes_max
        Of more spikes, this number, evenly spread over time, is used for the fit; the others only get a label.
    batch_rows
        A task has at least this number of spikes. Results do not depend on it.
    seed
        Seed for choosing the spikes that are held out.

    Returns
    -------
    Labels, candidates, likelihoods and the model.

    Raises
    ------
    ParameterError
        If shapes do not fit, features are not finite, or no label has enough spikes.

    Notes
    -----
    Truncated expectation maximization for factor analyzers with missing data (Ghahramani & Hinton 1997, CRG-TR-96-1;
    Lücke & Forster 2019, J. Mach. Learn. Res. 20).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> truth = np.arange(400) % 2
    >>> features = rng.normal(size=(400, 2, 1)) + 8.0 * np.eye(2)[truth][:, :, None]
    >>> start = np.where(np.arange(400) % 10 < 8, truth, 1 - truth)  # one label in five is wrong
    >>> found = cluster_by_mixture(features, np.zeros(400, int), start, neighbors=np.array([[0, 1]]))
    >>> int((found.labels != truth).sum()), found.n_clusters
    (0, 2)
    """
    from ...kernels.cluster.mixture.change import Settings, change_structure
    from ...kernels.cluster.mixture.neighborhoods import Rows, cells_of, find_neighborhoods, whiten_features
    from ...kernels.cluster.mixture.start import hold_out, start_mixture
    from ...kernels.cluster.parts import spread_rows

    check_positive(signal_rank=signal_rank, n_candidates=n_candidates, n_spikes_min=n_spikes_min)
    check_positive(n_iterations_max=n_iterations_max, n_spikes_max=n_spikes_max, batch_rows=batch_rows)
    if n_spikes_min < 2:
        raise ParameterError(f"n_spikes_min is {n_spikes_min}; half of the spikes are held out, so give at least 2")
    check_number(entropy_weight=entropy_weight)
    if not 0 <= entropy_weight < np.inf:
        raise ParameterError(f"entropy_weight is {entropy_weight:g}; it must be at least 0")
    table = table_of_neighbors(neighbors, positions, features)
    covariance = noise_of(noise, table, n_components=features.shape[2])
    rows_of_table = check_spikes(features, channels, table)
    start = start_labels(labels, n_spikes=len(features), n_spikes_min=n_spikes_min)
    try:
        sets, set_of_row = find_neighborhoods(table, covariance, n_components=features.shape[2])
    except np.linalg.LinAlgError as error:
        raise ParameterError(
            "the covariance of the noise is not positive definite; estimate it from more noise, or add to its diagonal"
        ) from error
    where = set_of_row[rows_of_table]
    used = spread_rows(np.arange(len(features)), int(n_spikes_max))
    order = used[np.argsort(where[used], kind="stable")]
    held_out = np.zeros(len(features), np.bool_)
    held_out[used] = hold_out(start[used], int(seed))
    white = whiten_features(features, order, where[order], sets.whiten, sets.entries)
    rows = Rows(white, where[order], held_out[order], cells_of(where[order]))
    with single_threaded_blas():
        mixture = start_mixture(rows, start[order], sets, rank=int(signal_rank), run=run_tasks)
        settings = Settings(
            n_candidates=int(n_candidates),
            n_spikes_min=int(n_spikes_min),
            n_iterations_max=int(n_iterations_max),
            gain_min=GAIN_MIN,
            entropy_weight=float(entropy_weight),
            batch_rows=int(batch_rows),
            seed=int(seed),
        )
        mixture, decisions = change_structure(rows, sets, mixture, settings, n_rounds=int(n_rounds or 0), run=run_tasks)
    del rows, white
    model = model_of(
        mixture.loadings,
        mixture.log_weights,
        mixture.log_noise,
        mixture.places[set_of_row],
        table,
        covariance,
        n_components=features.shape[2],
    )
    found = assign_by_mixture(features, rows_of_table, model, n_candidates=n_candidates, batch_rows=batch_rows)
    return MixtureClustering(found.labels, found.candidates, found.log_likelihoods, held_out, decisions, model)
