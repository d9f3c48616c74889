"""Labels and masks of bad channels mark, drop and interpolate the same channels; anything else is refused."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import xephys
from xephys.errors import ParameterError
from xephys.preprocess.marked_channels import bad_mask
from xephys.testing import forbid_compute, simulate_recording

BAD = np.array([False, True, False, False, True, False, False, False])


@pytest.fixture(scope="module")
def recording():
    return simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0)[0]


def _labels(recording):
    text = np.where(BAD, ["good", "dead", "good", "good", "noise", "good", "good", "outside"], "good")
    return xr.DataArray(text, dims="channel", coords={"channel": recording.channel.values}, name="channel_label")


FORMS = {
    "labels": _labels,
    "labels in another order": lambda r: _labels(r)[::-1],
    "labels without names": lambda r: _labels(r).values,
    "a list of labels": lambda r: _labels(r).values.tolist(),
    "a mask": lambda r: BAD,
    "a list": lambda r: BAD.tolist(),
    "a labelled mask": lambda r: _labels(r) != "good",
    "identifiers": lambda r: r.channel.isin(r.channel.values[BAD]),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_marks_drops_and_interpolates_the_same_channels(recording, form):
    bad = FORMS[form](recording)
    with forbid_compute():
        marked = recording.ephys.mark_bad_channels(bad)
        dropped = recording.ephys.drop_bad_channels(bad)
        mended = recording.ephys.interpolate_bad_channels(bad)
    assert np.array_equal(marked.bad.values, BAD)
    assert np.array_equal(marked.values, recording.values)
    assert dropped.channel.values.tolist() == recording.channel.values[~BAD].tolist()
    assert np.array_equal(dropped.values, recording.values[:, ~BAD])
    assert np.array_equal(mended.values, marked.ephys.interpolate_bad_channels().values)


def test_marked_channels_are_dropped_by_default(recording):
    marked = recording.ephys.mark_bad_channels(BAD)
    assert marked.ephys.drop_bad_channels().sizes["channel"] == 6
    assert recording.ephys.drop_bad_channels().sizes["channel"] == 8
    assert not marked.ephys.mark_bad_channels(~BAD & False).bad.any()


def test_labels_of_detection_are_accepted(recording):
    labels = xephys.detect_bad_channels(recording, method="mad")
    dropped = recording.ephys.drop_bad_channels(labels)
    assert dropped.sizes["channel"] == int((labels == "good").sum())
    again = xephys.replay(dropped, recording)
    assert np.array_equal(again.values, dropped.values)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ([1, 4], r"shape \(2,\) for 8 channels.*isin"),
        ([0, 1, 0, 0, 1, 0, 0, 0], "bad holds 0; give labels"),
        (["good"] * 7 + ["broken"], "bad holds 'broken'; give labels"),
        (np.zeros((8, 2), bool), "for 8 channels"),
        (xr.DataArray([True], dims="channel", coords={"channel": [3]}), "7 of the 8 channels have no value, such as 0"),
        ("dead", r"shape \(\) for 8 channels"),
    ],
)
def test_anything_else_is_refused(recording, bad, message):
    for use in (xephys.mark_bad_channels, xephys.drop_bad_channels, xephys.interpolate_bad_channels):
        with pytest.raises(ParameterError, match=message):
            use(recording, bad)


def test_at_least_one_channel_must_be_good(recording):
    with pytest.raises(ParameterError, match="marks all 8 channels"):
        xephys.drop_bad_channels(recording, np.ones(8, bool))
    with pytest.raises(ParameterError, match="marks all 8 channels"):
        xephys.interpolate_bad_channels(recording, np.ones(8, bool))
    assert bad_mask(recording.ephys.mark_bad_channels(np.ones(8, bool))).all()
