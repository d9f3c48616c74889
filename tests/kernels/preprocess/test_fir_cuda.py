"""Filters of finite length by one CUDA kernel, in Numba's simulator or on a GPU, equal those of the CPU."""

from __future__ import annotations

import numpy as np
import pytest

from xephys.kernels.lib.dispatch import to_host
from xephys.kernels.preprocess.fir import fir_filter, gaussian_taps
from xephys.kernels.preprocess.fir_cuda import weighted_rows
from xephys.kernels.preprocess.fir_device import _weights
from xephys.kernels.preprocess.phase_shift import phase_shift, phase_shift_halo
from xephys.kernels.preprocess.phase_shift_device import _weights as delay_weights

BEFORE, AFTER = 70, 60


@pytest.fixture(scope="module", params=["i2", "f4"])
def samples(request):
    rng = np.random.default_rng(0)
    return (rng.normal(0, 300, (220, 5)) + rng.uniform(-3000, 3000, 5)).astype(request.param)


def test_a_delay_equals_that_of_the_cpu(cuda_xp, samples):
    shifts = np.linspace(-0.7, 0.9, samples.shape[1])
    expected = phase_shift(samples, before=BEFORE, after=AFTER, shifts=shifts)
    weights, halo = delay_weights(shifts, taps=32), phase_shift_halo(32)
    found = weighted_rows(
        cuda_xp, cuda_xp.asarray(samples), cuda_xp.asarray(weights), first=BEFORE - halo, n=len(expected), n_threads=4
    )
    np.testing.assert_allclose(to_host(found), expected, atol=2e-3)


def test_a_filter_equals_that_of_the_cpu(cuda_xp, samples):
    taps = gaussian_taps(freq_min_hz=600.0, freq_max_hz=6000.0, sampling_frequency=30_000.0)
    expected = fir_filter(samples, before=BEFORE, after=AFTER, taps=taps)
    first = BEFORE - len(taps) // 2
    weights = cuda_xp.asarray(_weights(taps))
    found = weighted_rows(cuda_xp, cuda_xp.asarray(samples), weights, first=first, n=len(expected), n_threads=4)
    np.testing.assert_allclose(to_host(found), expected, atol=2e-3)


def test_no_rows_are_filtered_to_none(cuda_xp):
    nothing = weighted_rows(cuda_xp, cuda_xp.zeros((10, 3)), cuda_xp.ones((5, 1), dtype="f4"), first=2, n=0)
    assert nothing.shape == (0, 3)
