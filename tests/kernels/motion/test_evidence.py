"""The likeness of peaks against a plain computation, for tissue that moves and for activity that does."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from xephys.kernels.motion import evidence
from xephys.kernels.motion.evidence import likeness
from xephys.motion.short import GAIN_MIN, LIKENESS_MIN


def plainly(depth, amplitude, displacement):
    """Every pair of displacements by itself, on one grid that is wide enough for all."""
    edges = np.arange(-200, 300, evidence.DEPTH_BIN_UM), np.arange(0.0, 9.0, evidence.LEVEL_BIN)
    level = np.rint((displacement - displacement.min()) / evidence.STEP_UM)

    def density(places, chosen):
        counts, *_ = np.histogram2d(places[chosen], np.log(amplitude[chosen]), edges)
        smooth = gaussian_filter(counts, evidence.SMOOTHING, mode="constant")
        return smooth / smooth.sum()

    total, found = 0.0, np.zeros(2)
    for one in np.unique(level):
        for other in np.unique(level):
            here, there = level == one, level == other
            far = abs(displacement[here].mean() - displacement[there].mean()) > evidence.STEP_UM
            if not far or min(here.sum(), there.sum()) < evidence.N_PEAKS_MIN:
                continue
            rest = depth - displacement
            alike = np.sqrt(density(rest, here) * density(rest, there)).sum()
            as_seen = np.sqrt(density(depth, here) * density(depth, there)).sum()
            weight = here.sum() * there.sum()
            total, found = total + weight, found + weight * np.array([as_seen, alike])
    return found / total


def neurons(seed, n_peaks=4000):
    rng = np.random.default_rng(seed)
    of_neuron = rng.integers(0, 3, n_peaks)
    depth = np.array([0.0, 22.0, 48.0])[of_neuron] + rng.normal(0, 2.5, n_peaks)
    return rng, of_neuron, depth, np.array([60.0, 150.0, 95.0])[of_neuron] * rng.lognormal(0, 0.08, n_peaks)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_it_is_the_plain_one(seed):
    rng, _, depth, amplitude = neurons(seed)
    moved = rng.choice([0.0, 5.0, 12.0, 19.0], len(depth))
    given = depth + moved, amplitude, moved
    # The grids begin elsewhere, so that peaks near an edge are counted in the neighboring bin.
    assert likeness(*given) == pytest.approx(tuple(plainly(*given)), abs=0.02)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_tissue_that_moves_gains_and_activity_that_moves_does_not(seed):
    _, of_neuron, depth, amplitude = neurons(seed)
    late = np.arange(len(depth)) >= len(depth) // 2
    moved = np.where(late, 20.0, 0.0)
    seen, registered = likeness(depth + moved, amplitude, moved)
    assert registered > LIKENESS_MIN and registered - seen > 0.2
    fires = np.where(late, of_neuron == 1, of_neuron == 0)
    seen, registered = likeness(depth[fires], amplitude[fires], np.where(late, 22.0, 0.0)[fires])
    assert registered < LIKENESS_MIN and registered - seen < GAIN_MIN


def test_nothing_is_alike_where_nothing_can_be_compared():
    assert likeness(*np.zeros((3, 0))) == (0.0, 0.0)
    assert likeness(np.arange(100.0), np.ones(100), np.zeros(100)) == (0.0, 0.0)
    few = np.r_[np.zeros(100), np.full(evidence.N_PEAKS_MIN - 1, 10.0)]
    assert likeness(few, np.ones(len(few)), few) == (0.0, 0.0)
