"""The share of the energy of spikes that their templates leave unexplained."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..checks import check_positive
from ..graph.checkpoint import StoredRecords
from ..graph.local import map_in_threads
from .settle import take_records

#: Number of spikes used per unit.
N_SPIKES = 1000


def estimate_unexplained(
    spikes: NDArray[Any] | StoredRecords, labels: NDArray[np.int32], *, feature_noise: float
) -> NDArray[np.float64]:
    """Share of a spike's energy that its unit's mean, at the best amplitude, leaves unexplained, beyond noise.

    If a unit's waveform varies from spike to spike, by drift or in bursts, or if unmatched spikes overlap it, much of
    the energy is left over and other templates can absorb it. Drift affects all units of a probe alike, so no unit gets
    a lower value than most of them.

    Parameters
    ----------
    spikes
        From :func:`match_templates` with ``components``.
    labels
        Unit of each spike, from :func:`refine_clusters`; negative for spikes without a unit.
    feature_noise
        From :func:`estimate_feature_noise`.

    Returns
    -------
    float64 per unit: the 0.9 quantile of the unexplained share, at least the 0.9 quantile over all units.

    Examples
    --------
    >>> spikes = np.zeros(4, [("channel_index", "i8"), ("projection", "f4", (1, 2))])
    >>> spikes["projection"][:, 0] = [[10, 5], [10, -5], [10, 5], [10, -5]]
    >>> estimate_unexplained(spikes, np.zeros(4, np.int32), feature_noise=0.1).round(2).tolist()
    [0.25]
    """
    from ..kernels.cluster.parts import rows_by_label
    from ..kernels.cluster.unexplained import unexplained_shares

    check_positive(feature_noise=feature_noise)
    _, unit_rows = rows_by_label(labels, n_max=N_SPIKES)
    rows = np.sort(np.concatenate([np.empty(0, np.int64), *unit_rows]))
    used = take_records(spikes, ("channel_index", "projection"), rows)
    return unexplained_shares(
        used["projection"], used["channel_index"], labels[rows], noise=feature_noise, each=map_in_threads
    )
