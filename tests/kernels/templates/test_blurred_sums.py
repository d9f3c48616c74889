"""Weights of delays are recovered and never negative; their residual is that of the best weights."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import nnls

from xephys.kernels.templates.blurred_sums import blurred_sum

N_SAMPLES, N_CHANNELS, REACH = 60, 5, 8


def moved(template, lag):
    out = np.zeros_like(template)
    out[max(lag, 0) : N_SAMPLES + min(lag, 0)] = template[max(-lag, 0) : N_SAMPLES - max(lag, 0)]
    return out


def spikes(seed):
    rng = np.random.default_rng(seed)
    time = np.arange(N_SAMPLES)[:, None] - 30
    for _ in range(2):
        width, place = rng.uniform(2, 5), rng.uniform(0, N_CHANNELS - 1)
        course = -np.exp(-0.5 * (time / width) ** 2) + 0.4 * np.exp(-0.5 * ((time - 9) / 5) ** 2)
        yield 10 * course * np.exp(-np.abs(np.arange(N_CHANNELS) - place) / 1.5)


def fitted(average, first, second):
    shifts = range(-REACH, REACH + 1)
    columns = [np.array([moved(part, lag).ravel() for lag in shifts]) for part in (first, second)]
    overlaps = [
        np.array([(part * moved(part, lag)).sum() for lag in range(-2 * REACH, 2 * REACH + 1)])
        for part in (first, second)
    ]
    found = blurred_sum(
        energy=float((average**2).sum()),
        first_scores=columns[0] @ average.ravel(),
        second_scores=columns[1] @ average.ravel(),
        first_overlaps=overlaps[0],
        second_overlaps=overlaps[1],
        cross=columns[0] @ columns[1].T,
    )
    return found, np.concatenate(columns).T


@pytest.mark.parametrize("seed", range(4))
def test_delays_of_both_parts_are_found(seed):
    first, second = spikes(seed)
    rng = np.random.default_rng(seed)
    average = np.mean([moved(first, a) + moved(second, b) for a, b in rng.integers(-REACH, REACH + 1, (40, 2))], axis=0)
    (rest, *amplitudes), _ = fitted(average, first, second)
    assert rest < 0.01 * (average**2).sum()
    assert amplitudes == pytest.approx([1, 1], abs=0.15)  # neighboring delays can replace each other


@pytest.mark.parametrize("seed", range(4))
def test_the_residual_of_any_template_is_that_of_the_best_weights(seed):
    first, second = spikes(seed)
    other, _ = spikes(seed + 100)
    (rest, *amplitudes), columns = fitted(other, first, second)
    _, left = nnls(columns, other.ravel())
    assert rest == pytest.approx(left**2, abs=0.02 * (other**2).sum())
    assert min(amplitudes) >= 0


def test_a_negative_part_has_no_weight():
    first, second = spikes(1)
    (rest, one, other), _ = fitted(-first, first, second)
    assert rest > 0.5 * (first**2).sum()
    assert one < 0.5 or other < 0.5


def test_nothing_is_explained_by_templates_of_no_energy():
    zero = np.zeros(3)
    found = blurred_sum(
        energy=2.0, first_scores=zero, second_scores=zero, first_overlaps=np.zeros(5), second_overlaps=np.zeros(5),
        cross=np.zeros((3, 3)),
    )  # fmt: skip
    assert found == (2.0, 0.0, 0.0)
