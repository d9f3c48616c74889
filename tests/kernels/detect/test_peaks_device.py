"""Kernels of events on a device give the records of NumPy's, and features up to rounding."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.crossings import CHANNELS, EDGES, NEIGHBORS, POSITIONS, START, same_records
from xephys.kernels.detect import peaks as detect
from xephys.kernels.detect import peaks_device as device_detect
from xephys.kernels.features import waveforms_device as device
from xephys.kernels.localize import center_of_mass_device as localize_device


@pytest.mark.parametrize("peak_sign", ["neg", "pos", "both"])
@pytest.mark.parametrize("sweep", [0, 1, 15, 59])
@pytest.mark.parametrize("rounded", [False, True], ids=["values", "ties"])
def test_locally_exclusive_peaks(xp, traces, peak_sign, sweep, rounded):
    values = np.round(traces * 2) / 2 if rounded else traces  # rounded, half of the candidates tie with another
    keywords = {
        **EDGES,
        "thresholds": np.where(np.arange(CHANNELS) < 6, 1.5, 1.0).astype(np.float32),
        "neighbors": NEIGHBORS,
        "peak_sign": peak_sign,
        "exclude_sweep_samples": sweep,
        "good": np.arange(CHANNELS) != 4,
    }
    expected = detect.detect_locally_exclusive(values, **keywords)
    assert len(expected) > 50
    same_records(device_detect.detect_locally_exclusive(xp, xp.asarray(values), **keywords), expected)


@pytest.mark.parametrize("peak_sign", ["neg", "pos", "both"])
@pytest.mark.parametrize("rounded", [False, True], ids=["values", "ties"])
def test_peaks_by_channel(xp, traces, peak_sign, rounded):
    values = np.round(traces) if rounded else traces
    keywords = {
        **EDGES, "thresholds": np.full(CHANNELS, 1.0), "peak_sign": peak_sign, "exclude_sweep_samples": 9,
        "good": np.arange(CHANNELS) != 4,
    }  # fmt: skip
    expected = detect.detect_by_channel(values, **keywords)
    assert len(expected) > 50
    same_records(device_detect.detect_by_channel(xp, xp.asarray(values), **keywords), expected)


def test_no_peaks(xp, traces):
    keywords = {
        **EDGES, "thresholds": np.full(CHANNELS, 99.0), "neighbors": NEIGHBORS, "exclude_sweep_samples": 9,
    }  # fmt: skip
    found = device_detect.detect_locally_exclusive(xp, xp.asarray(traces), **keywords)
    same_records(found, detect.detect_locally_exclusive(traces, **keywords))
    located = localize_device.localize_center_of_mass(
        xp, xp.asarray(traces), found, **EDGES, positions=POSITIONS, neighbors=NEIGHBORS, nbefore=5,
        nafter=9,
    )  # fmt: skip
    assert located.get().dtype.names[-3:] == ("x", "y", "z")
    assert len(located) == 0


def test_too_short_a_halo_is_refused(xp, traces, events):
    short = {"before": 60, "after": 30, "start": START}
    with pytest.raises(ValueError, match="needs 20 before and 40 after"):
        device.snippets(xp, xp.asarray(traces), events, **short, nbefore=20, nafter=41)
    with pytest.raises(ValueError, match="needs 31 on each side"):
        device_detect.detect_by_channel(
            xp, xp.asarray(traces), **short, thresholds=np.ones(CHANNELS), exclude_sweep_samples=30
        )
    with pytest.raises(ValueError, match="already have a field 'amplitude'"):
        device.snippets(xp, xp.asarray(traces), events, **EDGES, nbefore=2, nafter=4, field="amplitude")
