"""Spikes near other spikes: coincidences of two trains beyond chance, and spikes that are counted twice."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Train = NDArray[np.int64]
SAME_UNIT_MS, ACROSS_MS, ACROSS_UM = 0.3, 0.2, 30.0
#: Shifts of a train that give the number of coincidences expected by chance.
CHANCE_SHIFTS_MS = (-200.0, -100.0, 100.0, 200.0)


def near(a: Train, b: Train, reach: float) -> NDArray[np.bool_]:
    """Which samples of ``a`` have a sample of the sorted ``b`` within ``reach`` samples."""
    if len(b) == 0:
        return np.zeros(len(a), bool)
    right = np.searchsorted(b, a)
    before, after = b[np.maximum(right - 1, 0)], b[np.minimum(right, len(b) - 1)]
    return np.asarray(np.minimum(np.abs(a - before), np.abs(after - a)) <= reach)


def share_beyond_chance(a: Train, b: Train, reach: float, rate_hz: float) -> float:
    """Share of ``a`` that coincides with ``b``, corrected for the coincidences after shifts of 100 and 200 ms."""
    if len(a) == 0 or len(b) == 0:
        return 0.0
    shifts = [round(ms * rate_hz / 1000) for ms in CHANCE_SHIFTS_MS]
    chance = float(np.mean([near(a + shift, b, reach).mean() for shift in shifts]))
    return (float(near(a, b, reach).mean()) - chance) / max(1.0 - chance, 1e-9)


def doubles_of_one_unit(trains: Mapping[Any, Train], rate_hz: float) -> int:
    """Spikes that follow another spike of their own unit within 0.3 ms."""
    return sum(int((np.diff(t) <= SAME_UNIT_MS * rate_hz / 1000).sum()) for t in trains.values())


def doubles_across_units(
    trains: Mapping[Any, Train], places: Mapping[Any, NDArray[np.float64]], *, rate_hz: float, duration_s: float
) -> tuple[int, float]:
    """Spikes within 0.2 ms of a spike of another unit in the same place (peak channels at most 30 µm apart).

    Returns
    -------
    observed
        Number of spikes; each pair of units is counted once, from the first to the second.
    expected
        The number that independent trains with these rates would give.
    """
    reach = ACROSS_MS * rate_hz / 1000
    window_s = (2 * np.floor(reach) + 1) / rate_hz
    observed, expected = 0, 0.0
    for u, v in pairs_of_one_place(trains, places):
        observed += int(near(trains[u], trains[v], reach).sum())
        expected += len(trains[u]) * len(trains[v]) * window_s / duration_s
    return observed, float(expected)


def untrue_doubles(
    trains: Mapping[Any, Train],
    places: Mapping[Any, NDArray[np.float64]],
    true_trains: Mapping[Any, Train],
    *,
    rate_hz: float,
    agree_ms: float,
) -> int:
    """Spikes that were counted twice although only one neuron fired.

    Parameters
    ----------
    true_trains
        For each matched unit, the spikes of the true unit that it was matched with. If both units of a pair have such
        spikes, and both true units fired within ``agree_ms``, the two spikes are right.
    """
    reach, agree, untrue = ACROSS_MS * rate_hz / 1000, agree_ms * rate_hz / 1000, 0
    for u, v in pairs_of_one_place(trains, places):
        double = trains[u][near(trains[u], trains[v], reach)]
        if u in true_trains and v in true_trains:
            right = near(double, true_trains[u], agree) & near(double, true_trains[v], agree + reach)
            double = double[~right]
        untrue += len(double)
    return untrue


def pairs_of_one_place(
    trains: Mapping[Any, Train], places: Mapping[Any, NDArray[np.float64]]
) -> Iterator[tuple[Any, Any]]:
    """Pairs of units whose peak channels are at most 30 µm apart; each pair once."""
    units = [u for u, t in trains.items() if len(t) and np.isfinite(places[u]).all()]
    for i, u in enumerate(units):
        yield from ((u, v) for v in units[i + 1 :] if np.linalg.norm(places[u] - places[v]) <= ACROSS_UM)
