"""Find where a unit fires: the displacements at which matches of its template are spikes, not false alarms.

A moving template is known where its unit was seen, and interpolated elsewhere. If the tissue drifts, a unit that fires
during part of the recording was not seen at other displacements. There its blurred template matches noise and the hash
of distant units, whose means become its template, which matches more of them. But false alarms fall off from the
threshold, while spikes are distributed around the size that the unit has elsewhere. For the levels of all matches of a
template, a mixture is fitted by expectation maximization: a normal distribution with one relative size, and one
exponential distribution, in separate proportions at each place.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.lib.arrays import full, zeros
from xephys.kernels.lib.inner import helper, kernel
from xephys.kernels.lib.records import count_labels, order_by_label

__all__ = ["absent_places", "energies_of_matches", "expected_levels", "spike_shares"]

#: A unit is absent where the share of spikes among its matches is below the first number, and below the second number
#: times its maximum share.
SHARE_MAX, RELATIVE_SHARE_MAX = 0.5, 0.3
#: Minimum number of matches of a unit for estimating shares, and minimum number of spikes among them.
N_MATCHES_MIN, N_SPIKES_MIN = 20, 5.0
#: Minimum number of matches at a place for the initial estimate of a unit's size, and for its share to be a reference.
N_AT_PLACE_MIN = 10
#: Smaller matches, as multiples of the template, are spikes of other units and are ignored.
SIZE_MIN = 0.55
#: Limits of the spread of spikes in units of the noise, and the additional spread for sizes that vary.
SPREAD_MIN, SPREAD_MAX, VARIATION_MAX = 0.9, 1.2, 0.2
#: Limits of the decay rate of false alarms, per unit of the noise.
FALL_MIN, FALL_MAX = 1.0, 8.0
#: Matches above the center by more than this many spreads are as likely to be spikes as those at this distance.
FAR = 3.5
N_ITERATIONS = 60


def expected_levels(
    cells: NDArray[np.integer[Any]],
    amplitudes: NDArray[np.float64],
    gains: NDArray[np.float64],
    *,
    n_cells: int,
    noise_gain: float,
    amplitude_std: float,
) -> NDArray[np.float64]:
    """Level of a spike of the template's own size in each cell: the square root of its gain.

    The energy of the template with which a spike was matched follows from the spike's amplitude and gain.

    Parameters
    ----------
    cells : int64 array of shape (spike,)
        Template and place of each spike, combined into one number.
    amplitudes, gains : float64 arrays of shape (spike,)
        From `match_templates`.
    n_cells : int
    noise_gain, amplitude_std : float
        Settings of the match.

    Returns
    -------
    float64 array of shape (cell,)
        Computed from the median over spikes; 0 if there are none.

    Examples
    --------
    >>> expected_levels(np.array([1]), np.array([1.0]), np.array([36.0]), n_cells=2, noise_gain=1.0,
    ...                 amplitude_std=0.1).round(6).tolist()
    [0.0, 6.0]
    """
    energies = energies_of_matches(amplitudes, gains, noise_gain=noise_gain, amplitude_std=amplitude_std)
    order = np.lexsort((energies, cells))
    counts = count_labels(cells, n_labels=n_cells)
    first = np.cumsum(counts) - counts
    low, high = first + np.maximum(counts - 1, 0) // 2, first + counts // 2
    levels = np.zeros(n_cells)
    some = counts > 0
    levels[some] = (energies[order[low[some]]] + energies[order[high[some]]]) / 2
    return np.sqrt(np.maximum(levels, 0.0) / noise_gain)


def energies_of_matches(
    amplitudes: NDArray[np.float64], gains: NDArray[np.float64], *, noise_gain: float, amplitude_std: float
) -> NDArray[np.float64]:
    """Energy of the template with which each spike was matched.

    Parameters
    ----------
    amplitudes, gains : float64 arrays of shape (spike,)
        From `match_templates`.
    noise_gain, amplitude_std : float
        Settings of the match.

    Returns
    -------
    float64 array of shape (spike,)

    Examples
    --------
    >>> energies_of_matches(np.array([1.0]), np.array([36.0]), noise_gain=1.0, amplitude_std=0.1).round(6).tolist()
    [36.0]
    """
    precision = noise_gain / amplitude_std**2
    found = (gains * noise_gain + precision) / np.maximum(amplitudes, 1e-6) ** 2 - precision
    return np.asarray(found, np.float64)


@helper
def _below(z: float) -> float:
    """Share of a standard normal distribution below ``z``."""
    return 0.5 * math.erfc(-z / math.sqrt(2.0))


@kernel
def spike_shares(
    levels: NDArray[np.float64],
    places: NDArray[np.int64],
    expected: NDArray[np.float64],
    floors: NDArray[np.float64],
    spread_max: float,
) -> NDArray[np.float64]:
    """Share of spikes among the matches of one template, at each place.

    Parameters
    ----------
    levels : float64 array of shape (spike,)
        Square roots of the gains, all at or above the floor of their place.
    places : int64 array of shape (spike,)
    expected : float64 array of shape (place,)
        Level of a spike of the template's own size.
    floors : float64 array of shape (place,)
    spread_max : float
        Maximum standard deviation of the levels of spikes.

    Returns
    -------
    float64 array of shape (place,)
        NaN everywhere if there are too few matches to tell.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> spikes, false = rng.normal(10, 1, 300), 5 + rng.exponential(0.5, 300)
    >>> levels, places = np.concatenate([spikes, false]), np.repeat([0, 1], 300)
    >>> spike_shares(levels, places, np.full(2, 10.0), np.full(2, 5.0), 2.0).round(1).tolist()
    [1.0, 0.0]
    """
    n_places = len(expected)
    share = full(n_places, np.nan)
    counts, center = zeros(n_places), 0.0
    for place in range(n_places):
        own = levels[places == place]
        counts[place] = own.size
        if own.size >= N_AT_PLACE_MIN and expected[place] > 0:
            center = max(center, np.median(own) / expected[place])
    if levels.size < N_MATCHES_MIN or center == 0.0:
        return share
    spread, fall = SPREAD_MAX, 2.0
    share[:] = 0.5
    n_spikes = zeros(n_places)
    for _ in range(N_ITERATIONS):
        n_spikes[:] = 0.0
        moment, weight, variance, n_false, excess = 0.0, 0.0, 0.0, 0.0, 0.0
        for i in range(levels.size):
            place = places[i]
            middle, over = center * expected[place], levels[i] - floors[place]
            edge = (floors[place] - middle) / spread
            seen = max(1.0 - _below(edge), 1e-6)
            z = min((levels[i] - middle) / spread, FAR)
            spike = share[place] * math.exp(-0.5 * z * z) / (spread * math.sqrt(2.0 * math.pi)) / seen
            false = (1.0 - share[place]) * fall * math.exp(-fall * over)
            own = spike / (spike + false + 1e-300)
            # Mean and variance of the part of the normal distribution above the floor.
            ratio = math.exp(-0.5 * edge * edge) / math.sqrt(2.0 * math.pi) / seen
            shrunk = max(1.0 + edge * ratio - ratio * ratio, 0.05)
            n_spikes[place] += own
            moment += own * (levels[i] - spread * ratio) * expected[place]
            weight += own * expected[place] ** 2
            variance += own * (levels[i] - middle - spread * ratio) ** 2 / shrunk
            n_false += 1.0 - own
            excess += (1.0 - own) * over
        total = n_spikes.sum()
        if total < N_SPIKES_MIN or weight == 0.0:
            share[:] = np.nan
            return share
        center = moment / weight
        spread = min(max(math.sqrt(variance / total), SPREAD_MIN), spread_max)
        fall = min(max(n_false / max(excess, 1e-9), FALL_MIN), FALL_MAX)
        for place in range(n_places):  # one extra match with the overall share, so that few matches do not decide alone
            share[place] = (n_spikes[place] + total / levels.size) / (counts[place] + 1.0)
    return share


def absent_places(
    units: NDArray[np.integer[Any]],
    places: NDArray[np.integer[Any]],
    levels: NDArray[np.float64],
    *,
    expected: NDArray[np.float64],
    match_threshold: float,
) -> NDArray[np.bool_]:
    """Places at which a unit does not fire, although its template matched something.

    Parameters
    ----------
    units, places : int arrays of shape (spike,)
    levels : float64 array of shape (spike,)
        Square roots of the gains.
    expected : float64 array of shape (unit, place)
        From `expected_levels`.
    match_threshold : float
        Lowest level that was matched.

    Returns
    -------
    bool array of shape (unit, place)

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> levels = np.concatenate([rng.normal(10, 1, 300), 5 + rng.exponential(0.5, 300)])
    >>> absent_places(np.zeros(600, np.int64), np.repeat([0, 1], 300), levels, expected=np.full((1, 2), 10.0),
    ...               match_threshold=5.0).tolist()
    [[False, True]]
    """
    n_units, n_places = expected.shape
    absent = np.zeros(expected.shape, bool)
    order = order_by_label(units)
    ends = np.cumsum(count_labels(units, n_labels=n_units))
    for unit in range(n_units):
        rows = order[ends[unit - 1] if unit else 0 : ends[unit]]
        floors = np.maximum(match_threshold, SIZE_MIN * expected[unit])
        rows = rows[levels[rows] >= floors[places[rows]]]
        of_rows = places[rows].astype(np.int64)
        spread_max = math.hypot(SPREAD_MAX, VARIATION_MAX * float(expected[unit].max(initial=0.0)))
        share = spike_shares(levels[rows], of_rows, expected[unit], floors, spread_max)
        counts = np.bincount(of_rows, minlength=n_places)
        firing = share[counts >= N_AT_PLACE_MIN]
        if firing.size and not np.isnan(firing[0]):
            limit = min(SHARE_MAX, RELATIVE_SHARE_MAX * float(firing.max()))
            absent[unit] = (counts > 0) & (share < limit)
    return absent
