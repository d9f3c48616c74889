"""Rows that are not neighbors in time are not filtered as such without a word."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import xephys
from xephys.errors import XephysWarning
from xephys.recording import gaps
from xephys.recording.gaps import Gap, first_gap

RATE = 1000.0


@pytest.fixture
def recording():
    values = np.random.default_rng(0).normal(0, 2, (4000, 3)).astype("f4")
    return xephys.make_recording(values, sampling_frequency=RATE, start_s=6.29)


LEFT_OUT = {
    "isel": lambda r: r.isel(time=np.r_[:1000, 2000:4000]),
    "drop_isel": lambda r: r.drop_isel(time=np.arange(1000, 2000)),
    "a mask": lambda r: r[(r.time < 7.2895) | (r.time > 8.2895)],
    "where": lambda r: r.where((r.time < 7.2895) | (r.time > 8.2895), drop=True),
    "stored times": lambda r: r[:3000].drop_vars("time").assign_coords(
        time=("time", r.time.values[np.r_[:1000, 2000:4000]])
    ),
}  # fmt: skip
FILTERS = {
    "bandpass": lambda r: xephys.bandpass_filter(r, freq_min_hz=50, freq_max_hz=400),
    "highpass": lambda r: xephys.highpass_filter(r, freq_min_hz=50),
    "notch": lambda r: xephys.notch_filter(r, freq_hz=50, quality=2),
    "filter": lambda r: xephys.filter(r, freq_hz=50, btype="highpass"),
}


@pytest.mark.parametrize("left_out", LEFT_OUT)
@pytest.mark.parametrize("name", FILTERS)
def test_a_filter_over_a_gap_warns(recording, left_out, name):
    part = LEFT_OUT[left_out](recording)
    with pytest.warns(
        XephysWarning, match=r"a gap of 1\.001 s after 7\.289 s.*\[recording\[:1000\], recording\[1000:\]"
    ):
        FILTERS[name](part)
    stretches = [part[:1000], part[1000:]]
    if left_out == "stored times":  # whose place in the segment nothing tells
        stretches = [one.assign_attrs(segment_start_s=float(one.time[0])) for one in stretches]
    segments = xephys.append_segments(stretches)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for segment in segments.children.values():
            FILTERS[name](segment["traces"])


def test_a_regular_or_a_wandering_clock_has_no_gap(recording, monkeypatch):
    times = recording.time.values
    wandering = recording.drop_vars("time").assign_coords(time=("time", times + 1e-3 * (times - 6.29) ** 2))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for one in (recording, recording[500:], recording.drop_vars("time"), wandering):
            assert first_gap(one, RATE) is None
            FILTERS["bandpass"](one)
    monkeypatch.setattr(gaps, "_BLOCK_SAMPLES", 100)
    part = recording.isel(time=np.r_[:1000, 2000:4000])
    found = first_gap(part, RATE)
    assert found.row == 1000
    np.testing.assert_allclose(found, Gap(7.289, 1000, 1.001))
    assert first_gap(recording.isel(time=np.r_[:1000]), RATE) is None
