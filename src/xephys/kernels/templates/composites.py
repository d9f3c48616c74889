"""Templates that are the sum of two others: neurons that often fire together leave a cluster of their sums.

Such a template explains a coincidence better than either unit and as well as both, so it takes the spikes of both.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.templates.blurred_sums import blurred_sum

COMPOSITE = np.dtype(
    [
        ("unit", np.int64),
        ("first", np.int64),
        ("second", np.int64),
        ("first_lag", np.int64),
        ("lag", np.int64),
        ("rest", np.float64),
        ("by_chance", np.bool_),
    ]
)
"""A template, the two whose sum it is, the delays (in samples) of the first against it and of the second against the
first, the energy left, and whether that is more than a sum may leave: then only
`coincidences.missed_together` can tell."""

#: A pair is examined closely if, at the lags that each part prefers, it leaves less than this share of the energy.
COARSE_REST = 0.7
#: Limits for a template that is as rare as chance coincidences: maximum residual, and minimum amplitude of its parts.
MAX_REST_BY_CHANCE, AMPLITUDE_MIN_BY_CHANCE = 0.45, 0.35
#: Number of neighboring lags that are tried; if lags vary, the preferred one may be at an end of their range.
LAG_REACH, BLUR_REACH = 10, 20
#: Minimum amplitude of a part if its lags vary: the mean of a few spikes contains little of each.
BLURRED_AMPLITUDE_MIN = 0.75


def find_composites(
    *,
    energies: NDArray[np.float64],
    pair_starts: NDArray[np.int64],
    pair_units: NDArray[np.int32],
    pair_overlaps: NDArray[np.float32],
    counts: NDArray[np.integer] | NDArray[np.floating],
    noise_energies: NDArray[np.floating],
    amplitude_min: float = 0.8,
    amplitude_max: float = 1.25,
    rest_max: float = 0.1,
    share_max: float = 0.5,
    chance: float = 0.0,
) -> NDArray[np.void]:
    """Find templates that are the sum of two others at some delay, or at varying delays.

    Parameters
    ----------
    energies : (unit,) float64
    pair_starts, pair_units, pair_overlaps
        Arrays of `match_model.build_match_model`.
    counts : (unit,)
        Number of spikes of each template.
    noise_energies : (unit,)
        Energy of each template that comes from the noise in its average and need not be explained.
    amplitude_min, amplitude_max : float
        Limits of both amplitudes.
    rest_max : float
        Maximum share of the energy that the sum may leave.
    share_max : float
        A composite has at most this share of the spikes of either of its parts: neurons fire alone more often than
        together.

    chance : float
        Share of all pairs of spikes of two independent trains that coincide: the width of a coincidence over the
        length of the recording. A template with no more spikes than the two have coincidences by chance may leave
        `MAX_REST_BY_CHANCE`, with amplitudes from `AMPLITUDE_MIN_BY_CHANCE` on: those come at varying lags, so that
        their average is less of a sum.

    Returns
    -------
    structured array of dtype `COMPOSITE`
        In order of unit; the best sum for each.

    Examples
    --------
    >>> import numpy as np
    >>> from xephys.kernels.match.model import build_match_model
    >>> temporal = np.zeros((3, 1, 9))
    >>> temporal[0, 0, 2:5], temporal[1, 0, 2:5] = [1, -4, 2], [-5, 2, 1]
    >>> temporal[2] = temporal[0] + np.roll(temporal[1], 3)
    >>> model = build_match_model(temporal=temporal, spatial=np.ones((3, 1, 1)), channels=np.zeros((3, 1), int),
    ...                           n_channels=1)
    >>> names = ("energies", "pair_starts", "pair_units", "pair_overlaps")
    >>> found = find_composites(counts=np.array([900, 800, 40]), noise_energies=np.zeros(3),
    ...                         **{name: model[name] for name in names})
    >>> found[["unit", "first", "second", "lag"]].tolist()
    [(2, 0, 1, 3)]
    """
    middle = pair_overlaps.shape[1] // 2
    limits = _Limits(amplitude_min, amplitude_max, rest_max, chance)
    found = []
    for unit in range(len(energies)):
        own = slice(int(pair_starts[unit]), int(pair_starts[unit + 1]))
        partners, scores = pair_units[own], pair_overlaps[own, middle].astype(np.float64)
        eligible = (partners != unit) & (counts[unit] <= share_max * counts[partners]) & (energies[partners] > 0)
        if eligible.sum() < 2:
            continue
        best = _best_sums(
            unit, partners[eligible], scores[eligible], energies=energies, noise=noise_energies[unit], counts=counts,
            pairs=(pair_starts, pair_units, pair_overlaps), limits=limits,
        )  # fmt: skip
        by_chance = best[False][1] < 0  # a sum needs no further proof
        if best[by_chance][1] >= 0:
            total = energies[unit] - noise_energies[unit]
            left_over = max(0.0, best[by_chance][0] - noise_energies[unit]) / max(total, 1e-12)
            found.append((unit, *best[by_chance][1:], left_over, by_chance))
    return np.array(found, COMPOSITE)


class _Limits(NamedTuple):
    """Parameters of `find_composites`."""

    amplitude_min: float
    amplitude_max: float
    rest_max: float
    chance: float


#: The energy that a sum leaves, its first and second template (-1 if there is no sum), the first lag and the lag.
_Sum = tuple[float, int, int, int, int]


def _best_sums(
    unit: int,
    partners: NDArray[np.int32],
    scores: NDArray[np.float64],
    *,
    energies: NDArray[np.float64],
    noise: float,
    counts: NDArray[np.integer] | NDArray[np.floating],
    pairs: tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]],
    limits: _Limits,
) -> dict[bool, _Sum]:
    """The best plain or blurred sum of two partners, and the best of those as rare as coincidences by chance."""
    middle, center = pairs[2].shape[1] // 2, pairs[2].shape[2] // 2
    table = *pairs[:2], pairs[2][:, middle]
    total = energies[unit] - noise
    allowed = {False: limits.rest_max, True: max(limits.rest_max, MAX_REST_BY_CHANCE)}
    best: dict[bool, _Sum] = {by_chance: (rest * total + noise, -1, -1, 0, 0) for by_chance, rest in allowed.items()}
    blurred = best[False]
    own_energies = energies[partners]
    row_of = np.full(len(energies), -1, np.int64)
    row_of[partners] = np.arange(len(partners))
    for row, first in enumerate(partners):
        lag = int(scores[row].argmax())
        amplitude = min(max(scores[row, lag] / own_energies[row], limits.amplitude_min), limits.amplitude_max)
        if 2 * amplitude * scores[row, lag] - amplitude**2 * own_energies[row] < 0.2 * total:
            continue
        seen = _seen_at(first, lag - center, row_of, len(partners), *pairs, middle)
        left = scores - amplitude * seen
        left[row] = -np.inf
        lags = left.argmax(axis=1)
        rows = np.arange(len(partners))
        coarse = _rests(
            energies[unit], scores[row, lag], own_energies[row], scores[rows, lags], own_energies, seen[rows, lags],
            amplitude_min=-np.inf, amplitude_max=np.inf,
        )  # fmt: skip
        coarse[row] = np.inf
        for other in np.flatnonzero(coarse < COARSE_REST * total):
            both = _Both(int(first), int(partners[other]), energies[unit], scores[row], scores[other],
                         own_energies[row], own_energies[other], lag, int(lags[other]))  # fmt: skip
            alone = _overlap(first, partners[other], *table)
            coincidences = limits.chance * counts[first] * counts[partners[other]]
            for by_chance in (False, True)[: 1 + (counts[unit] <= coincidences)]:
                best[by_chance] = _better(best[by_chance], both, alone, limits, by_chance=by_chance)
            if best[False][1] < 0:  # a plain sum is not a blurred one
                blurred = _better_blurred(blurred, both, alone, table, limits)
    if best[False][1] < 0:
        best[False] = blurred
    return best


class _Both(NamedTuple):
    """Two templates that may add up to a third: their scores on it at every lag, energies and preferred lags."""

    first: int
    second: int
    energy: float
    first_scores: NDArray[np.float64]
    second_scores: NDArray[np.float64]
    first_energy: float
    second_energy: float
    first_lag: int
    second_lag: int

    def lags(self, reach: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Lags around those that each prefers: overlapping parts shift each other's lag."""
        n_lags = len(self.first_scores)
        return _around(self.first_lag, n_lags, reach), _around(self.second_lag, n_lags, reach)


def _better(best: _Sum, both: _Both, alone: NDArray[np.float64], limits: _Limits, *, by_chance: bool) -> _Sum:
    """The sum of two templates at fixed lags, if it leaves less than the best so far."""
    near, far = both.lags(LAG_REACH)
    least_amplitude = min(limits.amplitude_min, AMPLITUDE_MIN_BY_CHANCE) if by_chance else limits.amplitude_min
    rest = _rests(
        both.energy, both.first_scores[near][:, None], both.first_energy, both.second_scores[far][None, :],
        both.second_energy, _crossed(alone, near, far), amplitude_max=limits.amplitude_max,
        amplitude_min=least_amplitude,
    )  # fmt: skip
    least = int(rest.argmin())
    if not rest.flat[least] < best[0]:
        return best
    i, j = divmod(least, len(far))
    center = len(both.first_scores) // 2
    return float(rest.flat[least]), both.first, both.second, int(near[i]) - center, int(far[j] - near[i])


def _better_blurred(
    best: _Sum,
    both: _Both,
    alone: NDArray[np.float64],
    table: tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]],
    limits: _Limits,
) -> _Sum:
    """The sum of two templates at varying lags, if it leaves less than the best so far."""
    near, far = both.lags(BLUR_REACH)
    left, *amplitudes = blurred_sum(
        energy=float(both.energy),
        first_scores=both.first_scores[near],
        second_scores=both.second_scores[far],
        first_overlaps=_at_lags(_overlap(both.first, both.first, *table), len(near)),
        second_overlaps=_at_lags(_overlap(both.second, both.second, *table), len(far)),
        cross=_crossed(alone, near, far),
    )
    within = min(amplitudes) >= BLURRED_AMPLITUDE_MIN and max(amplitudes) <= limits.amplitude_max
    if not (within and left < best[0]):
        return best
    center = len(both.first_scores) // 2
    return left, both.first, both.second, both.first_lag - center, both.second_lag - both.first_lag


def _around(lag: int, n_lags: int, reach: int) -> NDArray[np.int64]:
    return np.arange(max(0, lag - reach), min(n_lags, lag + reach + 1))


def _crossed(alone: NDArray[np.float64], near: NDArray[np.int64], far: NDArray[np.int64]) -> NDArray[np.float64]:
    """Overlap of two templates at every pair of delays, from that at every lag; none beyond the template's length."""
    lags = far[None, :] - near[:, None] + len(alone) // 2
    inside = (lags >= 0) & (lags < len(alone))
    return np.asarray(np.where(inside, alone[np.where(inside, lags, 0)], 0.0))


def _overlap(
    unit: int,
    other: int,
    pair_starts: NDArray[np.int64],
    pair_units: NDArray[np.int32],
    overlaps: NDArray[np.float32],
) -> NDArray[np.float64]:
    """Overlap of two templates at every lag; zero if they share no channel."""
    row = np.flatnonzero(pair_units[pair_starts[unit] : pair_starts[unit + 1]] == other)
    if not row.size:
        return np.zeros(overlaps.shape[1])
    return np.asarray(overlaps[pair_starts[unit] + row[0]], np.float64)


def _at_lags(overlap: NDArray[np.float64], n_delays: int) -> NDArray[np.float64]:
    """The overlap at every lag between two sets of delays."""
    return np.asarray(_crossed(overlap, np.zeros(1, np.int64), np.arange(1 - n_delays, n_delays))[0])


def _seen_at(
    unit: int,
    shift: int,
    row_of: NDArray[np.int64],
    n_rows: int,
    pair_starts: NDArray[np.int64],
    pair_units: NDArray[np.int32],
    pair_overlaps: NDArray[np.float32],
    middle: int,
) -> NDArray[np.float64]:
    """Scores (row, lag) that a spike of ``unit``, ``shift`` samples later, gives the templates in the rows."""
    own = slice(int(pair_starts[unit]), int(pair_starts[unit + 1]))
    rows = row_of[pair_units[own]]
    n_lags = pair_overlaps.shape[2]
    seen = np.zeros((n_rows, n_lags))
    to, source = slice(max(0, shift), n_lags + min(0, shift)), slice(max(0, -shift), n_lags - max(0, shift))
    kept = rows >= 0
    seen[rows[kept], to] = pair_overlaps[own, middle][kept][:, source]
    return seen


def _rests(
    energy: float,
    first_score: float | NDArray[np.float64],
    first_energy: float,
    scores: NDArray[np.float64],
    energies: float | NDArray[np.float64],
    cross: NDArray[np.float64],
    *,
    amplitude_min: float,
    amplitude_max: float,
) -> NDArray[np.float64]:
    """Energy that the best sum of the first template and another one leaves; infinite beyond the amplitudes' limits."""
    determinant = np.maximum(first_energy * energies - cross**2, 1e-9 * first_energy * energies)
    first = (energies * first_score - cross * scores) / determinant
    second = (first_energy * scores - cross * first_score) / determinant
    inside = (np.minimum(first, second) >= amplitude_min) & (np.maximum(first, second) <= amplitude_max)
    rests: NDArray[np.float64] = np.where(inside, energy - first * first_score - second * scores, np.inf)
    return rests
