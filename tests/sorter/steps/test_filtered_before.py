"""Recordings that were filtered before a sort: the filter is skipped, applied again, or the recording refused."""

import json

import numpy as np
import pytest

import xephys
from xephys.attributes import as_text
from xephys.errors import RecordingError, XephysWarning
from xephys.sorter.steps.filtered_before import (
    check_not_filtered_away,
    filter_notes,
    filter_unless_filtered,
    is_filtered_as,
    known_band,
)
from xephys.testing import simulate_recording

BAND = (300.0, 6000.0)


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
        (note,) = filter_notes(filtered, BAND)
    assert note["action"] == ("skipped" if within else "filtered again")


@pytest.mark.parametrize("stored", [dict, as_text], ids=["as it is", "as the text that an opened file has"])
def test_traces_filtered_by_another_program_are_recognized(recording, stored):
    told = recording.assign_attrs(annotations=stored({"is_filtered": True}))
    with pytest.warns(XephysWarning, match="filtered elsewhere, to a band that is not known before; it is filtered"):
        assert filter_notes(told, BAND)[0]["action"] == "filtered again"
    assert filter_notes(recording, BAND) == []
    assert filter_notes(recording.assign_attrs(annotations=stored({})), BAND) == []


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
