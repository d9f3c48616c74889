import numpy as np

from xephys.kernels.preprocess import fir, fir_device


def test_traces_equal_those_of_the_host(xp):
    traces = np.random.default_rng(0).normal(0, 50, (400, 3)).astype("f4")
    taps = fir.gaussian_taps(freq_min_hz=600.0, freq_max_hz=5000.0, sampling_frequency=30_000.0)
    halo = {"before": 70, "after": 60}
    got = fir_device.fir_filter(xp, xp.asarray(traces), **halo, taps=taps)
    got = got if isinstance(got, np.ndarray) else got.get()
    np.testing.assert_allclose(got, fir.fir_filter(traces, **halo, taps=taps), rtol=1e-4, atol=1e-4)
