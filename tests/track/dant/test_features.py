"""Places, correlograms and intervals of units."""

import numpy as np
import pytest

from xephys.errors import ParameterError
from xephys.track.dant import computeAutoCorr, spikeLocation
from xephys.track.dant.features import autocorrelogram, centered, interval_histogram, nearest_channels

CONTACTS = np.column_stack([np.tile([0.0, 32.0], 12), np.repeat(20.0 * np.arange(12), 2)])


def test_a_source_is_found_alone_and_among_others():
    places = np.array([[10.0, 90.0, 20.0], [20.0, 135.0, 15.0]])
    sizes = 1000 / np.sqrt(((CONTACTS[None] - places[:, None, :2]) ** 2).sum(axis=2) + places[:, None, 2] ** 2)
    waveforms = sizes[:, :, None] * np.array([0.0, -1.0, 0.0])
    found = np.column_stack(spikeLocation(waveforms, CONTACTS))
    np.testing.assert_allclose(found[:, :3], places, atol=1.0)
    assert found[0].tolist() == list(spikeLocation(waveforms[0], CONTACTS))
    x, y, z, amplitude = spikeLocation(waveforms[0], CONTACTS, 8, "center_of_mass")
    assert 0 < x < 32 and abs(y - 90) < 10 and z == 0 and amplitude == sizes[0].max()


@pytest.mark.parametrize(
    ("given", "message"),
    [({"algorithm": "magic"}, "center_of_mass"), ({"n_nearest_channels": 0}, "n_nearest"), ({}, "go together")],
)
def test_bad_input(given, message):
    with pytest.raises(ParameterError, match=message):
        spikeLocation(np.zeros((24 if given else 23, 5)), CONTACTS, **given)


def test_a_shank_with_few_channels_is_padded():
    near = nearest_channels(CONTACTS[:5], 4, np.array([1, 1, 1, 2, 2]))
    assert sorted(near[3].tolist()) == [-1, -1, 3, 4] and (near[0] >= 0).sum() == 3
    assert nearest_channels(CONTACTS[:5], 38).shape == (5, 5)


def test_correlograms_are_symmetric_and_empty_ones_are_zero():
    times = np.sort(np.random.default_rng(0).uniform(0, 5000, 400))
    options = {"window": 50, "binwidth": 1, "gaussian_sigma": 2}
    whole = autocorrelogram(times, **options)
    assert whole.max() == 1 and len(whole) == 101 and (whole == whole[::-1]).all()
    counts, _ = computeAutoCorr(times, 50, 1)
    assert whole[51:].argmax() in np.argsort(counts[51:])[-25:]
    assert not autocorrelogram(times[:0], **options).any() and not autocorrelogram(times[:1], **options).any()
    assert interval_histogram(times, **options).sum() == pytest.approx(1)
    assert not interval_histogram(times[:1], **options).any()


def test_troughs_are_moved_to_the_middle():
    waveforms = np.zeros((2, 3, 9))
    waveforms[0, 1, 2], waveforms[1, 2, 7], waveforms[1, 2, 8] = -5.0, -4.0, 1.0
    found = centered(waveforms)
    assert found[0, 1].argmin() == found[1, 2].argmin() == 4
    assert found[1, 2, 5:].tolist() == [1.0] * 4
