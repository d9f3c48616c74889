"""Plans and a whole sort on a GPU: the traces and spikes of the CPU, and the same bits in every run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import xephys
from tests.support.sortings import assert_identical
from xephys.testing import simulate_recording

pytestmark = pytest.mark.gpu


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """16-bit samples of 64 channels with offsets and slow waves, sampled one after another, on disk."""
    recording, _ = simulate_recording(
        duration_s=12.0, n_channels=64, n_units=15, seed=3, slow_wave_uv=100.0, offset_uv=50.0
    )
    recording = recording.assign_coords(inter_sample_shift=("channel", np.arange(64) % 8 / 8))
    path = tmp_path_factory.mktemp("gpu") / "recording"
    xephys.save_recording(recording, path, format="binary")
    return path


@pytest.fixture(scope="module")
def on_cpu(folder):
    return xephys.sort(xephys.open_recording(folder))


@pytest.fixture(scope="module")
def on_gpu(folder):
    return xephys.sort(xephys.open_recording(folder), device="cuda")


def test_traces_equal_those_of_the_cpu(folder):
    recording = xephys.open_recording(folder)
    whitening = None
    computed = []
    for traces in (recording, xephys.to_device(recording)):
        traces = xephys.common_reference(xephys.bandpass_filter(xephys.phase_shift(xephys.to_uv(traces))))
        whitening = xephys.estimate_whitening(traces) if whitening is None else whitening
        computed.append(xephys.whiten(traces, whitening=whitening).values)
    expected, found = computed
    assert type(found) is np.ndarray
    assert np.abs(found - expected).max() < 1e-4 * expected.std()


def test_spikes_equal_those_of_the_cpu(on_cpu, on_gpu):
    keys = [s["spikes"]["unit_index"].values * 10**9 + s["spikes"]["sample_index"].values for s in (on_cpu, on_gpu)]
    assert on_gpu["units"].sizes == on_cpu["units"].sizes
    assert len(np.intersect1d(*keys)) >= 0.999 * max(map(len, keys))


def test_runs_and_chunk_lengths_do_not_change_a_bit(folder, on_gpu):
    for chunk_s in (2.0, 0.7001):
        assert_identical(xephys.sort(xephys.open_recording(folder, chunk_duration_s=chunk_s), device="cuda"), on_gpu)


def test_drift_is_followed_as_on_the_cpu():
    recording, _ = simulate_recording(duration_s=60, n_channels=32, n_units=10, seed=1, drift="slow", drift_um=25.0)
    here, there = xephys.sort(recording), xephys.sort(recording, device="cuda")
    assert "motion" in here
    assert "motion" in there
    keys = [s["spikes"]["unit_index"].values * 10**9 + s["spikes"]["sample_index"].values for s in (here, there)]
    assert len(np.intersect1d(*keys)) >= 0.999 * max(map(len, keys))


def test_arrays_of_the_device_choose_the_kernel():
    import cupy

    from xephys.kernels.preprocess.scale import scale

    found = scale(cupy.ones((4, 2), dtype="int16"), gain=2.0)
    assert isinstance(found, cupy.ndarray)
    assert float(found.sum()) == 16.0
