"""If channels are silent for a time, clusters are formed from spikes that all surrounding channels recorded."""

from __future__ import annotations

import numpy as np
import pytest

import xephys
from tests.support.stored import InMemory
from xephys.sorter.steps.live import live_records, silent_stretches
from xephys.sorter.steps.passes import Run
from xephys.testing import simulate_recording

PEAK = [("sample_index", "i8"), ("channel_index", "i8")]


@pytest.fixture(scope="module")
def recording():
    return simulate_recording(
        duration_s=30, probe="linear", n_channels=16, n_units=4, seed=5, amplitude_range_uv=(60, 120)
    )[0]


def silenced(recording, channels, share):
    traces, silent = recording.values.copy(), np.zeros(recording.sizes["time"], bool)
    for start in range(0, len(traces), 90_000):
        stop = start + round(share * 90_000)
        traces[start:stop, channels] = 0
        silent[start:stop] = True
    return recording.copy(data=traces), silent


def test_spikes_beside_silence_are_left_out(recording, tmp_path):
    traces, silent = silenced(recording, slice(0, 4), 0.3)
    stretches = silent_stretches(traces, xephys.fill_silence(traces), Run(tmp_path))
    rng = np.random.default_rng(0)
    peaks = np.zeros(5000, PEAK)
    peaks["sample_index"] = np.sort(rng.integers(0, len(silent), 5000))
    peaks["channel_index"] = rng.integers(0, 16, 5000)
    live = live_records(InMemory(peaks), stretches, traces, n_nearest=3, guard_ms=0.0).load()
    gone = silent[peaks["sample_index"]] & (peaks["channel_index"] <= 4)  # the neighbors of channel 4 are 3 and 5
    assert live.tolist() == peaks[~gone].tolist()


def test_a_channel_that_is_hardly_ever_live_keeps_its_spikes(recording, tmp_path):
    traces, silent = silenced(recording, slice(0, 1), 0.9)
    stretches = silent_stretches(traces, xephys.fill_silence(traces), Run(tmp_path))
    peaks = np.zeros(1000, PEAK)
    peaks["sample_index"] = np.linspace(0, len(silent) - 1, 1000).astype(int)
    assert live_records(InMemory(peaks), stretches, traces, n_nearest=3, guard_ms=0.0).count == 1000


def test_without_silence_nothing_is_read_or_left_out(recording, tmp_path):
    peaks = InMemory(np.zeros(3, PEAK))
    assert silent_stretches(recording, recording, Run(tmp_path)) is None
    assert live_records(peaks, None, recording, n_nearest=3, guard_ms=0.0) is peaks


@pytest.mark.parametrize("channels", [slice(0, 8), slice(0, None, 2)], ids=["half of the probe", "every second"])
def test_no_unit_is_split_by_silence(recording, channels):
    whole = xephys.sort(recording)
    traces, silent = silenced(recording, channels, 0.4)
    part = xephys.sort(traces)
    assert part["units"].sizes["unit"] == whole["units"].sizes["unit"] == 4
    live = [int((~silent[tree["spikes"]["sample_index"].values]).sum()) for tree in (whole, part)]
    assert live[1] == pytest.approx(live[0], rel=0.01)
