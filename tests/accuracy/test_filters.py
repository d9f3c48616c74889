"""Filtered traces against SciPy in float64 on the whole recording, for raw data with slow waves and offsets."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import signal

import xephys
from xephys.kernels.preprocess.filter import sos_halo
from xephys.testing import rechunked, simulate_recording

RATE = 30_000.0
LIMIT = 1e-4


@pytest.fixture(scope="module")
def raw():
    """Ten channels of spikes and noise on ±500 µV slow waves, with a 1/f field, mains hum and large offsets."""
    recording, _ = simulate_recording(
        duration_s=7.3,
        n_channels=10,
        n_units=4,
        seed=5,
        slow_wave_uv=500.0,
        offset_uv=300.0,
        field_uv=60.0,
        mains_uv=20.0,
    )
    traces = recording.values
    in_uv = traces * recording.gain_to_uv.values
    assert np.ptp(in_uv, axis=0).min() > 900  # the slow waves are there
    assert np.abs(in_uv.mean(axis=0)).max() > 200  # and the offsets
    return recording


DESIGNS = {
    "bandpass": (
        lambda rec: xephys.bandpass_filter(rec, freq_min_hz=300, freq_max_hz=6000, order=5),
        signal.butter(5, [300, 6000], "bandpass", fs=RATE, output="sos"),
    ),
    "highpass": (
        lambda rec: xephys.highpass_filter(rec, freq_min_hz=300, order=3),
        signal.butter(3, 300, "highpass", fs=RATE, output="sos"),
    ),
    "bessel": (
        lambda rec: xephys.bandpass_filter(rec, freq_min_hz=400, freq_max_hz=5000, order=4, ftype="bessel"),
        signal.iirfilter(4, [400, 5000], btype="bandpass", ftype="bessel", fs=RATE, output="sos"),
    ),
    "elliptic": (
        lambda rec: xephys.bandpass_filter(rec, order=3, ftype="ellip", rp=0.5, rs=40),
        signal.iirfilter(3, [300, 6000], btype="bandpass", ftype="ellip", rp=0.5, rs=40, fs=RATE, output="sos"),
    ),
}


@pytest.mark.parametrize("chunk_samples", [60_000, 21_003])
@pytest.mark.parametrize("name", DESIGNS)
def test_the_error_is_small_everywhere_borders_of_tiles_and_chunks_included(raw, name, chunk_samples):
    apply, sos = DESIGNS[name]
    found = apply(rechunked(raw, chunk_samples)).values
    whole = signal.sosfiltfilt(sos, raw.values.astype(np.float64), axis=0)
    edge = sos_halo(sos)
    inside = slice(edge, -edge)
    rms = np.sqrt((whole[inside] ** 2).mean(axis=0))
    error = found[inside] - whole[inside]
    assert np.all(np.sqrt((error**2).mean(axis=0)) <= LIMIT * rms)
    # No sample stands out, as one would at the border of a tile or of a chunk.
    assert np.all(np.abs(error).max(axis=0) <= LIMIT * rms)


def test_the_whole_chain_against_float64(raw):
    """Band-pass, median reference and local whitening, with the whitening's own weights applied in float64."""
    filtered = xephys.common_reference(xephys.bandpass_filter(raw))
    whitening = xephys.estimate_whitening(filtered, n_nearest=6)
    found = xephys.whiten(filtered, whitening=whitening).values
    _, sos = DESIGNS["bandpass"]
    whole = signal.sosfiltfilt(sos, raw.values.astype(np.float64), axis=0)
    whole -= np.median(whole, axis=1, keepdims=True)
    neighbors, weights = whitening["neighbor"].values, whitening["weight"].values.astype(np.float64)
    expected = np.stack([whole[:, n[n >= 0]] @ w[n >= 0] for n, w in zip(neighbors, weights, strict=True)], axis=1)
    edge = sos_halo(sos)
    inside = slice(edge, -edge)
    rms = np.sqrt((expected[inside] ** 2).mean(axis=0))
    error = np.sqrt(((found - expected)[inside] ** 2).mean(axis=0))
    assert np.all(error <= LIMIT * rms)
