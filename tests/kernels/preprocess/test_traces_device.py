"""Trace kernels on a device against those for NumPy: within 1e-4 of the RMS."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import butter

from tests.support.device_arrays import strict
from xephys.kernels.lib import mixing, mixing_device
from xephys.kernels.lib.dispatch import to_host
from xephys.kernels.preprocess import (
    bad_channels,
    bad_channels_device,
    phase_shift,
    phase_shift_device,
    reference,
    reference_device,
    scale,
    scale_device,
)
from xephys.kernels.preprocess import filter as cpu_filter
from xephys.kernels.preprocess import filter_device as device_filter

RATE = 30_000.0
BAND = butter(5, [300, 6000], "bandpass", fs=RATE, output="sos")
TOLERANCE = 1e-4


@pytest.fixture(scope="module")
def counts():
    """Noise on slow waves and offsets a hundred times as large, as 16-bit integers."""
    rng = np.random.default_rng(0)
    t = np.arange(6000)[:, None] / RATE
    slow = 3000 * np.sin(2 * np.pi * 4 * t + rng.uniform(0, 6, 40)) + rng.uniform(-9000, 9000, 40)
    return np.round(slow + rng.normal(0, 60, (6000, 40))).astype(np.int16)


def agree(found, expected, tolerance=TOLERANCE):
    found = to_host(found)
    assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
    assert np.abs(found - expected).max() <= tolerance * expected.std()


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
    """There the halo is the edge sample again and again."""
    halo = cpu_filter.sos_halo(BAND)
    padded = np.pad(counts[:3000], ((halo, halo), (0, 0)), mode="edge")
    keywords = {"before": halo, "after": halo, "sos": BAND}
    agree(device_filter.sos_filtfilt(xp, xp.asarray(padded), **keywords), cpu_filter.sos_filtfilt(padded, **keywords))


def test_filter_of_more_channels_than_are_taken_at_a_time(xp, counts):
    many = np.tile(counts[:2500], (1, 4))
    keywords = {"before": 800, "after": 800, "sos": BAND}
    found = to_host(device_filter.sos_filtfilt(xp, xp.asarray(many), **keywords))
    agree(found, cpu_filter.sos_filtfilt(many, **keywords))
    np.testing.assert_array_equal(found[:, :40], found[:, 120:])


@pytest.mark.parametrize("gain", [0.195, np.linspace(0.1, 2.0, 40)])
def test_scale(xp, counts, gain):
    keywords = {"before": 3, "after": 7, "gain": gain, "offset": np.arange(40.0)}
    agree(scale_device.scale(xp, xp.asarray(counts), **keywords), scale.scale(counts, **keywords), 1e-6)


def test_phase_shift(xp, counts):
    keywords = {"before": 17, "after": 20, "shifts": np.arange(40) % 13 / 13 - 0.4}
    agree(
        phase_shift_device.phase_shift(xp, xp.asarray(counts), **keywords),
        phase_shift.phase_shift(counts, **keywords),
        1e-6,
    )


@pytest.mark.parametrize("operator", ["median", "average"])
@pytest.mark.parametrize("sets", ["all", "groups", "some", "good", "left alone", "all left alone"])
def test_common_reference(xp, counts, operator, sets):
    given = {
        "all": {},
        "groups": {"groups": np.arange(40) % 3},
        "some": {"reference_channels": np.array([4, 9, 30])},
        "good": {"good": np.arange(40) % 5 > 0, "groups": np.arange(40) // 20},
        "left alone": {"groups": np.arange(40) % 4 - 1},
        "all left alone": {"groups": np.full(40, -1)},
    }[sets]
    values = (counts * np.float32(0.195))[:500]
    keywords = {"before": 5, "after": 2, "operator": operator, **given}
    found = to_host(reference_device.common_reference(xp, xp.asarray(values), **keywords))
    expected = reference.common_reference(values, **keywords)
    if operator == "median":
        np.testing.assert_array_equal(found, expected)
    agree(found, expected, 1e-6)


@pytest.mark.parametrize("dense", [True, False])
def test_whitening(xp, counts, dense):
    rng = np.random.default_rng(1)
    mean = rng.normal(size=40)
    if dense:
        packed = mixing.pack_dense(rng.normal(size=(40, 40)), mean=mean)
    else:
        neighbours = np.argsort(np.abs(np.arange(40)[:, None] - np.arange(40)), axis=1)[:, :9].astype(np.int32)
        neighbours[3, 4:] = -1
        packed = mixing.pack_sparse(neighbours, rng.normal(size=(40, 9)), mean=mean)
    values = counts[:700].astype(np.float32)
    keywords = {"before": 1, "after": 4, **packed}
    agree(mixing_device.mix_channels(xp, xp.asarray(values), **keywords), mixing.mix_channels(values, **keywords), 1e-5)


def test_interpolation(xp, counts):
    positions = np.stack([np.arange(40) % 2 * 30.0, np.arange(40) // 2 * 20.0], axis=1)
    bad = np.array([3, 4, 20])
    neighbours, weights = bad_channels.interpolation_weights(positions, bad)
    keywords = {"before": 2, "after": 9, "neighbours": neighbours, "weights": weights, "bad": bad}
    values = counts[:300]
    found = bad_channels_device.interpolate_channels(xp, xp.asarray(values), **keywords)
    agree(found, bad_channels.interpolate_channels(values, **keywords), 1e-6)
    with pytest.raises(ValueError, match="a neighbour is itself bad"):
        bad_channels_device.interpolate_channels(
            xp, xp.asarray(values), **{**keywords, "neighbours": np.maximum(neighbours, 3)}
        )


def test_kernels_choose_by_the_type_of_the_chunk(counts, device_name):
    """The same function takes both: nobody has to know where a chunk lies."""
    chunk = strict.asarray(counts)
    for kernel, keywords in (
        (cpu_filter.sos_filtfilt, {"before": 800, "after": 800, "sos": BAND}),
        (scale.scale, {"gain": 0.5}),
        (reference.common_reference, {}),
    ):
        found = kernel(chunk, **keywords)
        assert type(found) is type(chunk)
        agree(found, kernel(counts, **keywords))
