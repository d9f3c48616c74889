"""A sort reuses what another one learned: same spikes on the same recording, same units on others."""

from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr

import xephys
from xephys import ParameterError, RecordingError, XephysWarning
from xephys.graph.build import count_tasks
from xephys.schema import make_recording
from xephys.sorter.steps.learned import read_learned
from xephys.sorter.steps.prepare import N_SLICES
from xephys.testing import forbid_compute, simulate_recording

from ...support.sortings import assert_identical

RATE = 30_000


def with_attributes(sorting, **attributes):
    changed = sorting.copy()
    changed.attrs = {**sorting.attrs, **attributes}
    return changed


def without_log(sorting):
    return with_attributes(sorting, log="")


def assert_same_spikes(found, expected):
    """The same spikes, units and templates for matching, to the bit; waveforms nearly.

    A sort averages the waveforms of the spikes from which it made its templates; a sort with learned templates averages
    those of the spikes that it found, which are nearly the same.
    """
    for name in ("sample_index", "unit_index", "scale", "x", "y"):
        assert found["spikes"][name].values.tobytes() == expected["spikes"][name].values.tobytes(), name
    for name in ("unit_id", "num_spikes", "contamination", "label", "channel_index"):
        np.testing.assert_array_equal(found["units"][name].values, expected["units"][name].values, err_msg=name)
    for path in ("channels", "whitening", "components", "templates"):
        assert found[f"learned/{path}"].to_dataset().identical(expected[f"learned/{path}"].to_dataset()), path
    np.testing.assert_allclose(found["units"]["amplitude"], expected["units"]["amplitude"], rtol=0.02)
    ours, theirs = found["templates"]["templates"].values, expected["templates"]["templates"].values
    np.testing.assert_allclose(ours, theirs, atol=0.05 * np.abs(theirs).max())


def test_templates_store_their_unexplained_share(expected):
    share = expected["learned/templates"]["unexplained"]
    assert share.dims == ("unit",) and (share > 0).all() and (share < 0.1).all()


def test_the_same_recording_gives_the_same_spikes(opened, expected):
    assert_same_spikes(xephys.sort(opened(2.0), learned=expected), expected)


def test_another_rate_within_the_tolerance_keeps_the_samples_of_a_waveform():
    """0.9 ms are 22 samples at one rate and 23 at the other."""
    simulated, _ = simulate_recording(duration_s=10, n_channels=16, n_units=3, seed=0)
    coordinates = {name: simulated[name].values for name in ("x", "y", "gain_to_uv", "offset_to_uv")}
    first, later = (
        make_recording(simulated.values, sampling_frequency=rate, coordinates=coordinates)
        for rate in (24_999.5, 25_000.5)
    )
    earlier = xephys.sort(first)
    found = xephys.sort(later, learned=earlier, n_spikes_min=1000)  # units with fewer spikes keep learned waveforms
    assert earlier["units"].sizes["unit"] == 3
    assert found["templates/templates"].attrs["nbefore"] == earlier["templates/templates"].attrs["nbefore"]
    np.testing.assert_array_equal(found["templates/templates"], earlier["templates/templates"])


def test_learned_units_are_read_from_disk_and_runs_repeated(opened, expected, tmp_path):
    xephys.save_sorting(expected, tmp_path / "sorting.zarr")
    stored = xephys.open_sorting(tmp_path / "sorting.zarr")
    once = xephys.sort(opened(0.7001), learned=stored)
    twice = xephys.sort(opened(2.0), learned=once)
    assert_identical(without_log(twice), without_log(once))
    assert_same_spikes(once, expected)
    assert json.loads(twice.attrs["log"])[0]["fingerprint"] == expected.attrs["fingerprint"]


def test_only_matching_runs(opened, expected, tmp_path):
    xephys.sort(opened(2.0), learned=expected, folder=tmp_path)
    kinds = {path.name.rsplit("-", 1)[0] for path in tmp_path.iterdir()}
    assert kinds == {"find_constant_channels", "localize_center_of_mass", "share_of_silence", "sum_waveforms"}


def test_learned_on_a_part_and_matched_everywhere(simulated, opened, expected):
    """Learned from the first eight seconds: the later spikes are assigned to the same units."""
    recording = opened(2.0)
    part = xephys.sort(xephys.time_slice(recording, 0.0, 8.0))
    whole = xephys.sort(recording, learned=part)
    assert whole["units"].sizes["unit"] == part["units"].sizes["unit"]
    found = xephys.compare(whole, simulated[1]).summary
    assert found["num_well_detected"] >= xephys.compare(expected, simulated[1]).summary["num_well_detected"] - 1
    late = whole["spikes"].dataset
    late = late.isel(spike=late["sample_index"].values > 8 * RATE)
    assert set(late["unit_index"].values) == set(range(part["units"].sizes["unit"]))


@pytest.fixture(scope="module")
def two_units():
    recording, _ = simulate_recording(duration_s=15, n_channels=16, n_units=2, seed=2, amplitude_range_uv=(80.0, 150.0))
    return recording, xephys.sort(recording)


def test_units_without_spikes_are_kept(two_units):
    """On noise of the same level every unit is listed, with its waveform and place, and without spikes."""
    recording, earlier = two_units
    noise = np.random.default_rng(0).normal(0, 5 / 0.195, (5 * RATE, 16)).astype("i2")
    quiet = xephys.make_recording(
        noise,
        sampling_frequency=RATE,
        coordinates={name: recording[name].values for name in ("x", "y", "gain_to_uv", "offset_to_uv")},
    )
    found = xephys.sort(quiet, learned=earlier)
    units, before = found["units"].dataset, earlier["units"].dataset
    assert units["num_spikes"].values.tolist() == [0, 0]
    assert found["spikes"].sizes["spike"] == 0
    for name in ("unit_id", "channel_index", "x", "y"):
        assert units[name].values.tolist() == before[name].values.tolist()
    assert found["templates"]["templates"].values.tobytes() == earlier["templates"]["templates"].values.tobytes()
    assert not (units["label"] == "good").any()
    assert np.isnan(units["contamination"].values).all()


def test_late_parameters_can_be_changed(two_units):
    recording, earlier = two_units
    found = xephys.sort(recording, learned=earlier, match_threshold=40.0)
    assert found["spikes"].sizes["spike"] < earlier["spikes"].sizes["spike"]
    assert json.loads(found.attrs["parameters"])["match_threshold"] == 40.0
    assert_same_spikes(xephys.sort(recording, learned=earlier, freq_min_hz=300), earlier)  # the same value


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"freq_min_hz": 500}, r"freq_min_hz is 500\.0 and the earlier sorting learned with 300\.0; leave it out"),
        ({"detect_threshold": 6}, r"detect_threshold is 6\.0 .* With it, these can be changed: match_threshold"),
        ({"match_treshold": 6}, r"no parameter 'match_treshold'; .*did you mean 'match_threshold'\?"),
        ({"match_threshold": -1}, "match_threshold is -1: Input should be greater than 0"),
        ({"preset": "other"}, "preset is 'other' and the earlier sorting is of preset 'default'; leave preset out"),
    ],
)
def test_other_parameters_are_refused(two_units, given, message):
    with pytest.raises(ParameterError, match=message):
        xephys.sort(two_units[0], learned=two_units[1], **given)


def moved(recording):
    return recording.assign_coords(x=("channel", recording.x.values + 40.0))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r: r.isel(channel=slice(0, 12)), "has 12 channels and the templates were learned on 16.*another probe"),
        (
            lambda r: r.drop_vars("time").assign_attrs(sampling_frequency=25e3),
            "25000 samples a second and .* learned at 30000; resample",
        ),
        (lambda r: r.isel(channel=slice(None, None, -1)), r"channels in another order \(0 first; here it is 15\)"),
        (moved, r"channel 0 is at \(.*\) um but was at .*more than 1 um away: another probe"),
        (
            lambda r: r.drop_vars("gain_to_uv"),
            "recording is in counts and the earlier sorting learned in uV; give both",
        ),
    ],
)
def test_recordings_that_do_not_fit_are_refused(two_units, change, message):
    with pytest.raises(RecordingError, match=message):
        xephys.sort(change(two_units[0]), learned=two_units[1])


def test_sortings_without_learned_units_are_refused(two_units):
    recording, earlier = two_units
    bare = xephys.sorting.build_sorting(
        recording, spikes={"sample_index": [], "unit_index": []}, units={"label": []}, preset="default"
    )
    with pytest.raises(ParameterError, match="no node learned/channels: it found no units"):
        xephys.sort(recording, learned=bare)
    with pytest.raises(TypeError, match="open it first: open_sorting"):
        xephys.sort(recording, learned="earlier")
    imported = with_attributes(earlier, preset="truth of a simulation")
    with pytest.raises(ParameterError, match="what preset 'truth of a simulation' learned cannot be reused"):
        xephys.sort(recording, learned=imported)
    fewer = earlier.copy()
    fewer["units"] = earlier["units"].dataset.isel(unit=slice(0, 1))
    fewer["spikes"] = earlier["spikes"].dataset.isel(spike=earlier["spikes"]["unit_index"].values == 0)
    with pytest.raises(ParameterError, match="the spikes belong to other units, or in another order, than the 1 of"):
        xephys.sort(recording, learned=fewer)


def test_a_channel_that_died_since_is_left_out(two_units):
    """A warning names it, and units on the other channels are found as before."""
    recording, earlier = two_units
    peaks = earlier["units"]["channel_index"].values
    far = int(np.abs(recording.y.values[:, None] - recording.y.values[peaks]).min(axis=1).argmax())
    dead = recording.values.copy()
    dead[:, far] = 0
    with pytest.warns(XephysWarning, match=f"1 constant channel was left out: {recording.channel.values[far]}"):
        found = xephys.sort(recording.copy(data=dead), learned=earlier)
    same = xephys.compare(found, earlier).summary
    assert same["accuracy"] > 0.98


def test_a_channel_marked_bad_since_contributes_nothing(two_units):
    learned = read_learned(two_units[1])
    bad = np.zeros(16, bool)
    bad[5] = True
    whitening, templates = learned.whitening_without(bad), learned.templates_without(bad)
    assert not whitening["weight"].values[5].any()
    assert not whitening["weight"].values[learned.whitening["neighbor"].values == 5].any()
    assert (whitening["weight"].values[0] != 0).any()
    assert 5 not in templates["channel_index"].values
    assert (
        not templates["waveform"].values[learned.templates["channel_index"].values[:, None, :].repeat(66, 1) == 5].any()
    )
    assert learned.whitening_without(~learned.channels["bad"].values & False) is learned.whitening


def test_the_white_traces_of_a_sort_are_those_it_matched(two_units):
    recording, earlier = two_units
    templates = earlier["learned/templates"].to_dataset()
    with forbid_compute():
        white = xephys.whiten_like(recording, learned=earlier)
    assert white.attrs["units"] == "noise"
    assert count_tasks(white.data) <= len(white.chunks[0]) + 1
    excerpts = xephys.sample_traces(white, n_slices=N_SLICES)
    levels = xephys.estimate_noise_levels(white, excerpts=excerpts).values
    assert levels.tobytes() == earlier["learned/channels"]["white_noise_level"].values.tobytes()
    left = xephys.match_residual(white, templates=templates, noise_gain=templates.attrs["noise_gain"])
    at = int(earlier["spikes"]["sample_index"].values[5])
    around = slice(at - 20, at + 20)
    assert np.abs(left.isel(time=around).values).max() < np.abs(white.isel(time=around).values).max()


def test_excerpts_are_learned_from_and_the_whole_is_matched(tmp_path):
    recording, truth = simulate_recording(
        duration_s=60, n_channels=16, n_units=3, seed=4, amplitude_range_uv=(80.0, 150.0)
    )
    sorting = xephys.sort(recording, learn_s=20.0, folder=tmp_path)
    short = xephys.spread_slices(recording, total_s=20.0)
    assert_identical(sorting, xephys.sort(recording, learned=xephys.sort(short)))
    assert xephys.compare(sorting, truth).summary["num_well_detected"] == 3
    assert sorting.attrs["n_samples"] == 60 * RATE
    chunks = [path.parent.name for path in tmp_path.rglob("chunk_*.npy")]
    assert sorted(chunks.count(name) for name in set(chunks)) == [10] * 4 + [30]  # four passes over 20 s, one over all


def test_nothing_to_learn_from_is_not_an_error():
    noise = np.random.default_rng(0).normal(0, 10, (40 * RATE, 4)).astype("f4")
    recording = xephys.make_recording(
        noise, sampling_frequency=RATE, coordinates={"x": np.zeros(4), "y": 20.0 * np.arange(4)}
    )
    assert xephys.sort(recording, learn_s=10.0)["units"].sizes["unit"] == 0


def test_learn_s_and_learned_exclude_each_other(two_units):
    with pytest.raises(
        ParameterError, match="learn_s is 5 and an earlier sorting was given too; leave one of them out"
    ):
        xephys.sort(two_units[0], learned=two_units[1], learn_s=5.0)
    with pytest.raises(ParameterError, match=r"learn_s is -5\.0; it must be greater than 0"):
        xephys.sort(two_units[0], learn_s=-5.0)


def test_other_presets_are_refused_by_name(two_units):
    recording, earlier = two_units
    other = with_attributes(earlier, preset="kilosort4")
    for use in (xephys.whiten_like, xephys.sort):
        with pytest.raises(ParameterError, match="what preset 'kilosort4' learned cannot be reused; give a sorting of"):
            use(recording, learned=other)


def test_a_sorting_from_before_thresholds_were_balanced_is_accepted(two_units):
    recording, earlier = two_units
    templates = earlier["learned/templates"].to_dataset()
    older = earlier.copy()
    older["learned/templates"] = xr.DataTree(templates.drop_vars("relative_threshold"))
    sorting = xephys.sort(recording, learned=older)
    flat = templates.assign(relative_threshold=xr.ones_like(templates["relative_threshold"]))
    older["learned/templates"] = xr.DataTree(flat)
    assert_same_spikes(sorting, xephys.sort(recording, learned=older))
    assert sorting["spikes"].sizes["spike"] > 0


def test_a_sorting_with_the_former_spelling_of_neighbors_is_accepted(two_units, tmp_path):
    recording, earlier = two_units
    older = earlier.copy()
    whitening = earlier["learned/whitening"].to_dataset().rename(neighbor="neighbour")
    older["learned/whitening"] = xr.DataTree(whitening)
    xephys.save_sorting(older, tmp_path / "older.zarr")
    stored = xephys.open_sorting(tmp_path / "older.zarr")
    assert "neighbour" in stored["learned/whitening"]
    assert_same_spikes(xephys.sort(recording, learned=stored), xephys.sort(recording, learned=earlier))
    traces = [xephys.whiten_like(recording, learned=tree).isel(time=slice(0, 500)).values for tree in (stored, earlier)]
    np.testing.assert_array_equal(*traces)
