import numpy as np
import pytest

from xephys.kernels.preprocess.fir import fir_filter, gaussian_taps

RATE = 30_000.0


@pytest.mark.parametrize(("low", "high"), [(300.0, 5000.0), (None, 9000.0), (150.0, None)])
def test_the_gain_follows_the_formula(low, high):
    taps = gaussian_taps(freq_min_hz=low, freq_max_hz=high, sampling_frequency=RATE)
    assert len(taps) % 2 == 1
    np.testing.assert_allclose(taps, taps[::-1], atol=1e-9)
    freq = np.linspace(0, RATE / 2, 400)
    lag = np.arange(len(taps)) - len(taps) // 2
    gain = (taps * np.cos(2 * np.pi * freq[:, None] * lag / RATE)).sum(axis=1)
    expected = (1.0 if high is None else np.exp(-0.5 * (freq / high) ** 2)) - (
        0.0 if low is None else np.exp(-0.5 * (freq / low) ** 2)
    )
    np.testing.assert_allclose(gain, expected, atol=5e-3)
    assert abs(gain[0] - expected[0]) < 1e-5


@pytest.mark.parametrize("channels", [1, 5])
def test_against_numpy(channels):
    rng = np.random.default_rng(0)
    traces, half = rng.normal(0, 50, (300, channels)).astype("i2"), rng.standard_normal(8)
    taps = np.concatenate([half[:0:-1], half]).astype("f4")
    expected = np.stack([np.convolve(column, taps, mode="valid") for column in traces.T.astype("f8")], axis=1)
    got = fir_filter(traces, before=20, after=10, taps=taps)
    np.testing.assert_allclose(got, expected[13:-3], rtol=1e-4, atol=1e-3)


def test_a_short_halo_is_refused():
    with pytest.raises(ValueError, match="halo is 1 before and 2 after; the filter reaches 2 samples"):
        fir_filter(np.zeros((9, 1)), before=1, after=2, taps=np.ones(5, "f4"))
