"""Recordings that cannot be sorted are refused in one clear sentence; unusual ones are sorted, with a warning."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import xephys
from tests.support.quiet import RATE, recording_of
from xephys import ParameterError, RecordingError, XephysWarning
from xephys.graph.excerpts import tile_plans
from xephys.recording.stages import recording_plan
from xephys.schema import make_recording
from xephys.testing import simulate_recording


@pytest.fixture
def strict():
    """Our warnings are errors here, so that nothing passes with one."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", XephysWarning)
        yield


def unread_tile(recording):
    """A second that the estimates do not read."""
    tiles = {plan.start // RATE for plan in tile_plans(recording_plan(recording), n_tiles=20, seed=0)}
    return min(set(range(1, 29)) - tiles)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_one_value_that_is_not_finite_is_refused_wherever_it_is(noise, value):
    traces = noise.copy()
    sample = unread_tile(recording_of(noise)) * RATE + RATE // 2
    traces[sample, 2] = value
    with pytest.raises(RecordingError, match=f"sample {sample} is NaN or infinite on 1 channels; repair the recording"):
        xephys.sort(recording_of(traces))


def test_a_nan_beside_real_units_is_refused():
    """The estimates do not read it, but the passes over the whole recording do."""
    recording, _ = simulate_recording(duration_s=30, n_channels=4, n_units=2, seed=0)
    traces = recording.values.astype("f4")
    sample = unread_tile(recording) * RATE + 77
    traces[sample] = np.nan
    broken = xephys.astype(recording, dtype="float32").copy(data=traces)
    with pytest.raises(RecordingError, match=f"sample {sample} is NaN or infinite on 4 channels"):
        xephys.sort(broken)


def test_spikes_outside_the_sampled_seconds_are_found(noise):
    """Components are learned from some seconds; if those are silent, the others are read before giving up."""
    traces = noise.copy()
    first = unread_tile(recording_of(noise)) * RATE
    shape = -150 * np.exp(-0.5 * ((np.arange(40) - 15) / 4) ** 2)[:, None] * np.array([0.3, 0.5, 1.0, 0.4])
    samples = first + 1000 + 300 * np.arange(90)
    for sample in samples:
        traces[sample - 15 : sample + 25] += shape
    sorting = xephys.sort(recording_of(traces))
    assert sorting["units"].sizes["unit"] == 1
    found = sorting["spikes"]["sample_index"].values
    assert np.abs(found[:, None] - samples).min(axis=0).max() <= 2


def test_constant_channels_are_left_out_and_reported():
    recording, truth = simulate_recording(duration_s=15, n_channels=32, n_units=4, seed=1, n_dead_channels=3)
    dead = truth.dead_channels
    names = ", ".join(map(str, recording.channel.values[dead]))
    with pytest.warns(XephysWarning, match=f"3 constant channels were left out: {names}; mark them bad"):
        sorting = xephys.sort(recording)
    assert not np.isin(sorting["units"]["channel_index"], dead).any()
    assert xephys.compare(sorting, truth).summary["num_well_detected"] == 4


def test_channels_marked_bad_are_left_out_silently(strict):
    recording, truth = simulate_recording(duration_s=15, n_channels=32, n_units=4, seed=1, n_dead_channels=3)
    bad = np.isin(np.arange(32), truth.dead_channels)
    sorting = xephys.sort(recording.assign_coords(bad=("channel", bad)))
    assert not np.isin(sorting["units"]["channel_index"], truth.dead_channels).any()


@pytest.mark.parametrize("value", [0, -7])
def test_a_recording_of_constant_channels_has_no_units(value):
    with pytest.warns(XephysWarning, match=r"every channel is constant or marked bad.*look at the recording"):
        sorting = xephys.sort(recording_of(np.full((2 * RATE, 4), value, "i2")))
    assert sorting["units"].sizes["unit"] == 0


def test_noisy_channels_are_left_out_and_reported(noise):
    wide = np.tile(noise[: 2 * RATE], (1, 3))
    wide[:, 5] *= 8
    with pytest.warns(XephysWarning, match="1 noisy channel was left out: 5; mark them bad"):
        xephys.sort(recording_of(wide))


def test_a_channel_whose_counts_hardly_change_is_left_out_and_reported():
    coarse, _ = simulate_recording(duration_s=10, n_channels=16, n_units=4, seed=3)
    lifeless = coarse.copy(data=np.array(coarse.values))
    steps = np.random.default_rng(0).random(lifeless.sizes["time"])
    lifeless[:, 5] = (steps > 0.99).astype("i2") - (steps < 0.01).astype("i2")
    with pytest.warns(XephysWarning, match="1 lifeless channel was left out: 5; mark them bad"):
        sorting = xephys.sort(lifeless)
    marked = xephys.sort(lifeless.assign_coords(bad=("channel", np.arange(16) == 5)))
    assert sorting["spikes"].equals(marked["spikes"])


def test_a_channel_of_a_quarter_of_the_noise_is_kept_without_a_warning(noise, strict):
    wide = np.tile(noise[: 2 * RATE], (1, 3))
    wide[:, 5] //= 4
    assert xephys.sort(recording_of(wide))["units"].sizes["unit"] == 0


def test_a_recording_of_bad_channels_is_refused(noise):
    with pytest.raises(RecordingError, match="every channel is marked bad"):
        xephys.sort(recording_of(noise[:RATE], bad=np.ones(4, bool)))


@pytest.mark.parametrize(
    ("corners", "message"),
    [
        ({"freq_min_hz": 0}, r"freq_min_hz is 0: Input should be greater than 0"),
        ({"freq_min_hz": -300}, r"freq_min_hz is -300: Input should be greater than 0"),
        ({"freq_min_hz": 15_000}, r"freq_min_hz is 15000 Hz.* between 0 and the Nyquist frequency, 15000 Hz"),
        ({"freq_min_hz": 5000, "freq_max_hz": 3000}, r"freq_min_hz \(5000\) is not below freq_max_hz \(3000\); swap"),
    ],
)
def test_corners_outside_zero_and_nyquist_are_refused(noise, corners, message):
    with pytest.raises(ParameterError, match=message):
        xephys.sort(recording_of(noise[:RATE]), **corners)


def test_a_recording_too_short_for_the_filter_is_refused(noise):
    with pytest.raises(RecordingError, match=r"has 500 samples, no more than the halo of \d+ .*use a longer recording"):
        xephys.sort(recording_of(noise[:500]))


def test_a_recording_of_a_few_milliseconds_has_no_units(noise, strict):
    assert xephys.sort(recording_of(noise[:1200]))["units"].sizes["unit"] == 0


def test_an_empty_recording_is_refused(noise):
    with pytest.raises(RecordingError, match="0 samples of 4 channels; it is empty"):
        xephys.sort(recording_of(noise[:0]))


def test_a_silent_recording_has_no_units(noise, strict, tmp_path):
    sorting = xephys.sort(recording_of(noise))
    assert sorting["units"].sizes["unit"] == sorting["spikes"].sizes["spike"] == 0
    assert sorting["templates"]["templates"].shape == (0, 66, 4)
    xephys.save_sorting(sorting, tmp_path / "sorting.zarr")
    assert xephys.open_sorting(tmp_path / "sorting.zarr")["units"].sizes["unit"] == 0


def test_one_channel_is_sorted(strict):
    recording, truth = simulate_recording(
        duration_s=15, n_channels=1, n_units=1, seed=1, amplitude_range_uv=(100.0, 150.0)
    )
    assert xephys.compare(xephys.sort(recording), truth).summary["accuracy"] > 0.99


def test_one_channel_needs_no_probe(strict):
    recording, truth = simulate_recording(
        duration_s=15, n_channels=1, n_units=1, seed=1, amplitude_range_uv=(100.0, 150.0)
    )
    bare = recording.drop_vars(["x", "y"])
    assert xephys.compare(xephys.sort(bare), truth).summary["accuracy"] > 0.99


def test_one_unit_is_found(strict):
    recording, truth = simulate_recording(
        duration_s=15, n_channels=16, n_units=1, seed=1, amplitude_range_uv=(100.0, 150.0)
    )
    summary = xephys.compare(xephys.sort(recording), truth).summary
    assert summary["num_tested_units"] == 1
    assert summary["accuracy"] > 0.99


def test_a_recording_without_a_probe_is_refused(noise):
    with pytest.raises(RecordingError, match=r"needs the positions of the channels.* no x or y; give a probe"):
        xephys.sort(make_recording(noise[:RATE], sampling_frequency=float(RATE)))


def test_positions_that_are_not_finite_are_refused(noise):
    with pytest.raises(RecordingError, match="channel positions are not finite; correct"):
        xephys.sort(recording_of(noise[:RATE], x=np.array([0.0, np.nan, 0.0, 20.0])))


def test_an_unknown_preset_is_refused(noise):
    with pytest.raises(ParameterError, match=r"preset 'defualt' does not exist; .*did you mean 'default'\?"):
        xephys.sort(recording_of(noise[:RATE]), preset="defualt")


def test_an_unknown_parameter_is_refused(noise):
    with pytest.raises(ParameterError, match=r"no parameter 'detect_treshold'; .*did you mean 'detect_threshold'\?"):
        xephys.sort(recording_of(noise[:RATE]), detect_treshold=4)


def test_an_argument_of_sort_is_proposed_too(noise):
    with pytest.raises(ParameterError, match=r"no parameter 'presets'; .*did you mean 'preset'\?"):
        xephys.sort(recording_of(noise[:RATE]), presets="default")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"detect_threshold": -4}, "detect_threshold is -4: Input should be greater than 0"),
        ({"peak_sign": "up"}, "peak_sign is 'up': Input should be 'neg', 'pos' or 'both'"),
        ({"amplitude_min": 1.5}, "amplitude_min is 1.5: Input should be less than or equal to 1"),
        ({"n_components": "many"}, "n_components is 'many': Input should be a valid integer"),
    ],
)
def test_values_outside_their_limits_are_refused(noise, given, message):
    with pytest.raises(ParameterError, match=message):
        xephys.sort(recording_of(noise[:RATE]), **given)


@pytest.mark.parametrize(
    ("spoil", "kind", "message"),
    [
        (lambda r: r.T, RecordingError, "transpose or rename"),
        (lambda r: r.values, TypeError, "an array of shape .* without labels; wrap it first"),
        (
            lambda r: r.assign_attrs(sampling_frequency=0),
            RecordingError,
            "set it to the rate in hertz, or open its file itself",
        ),
    ],
)
def test_other_objects_are_refused(noise, spoil, kind, message):
    with pytest.raises(kind, match=message):
        xephys.sort(spoil(recording_of(noise[:RATE])))


def test_refusals_leave_nothing_behind(noise, tmp_path):
    traces = noise.copy()
    traces[unread_tile(recording_of(noise)) * RATE + 5] = np.nan
    for bad in (recording_of(traces), recording_of(noise[:500])):
        with pytest.raises(RecordingError):
            xephys.sort(bad, folder=tmp_path / "work")
    assert not any(path.is_file() for path in tmp_path.rglob("*"))


def test_a_failure_during_the_sort_keeps_finished_chunks_and_foreign_files(noise, tmp_path, monkeypatch):
    """Estimates of the refused recording are removed; finished chunks are whole and stay, as do files of others."""
    traces = noise.copy()
    traces[unread_tile(recording_of(noise)) * RATE + RATE // 2] = np.nan
    others = tmp_path / "work" / "notes.npz"

    def detect_while_others_write(*args, **kwargs):
        others.write_text("of someone else")
        return xephys.detect_peaks(*args, **kwargs)

    monkeypatch.setattr("xephys.sorter.default.sort.detect_peaks", detect_while_others_write)
    with pytest.raises(RecordingError, match="NaN or infinite"):
        xephys.sort(recording_of(traces), folder=tmp_path / "work", cache="none")
    left = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert [path for path in left if not path.name.startswith("chunk_")] == [others]


SHAPE = -150 * np.exp(-0.5 * ((np.arange(40) - 15) / 4) ** 2)[:, None] * np.array([0.3, 0.5, 1.0, 0.4])


def with_spikes(traces, samples):
    """The same waveform at each of the samples."""
    out = traces.copy()
    for sample in samples:
        out[sample - 15 : sample + 25] += SHAPE
    return out


def test_fewer_spikes_than_a_unit_needs_give_no_unit(noise, strict):
    samples = np.arange(1, 8) * 2 * RATE + 500
    recording = recording_of(with_spikes(noise, samples))
    assert xephys.sort(recording)["units"].sizes["unit"] == 0
    allowed = xephys.sort(recording, n_spikes_min=7)
    assert allowed["units"].sizes["unit"] == 1
    assert np.isin(samples, allowed["spikes"]["sample_index"].values).all()


@pytest.mark.parametrize("background", [0.0, 0.01, 1.0])
def test_identical_spikes_are_one_unit(noise, strict, background):
    """Without noise they are identical to the bit."""
    samples = np.arange(1, 190) * 3000 + 77
    sorting = xephys.sort(recording_of(with_spikes(noise[: 20 * RATE] * np.float32(background), samples)))
    assert sorting["units"].sizes["unit"] == 1
    found = sorting["spikes"]["sample_index"].values
    assert len(found) == len(samples)
    assert np.ptp(found - samples) <= (2 if background == 1.0 else 0)


def test_a_single_template_is_matched(noise):
    samples = np.arange(1, 50) * 3000
    recording = recording_of(with_spikes(noise[: 6 * RATE], samples) / np.float32(10))
    spikes = np.zeros(len(samples), [("sample_index", "<i8"), ("unit_index", "<i8")])
    spikes["sample_index"] = samples
    templates = xephys.estimate_templates(recording, spikes, peak_channels=np.array([2]))
    assert templates.sizes["unit"] == 1
    found = xephys.match_templates(
        recording,
        templates=templates,
        match_threshold=8.0,
        noise_gain=xephys.estimate_noise_gain(recording, templates=templates),
    ).compute()
    assert np.abs(found["sample_index"] - samples).max() <= 1
    assert not found["unit_index"].any()


def test_progress_must_be_a_function_or_a_choice(noise):
    for nothing in (None, False):
        xephys.sort(recording_of(noise), progress=nothing)
    with pytest.raises(ParameterError, match=r"progress is 'yes'; give True, False or a function"):
        xephys.sort(recording_of(noise), progress="yes")
