"""Echoes during silence are found; neurons that always fire together are left alone."""

from __future__ import annotations

import numpy as np
import pytest

from xephys.kernels.match.echoes import find_echoes

REACH = 15


def reference(samples, units, gains, silent, *, n_units, deviation_min=3.0):
    """The definition, pair by pair of spikes and of units."""
    near = np.abs(samples[:, None] - samples) <= REACH
    larger = near & (units[:, None] != units) & (gains[:, None] < gains)
    echo = np.zeros(len(samples), bool)
    for small in range(n_units):
        for large in range(n_units):
            pairs = larger & (units[:, None] == small) & (units == large)
            live, quiet = (int(pairs[silent == kind].sum()) for kind in (False, True))
            n_live, n_quiet = (int(((units == large) & (silent == kind)).sum()) for kind in (False, True))
            expected = n_quiet * (live + 1) / (n_live + 1)
            if quiet > expected + deviation_min * np.sqrt(expected):
                echo |= silent & pairs.any(axis=1)
    return echo


def trains(seed, *, together_in=("silent",), n=400):
    """Two random units, the second smaller; a third of its spikes follow the first, in silence only or always."""
    rng = np.random.default_rng(seed)
    first = np.sort(rng.choice(3_000_000, n, replace=False))
    silent_there = first // 100_000 % 2 == 0
    beside = first[(silent_there & ("silent" in together_in)) | (~silent_there & ("live" in together_in))][::3]
    second = np.concatenate([beside + rng.integers(-9, 10, beside.size), rng.choice(3_000_000, n, replace=False)])
    samples = np.concatenate([first, second])
    units = np.repeat([0, 1], [first.size, second.size])
    gains = np.where(units == 0, 400.0, 40.0) * rng.uniform(0.9, 1.1, samples.size)
    order = np.argsort(samples, kind="stable")
    samples = samples[order].astype(np.int64)
    return samples, units[order].astype(np.int64), gains[order], samples // 100_000 % 2 == 0, beside.size


def found(samples, units, gains, silent, **more):
    return find_echoes(samples, units, gains, silent=silent, n_units=2, reach_samples=REACH, **more)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("together_in", [("silent",), ("silent", "live"), ("live",), ()])
def test_result_equals_the_definition(seed, together_in):
    *given, n_beside = trains(seed, together_in=together_in)
    echo = found(*given)
    np.testing.assert_array_equal(echo, reference(*given, n_units=2))
    assert not echo[given[1] == 0].any()
    if together_in == ("silent",):
        assert n_beside <= echo.sum() <= n_beside + 4
    else:
        assert not echo.any()


def test_without_a_contrast_of_silence_nothing_is_an_echo():
    samples, units, gains, silent, _ = trains(0)
    for kind in (True, False):
        assert not found(samples, units, gains, np.full_like(silent, kind)).any()
    assert found(samples[:0], units[:0], gains[:0], silent[:0]).shape == (0,)
