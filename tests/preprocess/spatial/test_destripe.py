import numpy as np
import pytest

import xephys
from xephys.errors import ParameterError, RecordingError

RATE = 10_000.0


@pytest.fixture(scope="module")
def striped():
    """Two shanks of 40 noisy channels; each shank has a common stripe that slopes over depth."""
    rng = np.random.default_rng(0)
    y = np.tile(np.arange(40) * 20.0, 2)
    shank = np.repeat(["a", "b"], 40)
    noise = rng.normal(0, 5, (12_000, 80))
    stripes = rng.normal(0, 100, (12_000, 2))[:, (shank == "b").astype(int)] * (1 + y / 4000)
    recording = xephys.make_recording(
        (noise + stripes).astype("f4"), sampling_frequency=RATE,
        coordinates={"x": np.repeat([0.0, 500.0], 40), "y": y, "shank": shank},
    )  # fmt: skip
    return recording.isel(channel=rng.permutation(80)), noise


def test_stripes_are_removed_and_noise_stays(striped):
    recording, noise = striped
    clean = xephys.highpass_spatial_filter(recording)
    assert recording.values.std() > 90
    assert 0.8 * noise.std() < clean.values.std() < 1.6 * noise.std()


def test_shanks_are_filtered_separately(striped):
    recording, _ = striped
    only = recording.isel(channel=np.flatnonzero(recording.shank.values == "a"))
    together = xephys.highpass_spatial_filter(recording)
    alone = xephys.highpass_spatial_filter(only)
    np.testing.assert_allclose(together.sel(channel=only.channel).values, alone.values, rtol=1e-3, atol=1e-2)


def test_bad_input_is_refused(striped):
    recording, _ = striped
    with pytest.raises(ParameterError, match=r"freq_min is 300; it is a fraction"):
        xephys.highpass_spatial_filter(recording, freq_min=300)
    with pytest.raises(ParameterError, match="gain_window_s is 0"):
        xephys.highpass_spatial_filter(recording, gain_window_s=0)
    with pytest.raises(RecordingError, match="needs the positions"):
        xephys.highpass_spatial_filter(recording.drop_vars(["x", "y"]))
