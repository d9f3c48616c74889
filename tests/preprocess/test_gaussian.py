import numpy as np
import pytest

import xephys
from xephys.errors import ParameterError


def sines():
    """One second with one frequency per channel."""
    time_s = np.arange(30_000) / 30_000
    freq_hz = np.array([10.0, 300.0, 1500.0, 8000.0])
    return freq_hz, xephys.make_recording(
        np.sin(2 * np.pi * freq_hz * time_s[:, None]).astype("f4"), sampling_frequency=30_000.0
    )


@pytest.mark.parametrize("corners", [(300.0, 5000.0), (None, 2000.0), (400.0, None)])
def test_sines_pass_with_the_gain_of_the_formula_and_without_delay(corners):
    freq_hz, recording = sines()
    low, high = corners
    gain = (1.0 if high is None else np.exp(-0.5 * (freq_hz / high) ** 2)) - (
        0.0 if low is None else np.exp(-0.5 * (freq_hz / low) ** 2)
    )
    got = xephys.gaussian_filter(recording, freq_min_hz=low, freq_max_hz=high)
    np.testing.assert_allclose(got.values[1000:-1000], (gain * recording.values)[1000:-1000], atol=6e-3)


def test_bad_input_is_refused():
    _, recording = sines()
    with pytest.raises(ParameterError, match="both None"):
        xephys.gaussian_filter(recording, freq_min_hz=None, freq_max_hz=None)
    with pytest.raises(ParameterError, match="is not below freq_max_hz"):
        xephys.gaussian_filter(recording, freq_min_hz=5000, freq_max_hz=300)
    with pytest.raises(ParameterError, match="freq_max_hz is 15000 Hz"):
        xephys.gaussian_filter(recording, freq_max_hz=15_000)
