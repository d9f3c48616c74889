"""The filter on a device agrees with NumPy's, for any corners, at the ends, and for many channels."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import butter

from tests.support.counts import agree
from xephys.kernels.lib.dispatch import to_host
from xephys.kernels.preprocess import filter as cpu_filter
from xephys.kernels.preprocess import filter_device as device_filter

RATE = 30_000.0
BAND = butter(5, [300, 6000], "bandpass", fs=RATE, output="sos")


@pytest.mark.parametrize("corners", [[300, 6000], [150, 9000]])
@pytest.mark.parametrize("order", [1, 5])
def test_filter(xp, counts, corners, order):
    sos = butter(order, corners, "bandpass", fs=RATE, output="sos")
    halo = cpu_filter.sos_halo(sos)
    keywords = {"before": halo, "after": halo, "sos": sos}
    agree(device_filter.sos_filtfilt(xp, xp.asarray(counts), **keywords), cpu_filter.sos_filtfilt(counts, **keywords))


@pytest.mark.parametrize("btype", ["lowpass", "highpass"])
def test_filters_with_one_corner(xp, counts, btype):
    sos = butter(3, 300, btype, fs=RATE, output="sos")
    halo = cpu_filter.sos_halo(sos)
    keywords = {"before": halo, "after": halo, "sos": sos}
    agree(device_filter.sos_filtfilt(xp, xp.asarray(counts), **keywords), cpu_filter.sos_filtfilt(counts, **keywords))


def test_filter_at_the_ends_of_a_recording(xp, counts):
    """There the halo repeats the edge sample."""
    halo = cpu_filter.sos_halo(BAND)
    padded = np.pad(counts[:3000], ((halo, halo), (0, 0)), mode="edge")
    keywords = {"before": halo, "after": halo, "sos": BAND}
    agree(device_filter.sos_filtfilt(xp, xp.asarray(padded), **keywords), cpu_filter.sos_filtfilt(padded, **keywords))


def test_channels_are_filtered_in_groups(xp, counts):
    many = np.tile(counts[:2500], (1, 4))
    keywords = {"before": 800, "after": 800, "sos": BAND}
    found = to_host(device_filter.sos_filtfilt(xp, xp.asarray(many), **keywords))
    agree(found, cpu_filter.sos_filtfilt(many, **keywords))
    np.testing.assert_array_equal(found[:, :40], found[:, 120:])
