"""Templates: means of slices, sparse in channels, from a seeded choice of spikes."""

from __future__ import annotations

import numpy as np
import pytest

import xephys
from xephys import ParameterError, RecordingError
from xephys.schema import make_recording
from xephys.templates.average import choose_spikes, dense_templates, usual_channels
from xephys.testing import simulate_recording

from ..support.spiking import RATE, case


def estimated(**parameters):
    return xephys.estimate_templates(
        case().filtered, case().spikes, peak_channels=case().truth.peak_channels, **parameters
    )


def test_templates_are_means_of_slices():
    templates = estimated(n_spikes_max=10**6, n_nearest=8)
    traces, spikes = case().filtered.values.astype("f8"), case().spikes
    before, length = templates.attrs["nbefore"], templates.sizes["sample"]
    assert (before, length) == (21, 60)
    for unit in range(5):
        firsts = spikes["sample_index"][spikes["unit_index"] == unit] - before
        firsts = firsts[(firsts >= 0) & (firsts + length <= len(traces))]
        mean = np.mean([traces[a : a + length] for a in firsts], axis=0)
        channels = templates["channel_index"].values[unit]
        np.testing.assert_allclose(
            templates["waveform"].values[unit], mean[:, channels], atol=0.02 * np.abs(mean).max()
        )
        assert int(templates["num_averaged"][unit]) in (len(firsts), len(firsts) + 1, len(firsts) + 2)


def test_templates_are_close_to_the_true_ones():
    """The true templates are unfiltered, but the band-pass changes a spike only a little."""
    dense = dense_templates(estimated(n_nearest=24)).values
    truth = case().truth
    shift = truth.nbefore - 21
    for unit in range(5):
        true = truth.templates[unit, shift : shift + 60]
        cosine = (dense[unit] * true).sum() / np.linalg.norm(dense[unit]) / np.linalg.norm(true)
        assert cosine > 0.93


def test_channels_are_the_nearest_first():
    templates = estimated(n_nearest=5)
    positions = np.stack([case().filtered.x, case().filtered.y], axis=1)
    for unit, channels in enumerate(templates["channel_index"].values):
        peak = case().truth.peak_channels[unit]
        assert channels[0] == peak
        distance = np.linalg.norm(positions - positions[peak], axis=1)
        assert distance[channels].tolist() == sorted(distance)[:5]


def test_a_choice_of_spikes_is_seeded_and_limited():
    few = estimated(n_spikes_max=7, seed=1)
    assert few["num_averaged"].values.max() <= 7
    assert few.identical(estimated(n_spikes_max=7, seed=1))
    assert not few["waveform"].equals(estimated(n_spikes_max=7, seed=2)["waveform"])


def test_spikes_are_chosen_at_random_up_to_the_limit():
    units = np.array([0, 1, -1, 0, 2, 0, 1, 0])
    chosen = choose_spikes(units, n_units=2, n_spikes_max=2, seed=0)
    assert np.array_equal(chosen, np.unique(chosen))
    assert np.bincount(units[chosen]).tolist() == [2, 2]
    assert choose_spikes(units[:0], n_units=2, n_spikes_max=2, seed=0).size == 0
    with pytest.raises(ParameterError, match="n_spikes_max is 0; it must be at least 1"):
        choose_spikes(units, n_units=2, n_spikes_max=0, seed=0)


def test_a_unit_without_spikes_has_a_flat_template():
    templates = xephys.estimate_templates(case().filtered, case().spikes, peak_channels=np.array([0] * 6))
    assert int(templates["num_averaged"][5]) == 0
    assert not templates["waveform"].values[5].any()


def test_a_recording_without_positions_is_refused():
    bare = make_recording(case().filtered.values[:3000], sampling_frequency=RATE)
    with pytest.raises(RecordingError, match="a template needs the positions"):
        xephys.estimate_templates(bare, case().spikes[:0], peak_channels=np.array([0]))


def test_bad_channels_are_left_out():
    """After a common reference, a dead channel carries the shared signal and would be the peak of many units."""
    marked = np.zeros(case().filtered.sizes["channel"], bool)
    marked[case().truth.peak_channels[0]] = True
    templates = xephys.estimate_templates(
        case().filtered.assign_coords(bad=("channel", marked)), case().spikes, peak_channels=case().truth.peak_channels
    )
    assert not np.isin(templates["channel_index"].values, np.flatnonzero(marked)).any()
    assert not dense_templates(templates).values[:, :, marked].any()


@pytest.mark.parametrize(("start_s", "stop_s"), [(1.5, 1.9), (0.5, 2.5), (1.0, 2.2)])
@pytest.mark.parametrize("only_inside", [False, True])
def test_a_part_averages_all_spikes_inside_and_no_others(start_s, stop_s, only_inside):
    """A tile lasts a second, and the part begins or ends inside one."""
    recording, truth = simulate_recording(duration_s=4, n_channels=8, n_units=2, seed=0)
    spikes = truth.spikes
    inside = spikes[(spikes["sample_index"] >= start_s * RATE) & (spikes["sample_index"] < stop_s * RATE)]
    parameters = {"peak_channels": truth.peak_channels, "n_spikes_max": 10**6}
    expected = xephys.estimate_templates(recording, inside, **parameters)
    part = xephys.estimate_templates(
        xephys.time_slice(recording, start_s, stop_s), inside if only_inside else spikes, **parameters
    )
    assert part["num_averaged"].values.tolist() == np.bincount(inside["unit_index"], minlength=2).tolist()
    np.testing.assert_array_equal(part["waveform"].values, expected["waveform"].values)


def test_spikes_outside_a_part_are_not_among_the_chosen():
    recording, truth = simulate_recording(duration_s=4, n_channels=8, n_units=2, seed=0)
    inside = (truth.spikes["sample_index"] >= 0.5 * RATE) & (truth.spikes["sample_index"] < 2.5 * RATE)
    counts = np.bincount(truth.spikes["unit_index"][inside], minlength=2)
    templates = xephys.estimate_templates(
        xephys.time_slice(recording, 0.5, 2.5), truth.spikes, peak_channels=truth.peak_channels, n_spikes_max=3
    )
    assert templates["num_averaged"].values.tolist() == np.minimum(counts, 3).tolist()


def test_peak_channels_are_found():
    """The channel of most peaks, if spikes have one; otherwise that of the mean of some spikes."""
    filtered, spikes, truth = case().filtered, case().spikes, case().truth
    given = xephys.estimate_templates(filtered, spikes, peak_channels=truth.peak_channels)
    plain = {name: spikes[name] for name in ("sample_index", "unit_index")}

    def same(other):  # except for the recorded call
        return given.drop_attrs(deep=False).identical(other.drop_attrs(deep=False))

    assert same(xephys.estimate_templates(filtered, plain))
    with_channels = {**plain, "channel_index": truth.peak_channels[spikes["unit_index"]]}
    assert same(xephys.estimate_templates(filtered, with_channels))
    unnamed = {"sample_index": spikes["sample_index"]}
    assert same(xephys.estimate_templates(filtered, unnamed, labels=spikes["unit_index"]))


def test_lazy_spikes_are_refused_with_the_remedy():
    noise = xephys.estimate_noise_levels(case().filtered)
    with pytest.raises(ParameterError, match=r"call \.compute\(\)"):
        xephys.estimate_templates(case().filtered, xephys.detect_peaks(case().filtered, noise_levels=noise))


def test_units_without_spikes_get_channel_0():
    none = np.zeros(0, np.int64)
    assert usual_channels(none, none, n_units=2).tolist() == [0, 0]
