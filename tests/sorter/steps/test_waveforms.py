"""One pass for both kinds of means, white and filtered; merged units have one waveform."""

from __future__ import annotations

import numpy as np
import pytest

import xephys
from tests.support.spiking import case
from xephys.sorter.steps.passes import Run
from xephys.sorter.steps.tidy import Origin
from xephys.sorter.steps.waveforms import colored_means, mean_waveforms, nearest_slots, unit_means

WINDOW = {"ms_before": 0.9, "ms_after": 1.3, "seed": 0}


@pytest.fixture(scope="module")
def whitening():
    return xephys.estimate_whitening(case().filtered, n_nearest=8)


def means_of(tmp_path, *, n_nearest, traces=None):
    return mean_waveforms(
        case().filtered if traces is None else traces,
        case().spikes,
        Run(tmp_path),
        peak_channels=case().truth.peak_channels,
        **WINDOW,
        n_spikes_max=50,
        n_nearest=n_nearest,
    )


def test_whitening_may_be_undone_after_the_mean(tmp_path, whitening):
    white = xephys.whiten(case().filtered, whitening=whitening)
    ours = colored_means(means_of(tmp_path, n_nearest=24, traces=white), whitening, n_nearest=6)
    theirs = means_of(tmp_path, n_nearest=6)
    np.testing.assert_array_equal(ours["channel_index"], theirs["channel_index"])
    np.testing.assert_array_equal(ours["num_averaged"], theirs["num_averaged"])
    np.testing.assert_allclose(ours["waveform"], theirs["waveform"], atol=1e-3)
    assert ours.attrs == theirs.attrs


def test_a_filtered_waveform_needs_the_neighbors_of_its_channels(tmp_path, whitening):
    """This is why more channels are averaged than the waveforms have."""
    white = xephys.whiten(case().filtered, whitening=whitening)
    narrow = colored_means(means_of(tmp_path, n_nearest=6, traces=white), whitening, n_nearest=6)
    error = np.abs(narrow["waveform"].values - means_of(tmp_path, n_nearest=6)["waveform"].values).max()
    assert error > 0.1


def origin_of(target, shift, own, num_spikes):
    return Origin(np.array(target), np.array(shift), np.ones(len(target)), np.array(own), np.array(num_spikes))


def test_a_merged_unit_has_the_mean_of_its_templates(tmp_path):
    means = nearest_slots(means_of(tmp_path, n_nearest=24), 4)
    late = means["waveform"].values.copy()
    late[1] = 0
    late[1, 3:] = means["waveform"].values[0, :-3]  # the same unit, detected three samples too late
    slots = means["channel_index"].values.copy()
    slots[1] = slots[0]
    means = means.assign(waveform=(means["waveform"].dims, late), channel_index=(means["channel_index"].dims, slots))
    made = unit_means(means, origin_of([0, 0, 1, -1, 2], [0, 3, 0, 0, 0], [0, 2, 4], [40] * 5))
    assert made.sizes["unit"] == 3
    np.testing.assert_allclose(made["waveform"].values[0, :-3], means["waveform"].values[0, :-3], rtol=1e-5)
    np.testing.assert_array_equal(made["waveform"].values[1:], means["waveform"].values[[2, 4]])


def test_a_merged_unit_weighs_its_templates_by_all_their_spikes(tmp_path):
    """The weights are not the numbers of averaged spikes, which are limited to a thousand each."""
    means = nearest_slots(means_of(tmp_path, n_nearest=24), 4)
    slots = means["channel_index"].values.copy()
    slots[1] = slots[0]
    means = means.assign(channel_index=(means["channel_index"].dims, slots))
    made = unit_means(means, origin_of([0, 0, -1, -1, -1], [0] * 5, [0], [100_000, 1, 5, 5, 5]))
    np.testing.assert_allclose(made["waveform"].values[0], means["waveform"].values[0], atol=1e-2)


def test_no_units_give_no_waveforms(tmp_path):
    means = nearest_slots(means_of(tmp_path, n_nearest=24), 4)
    nothing = origin_of([-1] * 5, [0] * 5, np.empty(0, np.int64), [0] * 5)
    assert unit_means(means, nothing).sizes["unit"] == 0
