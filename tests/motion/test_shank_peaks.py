"""Peaks by shank and time bin: each peak once, except those that are badly localized."""

from __future__ import annotations

import numpy as np
import pytest

from tests.motion.support import RATE, drifting_peaks, silent_recording
from xephys.errors import ParameterError
from xephys.motion.shank_peaks import split_by_shank


def peaks_on(shanks):
    parts = [drifting_peaks(lambda t, z: 0 * z, 10.0, shank=shank, seed=shank) for shank in range(shanks)]
    joined = np.concatenate(parts)
    return joined[np.argsort(joined["sample_index"], kind="stable")]


def test_every_peak_is_in_its_shank_and_bin():
    recording, records = silent_recording(10.0, shanks=2), peaks_on(2)
    split = split_by_shank(recording, records, bin_s=2.0)
    shank = records["channel_index"] // (recording.sizes["channel"] // 2)
    for k, own in enumerate(split):
        mine = records[shank == k]
        mine = mine[(mine["y"] > -100) & (mine["y"] < 740)]
        assert own.n_times == 5
        assert own.height_um == 640.0
        np.testing.assert_array_equal(
            np.diff(own.offsets), np.histogram(mine["sample_index"] / RATE, np.arange(0, 11, 2))[0]
        )
        np.testing.assert_array_equal(own.depth_um, mine["y"].astype("f4"))
        part, bins = own.bins_of(1, 3)
        assert (part.start, part.stop) == (own.offsets[1], own.offsets[3])
        np.testing.assert_array_equal(np.bincount(bins, minlength=2), np.diff(own.offsets[1:4]))


def test_distant_silent_and_infinite_peaks_are_left_out():
    records = peaks_on(1)[:5]
    records["y"] = [100, -200, 900, 200, 300]
    records["amplitude"] = [-50, -50, -50, 0, np.inf]
    (own,) = split_by_shank(silent_recording(10.0), records, bin_s=2.0)
    assert own.depth_um.tolist() == [100.0]
    assert own.amplitude.tolist() == [50.0]


@pytest.mark.parametrize(
    ("change", "bin_s", "message"),
    [
        (lambda r: r[::-1], 1.0, "not in the order of time"),
        (lambda r: r[["sample_index", "channel_index", "amplitude"]], 1.0, r"have no y, .*localize them first"),
        (lambda r: r, 20.0, "needs at least two time bins"),
    ],
)
def test_bad_input_is_refused(change, bin_s, message):
    with pytest.raises(ParameterError, match=message):
        split_by_shank(silent_recording(10.0), change(peaks_on(1)), bin_s=bin_s)
