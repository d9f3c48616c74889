import numpy as np
import pytest
from scipy.signal import butter, fftconvolve, sosfiltfilt

from xephys.kernels.lib.mixing import pack_dense
from xephys.kernels.preprocess.spatial.destripe import destripe, highpass_matrix


@pytest.mark.parametrize(("n", "pad"), [(80, 60), (24, 60), (30, 10)])
def test_the_matrix_is_the_filter_over_mirrored_channels(n, pad):
    traces = np.random.default_rng(0).standard_normal((50, n))
    width = min(n, pad)
    mirrored = np.concatenate([traces[:, :width][:, ::-1], traces, traces[:, n - width :][:, ::-1]], axis=1)
    sos = butter(3, 0.05, btype="highpass", output="sos")
    expected = sosfiltfilt(sos, mirrored, axis=1)[:, width : width + n]
    got = traces @ highpass_matrix(n, freq_min=0.05, order=3, n_channel_pad=pad)
    np.testing.assert_allclose(got, expected, atol=1e-10)


def reference(traces, matrix, window, floor, groups):
    hann = np.hanning(window)
    gain = fftconvolve(abs(traces), (hann / hann.sum())[:, None], mode="same", axes=0)
    for group in np.unique(groups):
        own = groups == group
        gain[:, own] += floor * gain[:, own].mean(axis=1, keepdims=True)
    return (traces / gain) @ matrix * gain


@pytest.mark.parametrize("window", [101, 3])
def test_result_equals_a_readable_reference(window):
    rng = np.random.default_rng(1)
    traces = (rng.standard_normal((2000, 6)) * np.linspace(1, 50, 2000)[:, None]).astype("f4")
    groups = np.array([0, 0, 1, 1, 1, 0])
    matrix = rng.standard_normal((6, 6)) * (groups[:, None] == groups)
    expected = reference(traces.astype("f8"), matrix, window, 0.003, groups)
    got = destripe(traces, before=60, after=70, window_samples=window, floor=0.003, groups=groups, **pack_dense(matrix))
    np.testing.assert_allclose(got, expected[60:-70], rtol=1e-3, atol=2e-3)


def test_silence_stays_silent_and_without_a_window_the_matrix_is_applied():
    matrix = np.random.default_rng(2).standard_normal((3, 3))
    given = {"floor": 0.003, "groups": np.zeros(3, np.int64), **pack_dense(matrix)}
    assert (destripe(np.zeros((99, 3), "f4"), before=10, after=10, window_samples=21, **given) == 0).all()
    traces = np.random.default_rng(3).standard_normal((50, 3)).astype("f4")
    plain = destripe(traces, before=1, after=2, window_samples=0, **given)
    np.testing.assert_allclose(plain, traces[1:-2] @ matrix, rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match="the window reaches 10 samples"):
        destripe(traces, before=1, after=10, window_samples=21, **given)
