"""The recursive filter as a CUDA kernel, in Numba's simulator or on a GPU, equals the compiled one."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import butter

from xephys.kernels.lib.dispatch import to_host
from xephys.kernels.preprocess import filter as cpu
from xephys.kernels.preprocess import filter_cuda as device

RATE = 30_000


@pytest.mark.parametrize("btype", ["bandpass", "highpass"])
@pytest.mark.parametrize("dtype", ["int16", "float32"])
def test_traces_agree(cuda_xp, monkeypatch, btype, dtype):
    """Blocks of 60 samples, each preceded by the samples that the filter remembers; the last block is shorter."""
    monkeypatch.setattr(device, "STRETCH", 60)
    sos = butter(1, [3000, 9000] if btype == "bandpass" else 3000, btype, fs=RATE, output="sos")
    halo = cpu.sos_halo(sos)
    traces = (np.random.default_rng(1).normal(size=(2 * halo + 130, 3)) * 100 + [3000, -50, 0]).astype(dtype)
    keywords = {"before": halo, "after": halo + 7, "sos": sos}
    found = to_host(device.sos_filtfilt(cuda_xp, cuda_xp.asarray(traces), **keywords))
    expected = cpu.sos_filtfilt(traces, **keywords)
    assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
    assert np.abs(found - expected).max() < 1e-4 * expected.std()


def test_less_context_than_the_filter_remembers_is_padded(cuda_xp):
    """The first and last samples are then taken to continue without end."""
    sos = butter(1, [3000, 9000], "bandpass", fs=RATE, output="sos")
    traces = (np.random.default_rng(2).normal(size=(90, 2)) * 100 + 500).astype(np.float32)
    keywords = {"before": 5, "after": 0, "sos": sos}
    found = to_host(device.sos_filtfilt(cuda_xp, cuda_xp.asarray(traces), **keywords))
    expected = cpu.sos_filtfilt(traces, **keywords)
    assert np.abs(found - expected).max() < 1e-4 * expected.std()


def test_empty_traces_are_accepted(cuda_xp):
    sos = butter(1, 3000, fs=RATE, output="sos")
    for shape in ((20, 3), (30, 0)):
        found = device.sos_filtfilt(cuda_xp, cuda_xp.asarray(np.zeros(shape, np.float32)), before=10, after=10, sos=sos)
        assert found.shape == (shape[0] - 20, shape[1])


@pytest.mark.gpu
@pytest.mark.parametrize("order", [2, 5])
def test_a_tile_of_many_channels_agrees(order):
    """With offsets and slow waves of 300 times the noise."""
    from xephys.kernels.lib.dispatch import namespace_of_device

    xp = namespace_of_device("cuda")
    rng = np.random.default_rng(3)
    time = np.arange(8000)[:, None]
    traces = (
        10 * rng.normal(size=(8000, 200)) + 3000 * np.sin(time / 3000 + np.arange(200)) + rng.normal(size=200) * 3000
    )
    sos = butter(order, [300, 6000], "bandpass", fs=RATE, output="sos")
    halo = cpu.sos_halo(sos)
    keywords = {"before": halo, "after": halo, "sos": sos}
    expected = cpu.sos_filtfilt(traces.astype(np.int16), **keywords)
    found = to_host(device.sos_filtfilt(xp, xp.asarray(traces.astype(np.int16)), **keywords))
    assert np.abs(found - expected).max() < 1e-4 * expected.std()
