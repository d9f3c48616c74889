"""The recipe of the detection network labels the candidates that are spikes, and those only."""

import numpy as np
import pytest

from benchmarks.network.recipe import Library, Spikes, add_spikes, library, windows_of

RATE, REACH = 20_000.0, 24


@pytest.fixture(scope="module")
def shapes():
    return library(RATE, "gaussian", np.random.default_rng(0), n_shapes=12)


def test_filtered_waveforms_have_their_extremum_where_it_is_said(shapes):
    assert isinstance(shapes, Library)
    np.testing.assert_allclose(shapes.waveforms[:, shapes.nbefore], -1, atol=1e-6)
    assert (np.abs(shapes.waveforms) <= 1 + 1e-6).all()


def test_candidates_are_labelled_by_their_spikes(shapes):
    rng = np.random.default_rng(1)
    traces = rng.standard_normal((8000, 2)).astype(np.float32)
    time = np.arange(200.0, 7800.0, 97.3)
    spikes = Spikes(time, np.arange(len(time)) % 2, np.where(np.arange(len(time)) % 4 < 2, 12.0, 2.0))
    add_spikes(traces, spikes, shapes, rng.integers(12, size=len(time)))
    windows, label, offset = windows_of(traces, spikes, RATE, nbefore=REACH, nafter=REACH + 8)
    large = (spikes.size > 3).sum()
    assert abs((label == 1).sum() / large - 1) < 0.05
    assert (label == -1).sum() <= (spikes.size < 3).sum()
    # Windows of spikes are troughs in the middle, and the offset is between samples or a sample away.
    assert (windows[label == 1][:, REACH] < -6).mean() > 0.9
    assert np.median(np.abs(offset[label == 1])) < 1
    assert (windows[:, REACH] < 0).all()
