"""Labels of units from their metrics."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def label_units(
    n_spikes: NDArray[np.int64],
    contamination: NDArray[np.float64],
    snr: NDArray[np.float64],
    *,
    contamination_max: float = 0.2,
    snr_min: float = 2.0,
    good_snr_min: float = 5.0,
    n_spikes_min: int = 20,
) -> NDArray[np.str_]:
    """Label units good, mua or noise.

    Parameters
    ----------
    n_spikes : (n_units,) int64
    contamination : (n_units,) float64
        NaN counts as contaminated.
    snr : (n_units,) float64
        Template amplitude on the largest channel over the noise level there.
    contamination_max, snr_min : float
    good_snr_min : float
        Below this, a unit may be one neuron and still miss most of its spikes, or be a small distant one; such units
        are mua.
    n_spikes_min : int
        With fewer spikes, a contamination of 0 means nothing; such units are mua.

    Returns
    -------
    labels : (n_units,) str
        ``noise`` below ``snr_min``; otherwise ``good`` if large enough, uncontaminated and with enough spikes, else
        ``mua``.

    Examples
    --------
    >>> import numpy as np
    >>> label_units(np.array([500, 500, 9]), np.array([0.01, 0.5, 0.0]), np.array([8.0, 8.0, 1.0])).tolist()
    ['good', 'mua', 'noise']
    """
    with np.errstate(invalid="ignore"):
        good = (contamination <= contamination_max) & (n_spikes >= n_spikes_min) & (snr >= good_snr_min)
    return np.where(~(snr >= snr_min), "noise", np.where(good, "good", "mua"))
