import numpy as np
import pytest

import xephys
from xephys.errors import ParameterError


@pytest.fixture(scope="module")
def recording():
    traces = np.zeros((30_000, 4), "i2")
    traces[:50, 1] = 32_000
    traces[10_000:10_500, 2] = -32_000
    traces[10_503:10_600, 0] = 32_000
    traces[20_000:20_100] = 32_000
    traces[29_999] = 32_000
    return xephys.make_recording(traces, sampling_frequency=10_000.0, start_s=2.0).chunk({"time": 4096})


def test_rails_are_found_joined_and_can_be_silenced(recording):
    periods = xephys.detect_artifact_periods(recording, threshold=31_000, join_ms=1.0)
    expected = [(2.0, 2.005), (3.0, 3.06), (4.0, 4.01), (4.9999, 5.0)]
    np.testing.assert_allclose(np.stack([periods["start_s"], periods["stop_s"]], axis=1), expected)
    assert (xephys.silence_periods(recording, periods_s=periods).values == 0).all()


def test_a_share_of_the_channels_and_channels_left_out(recording):
    many = xephys.detect_artifact_periods(recording, threshold=31_000, channel_fraction=0.75)
    np.testing.assert_allclose(many["start_s"], [4.0, 4.9999])
    bad = recording.assign_coords(bad=("channel", [True, True, False, False]))
    np.testing.assert_allclose(xephys.detect_artifact_periods(bad, threshold=31_000)["start_s"], [3.0, 4.0, 4.9999])


def test_periods_do_not_depend_on_chunks(recording):
    whole = xephys.detect_artifact_periods(recording.chunk({"time": -1}), threshold=31_000)
    assert whole.identical(xephys.detect_artifact_periods(recording.chunk({"time": 777}), threshold=31_000))


def test_bad_input_is_refused(recording):
    with pytest.raises(ParameterError, match=r"threshold has shape \(2,\)"):
        xephys.detect_artifact_periods(recording, threshold=[1, 2])
    with pytest.raises(ParameterError, match=r"threshold has shape \(\) and a minimum of -1"):
        xephys.detect_artifact_periods(recording, threshold=-1)
    with pytest.raises(ParameterError, match=r"channel_fraction is 1\.5"):
        xephys.detect_artifact_periods(recording, threshold=9, channel_fraction=1.5)
