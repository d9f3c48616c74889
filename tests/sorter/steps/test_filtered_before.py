"""Recordings that were filtered before a sort: the filter is skipped, applied again, or the recording refused."""

import json

import numpy as np
import pytest

import xephys
from xephys.attributes import as_text
from xephys.errors import RecordingError, XephysWarning
from xephys.sorter.presets import find_preset, read_parameters
from xephys.sorter.run import sort_with
from xephys.sorter.steps.assemble import empty_sorting
from xephys.sorter.steps.filtered_before import (
    band_notes,
    check_not_filtered_away,
    filter_unless_filtered,
    is_filtered_as,
    known_band,
    usable_band,
)
from xephys.testing import simulate_recording

BAND = (300.0, 6000.0)


def notes_on(recording, band=BAND, *, is_chosen=True, may_skip=True):
    return band_notes(recording, band, is_chosen=is_chosen, may_skip=may_skip)


@pytest.fixture(scope="module")
def recording():
    return simulate_recording(duration_s=10, n_channels=16, n_units=3, seed=0)[0]


def test_the_remaining_band_is_that_of_all_filters(recording):
    assert known_band(recording) is None
    high = xephys.highpass_filter(recording, freq_min_hz=500)
    assert known_band(high) == (500.0, np.inf)
    assert known_band(xephys.common_reference(xephys.bandpass_filter(high))) == (500.0, 6000.0)
    assert known_band(2 * high) == (500.0, np.inf)
    assert known_band(recording.assign_attrs(history=["bandpass_filter(as ever)", "scale()"])) is None


@pytest.mark.parametrize(
    ("corners", "within"),
    [((300, 6000), True), ((400, 3000), True), ((250, 6000), False), ((300, 7000), False)],
)
def test_a_band_as_narrow_as_the_presets_is_recognized(recording, corners, within):
    filtered = xephys.bandpass_filter(recording, freq_min_hz=corners[0], freq_max_hz=corners[1])
    assert is_filtered_as(filtered, BAND) is within
    assert (filter_unless_filtered(filtered, BAND, lambda traces: traces * 2) is filtered) is within
    assert not is_filtered_as(filtered.astype("i2"), BAND)  # integers would be counts to scale
    with pytest.warns(XephysWarning, match="not filtered again" if within else "filtered again, to 300 to 6000 Hz"):
        (note,) = notes_on(filtered)
    assert note["action"] == ("skipped" if within else "filtered again")


@pytest.mark.parametrize("stored", [dict, as_text], ids=["as it is", "as the text that an opened file has"])
def test_traces_filtered_by_another_program_are_recognized(recording, stored):
    told = recording.assign_attrs(annotations=stored({"is_filtered": True}))
    with pytest.warns(XephysWarning, match="filtered elsewhere, to a band that is not known before; it is filtered"):
        assert notes_on(told)[0]["action"] == "filtered again"
    assert notes_on(recording) == []
    assert notes_on(recording.assign_attrs(annotations=stored({}))) == []


def test_what_is_filtered_again_is_not_said_to_be_skipped(recording):
    filtered = xephys.bandpass_filter(recording)
    counts = xephys.astype(filtered, dtype="int16").drop_vars(["gain_to_uv", "offset_to_uv"])
    assert filter_unless_filtered(counts, BAND, lambda traces: traces * 2) is not counts
    with pytest.warns(XephysWarning, match="it is filtered again"):
        assert notes_on(counts)[0]["action"] == "filtered again"
    with pytest.warns(XephysWarning, match="it is filtered again"):
        assert notes_on(filtered, may_skip=False)[0]["action"] == "filtered again"


@pytest.mark.parametrize(
    ("operation", "band"),
    [
        (lambda r: xephys.filter(r, freq_hz=(400, 5000)), (400.0, 5000.0)),
        (lambda r: xephys.filter(r, freq_hz=250, btype="lowpass"), (0.0, 250.0)),
        (lambda r: xephys.filter(r, freq_hz=250, btype="highpass"), (250.0, np.inf)),
        (lambda r: xephys.filter(r, freq_hz=(900, 1100), btype="bandstop"), None),
        (lambda r: xephys.gaussian_filter(r, freq_min_hz=None, freq_max_hz=250), (0.0, 250.0)),
        (lambda r: xephys.gaussian_filter(r, freq_min_hz=400, freq_max_hz=5000), (400.0, 5000.0)),
        (lambda r: xephys.notch_filter(r, freq_hz=1000, quality=5), None),
    ],
)
def test_every_filter_limits_the_band(recording, operation, band):
    filtered = operation(recording)
    assert known_band(filtered) == band
    assert not is_filtered_as(filtered, BAND)  # a gentle or one-sided filter does not replace that of the preset
    if band is not None and band[1] < BAND[0]:
        with pytest.raises(RecordingError, match="leaves nothing"):
            xephys.sort(filtered)


def at_rate(rate):
    places = {"x": np.zeros(4), "y": 20.0 * np.arange(4)}
    return xephys.make_recording(np.zeros((1000, 4), "i2"), sampling_frequency=rate, coordinates=places)


@pytest.mark.parametrize(
    ("rate", "corner", "usable"),
    [(30_000, 6000, 6000), (30_000, 13_500, 13_500), (30_000, 14_000, 13_500), (10_000, 6000, 4500),
     (24_414.0625, 20_000, 10_986.328125), (1000, np.inf, np.inf)],
)  # fmt: skip
def test_a_corner_above_what_the_rate_leaves_is_said(rate, corner, usable):
    given = at_rate(float(rate))
    assert usable_band(given, (300.0, corner)) == (300.0, usable)
    if usable == corner:
        assert notes_on(given, (300.0, corner)) == []
        return
    with pytest.warns(XephysWarning, match=f"{corner:g} Hz is above 0.45 of the rate, .* ends at {usable:g} Hz"):
        (note,) = notes_on(given, (300.0, corner))
    assert note["action"] == f"corner lowered to {usable:g} Hz"
    assert notes_on(given, (300.0, corner), is_chosen=False) == [note]


def test_the_note_on_a_filter_is_of_the_band_that_is_left():
    # 4.8 kHz lie within the preset's band, and not within what 10 kHz leave of it.
    filtered = xephys.bandpass_filter(at_rate(10_000.0).astype("f4"), freq_max_hz=4800)
    with pytest.warns(XephysWarning, match="filtered again, to 300 to 4500 Hz"):
        assert notes_on(filtered, is_chosen=False)[1]["action"] == "filtered again"


@pytest.mark.parametrize("preset", ["default", "rt_sort"])
def test_a_sort_says_that_it_lowers_the_corner(preset, recording):
    chosen = read_parameters(preset, {"freq_max_hz": 40_000})
    with pytest.warns(XephysWarning, match="40000 Hz is above 0.45 of the rate, 30000 Hz; the band ends at 13500 Hz"):
        sorting = sort_with(recording, find_preset(preset), chosen, sorter=empty)
    assert json.loads(sorting.attrs["log"])[0]["action"] == "corner lowered to 13500 Hz"


def empty(recording, parameters, run):
    return empty_sorting(recording, preset=run.preset, parameters=parameters)


def test_bad_input_is_refused(recording):
    filtered = xephys.bandpass_filter(recording)
    white = xephys.whiten(filtered, whitening=xephys.estimate_whitening(filtered))
    slow = xephys.bandpass_filter(recording, freq_min_hz=20, freq_max_hz=250)
    for traces, message in (
        (white, "is whitened.*before whiten"),
        (2 * white, "is whitened"),
        (slow, "leaves nothing"),
    ):
        with pytest.raises(RecordingError, match=message):
            check_not_filtered_away(traces, BAND)
    for preset in ("default", "kilosort4"):
        with pytest.raises(RecordingError, match="this recording is whitened"):
            xephys.sort(white, preset=preset)


def test_a_filtered_recording_gives_the_spikes_of_the_plain_one(recording):
    """The preset's own filter was applied before: the same traces, so the same spikes to the bit."""
    plain = xephys.sort(recording)
    with pytest.warns(XephysWarning, match="not filtered again"):
        found = xephys.sort(xephys.bandpass_filter(xephys.to_uv(recording)))
    for name in ("sample_index", "unit_index", "amplitude"):
        np.testing.assert_array_equal(found["spikes"][name], plain["spikes"][name])
    assert json.loads(found.attrs["log"])[0] == {
        "step": "filter", "action": "skipped", "reason": "the recording was filtered to 300 to 6000 Hz before"
    }  # fmt: skip
    assert all(entry["step"] != "filter" for entry in json.loads(plain.attrs["log"]))
