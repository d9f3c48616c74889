"""Channels of several recordings are joined side by side and separated again."""

import numpy as np
import pytest

import xephys
from xephys.errors import ParameterError, RecordingError
from xephys.recording.geometry import shank_numbers
from xephys.schema import make_recording

RATE = 1000.0


def probe(seed, n_channels=4, start_s=2.0, n=3000, **more):
    values = np.random.default_rng(seed).integers(-99, 99, (n, n_channels)).astype("i2")
    places = {"x": np.zeros(n_channels), "y": 20.0 * np.arange(n_channels), "shank": np.zeros(n_channels, int)}
    return make_recording(values, sampling_frequency=RATE, start_s=start_s, coordinates=places | more)


@pytest.mark.parametrize("lazy", [True, False])
def test_there_and_back(lazy, tmp_path):
    parts = [probe(0), probe(1, n_channels=6, brain_area=np.array(list("abcdef")))]
    if lazy:
        parts = [xephys.save_recording(part, tmp_path / str(k)) for k, part in enumerate(parts)]
    both = xephys.aggregate_channels(parts)
    assert both.sizes == {"time": 3000, "channel": 10} and "brain_area" not in both.coords
    np.testing.assert_array_equal(both.values, np.hstack([part.values for part in parts]))
    assert both.xindexes["time"].equals(parts[0].xindexes["time"]) and both.y.attrs == {"units": "um"}
    apart = xephys.split_channels(both)
    assert list(apart) == [0, 1]
    for one, part in zip(apart.values(), parts, strict=True):
        np.testing.assert_array_equal(one.values, part.values)
        assert one.y.values.tolist() == part.y.values.tolist()


def test_probes_in_the_same_place_are_kept_apart():
    both = xephys.aggregate_channels([probe(0), probe(0)])
    assert shank_numbers(both).tolist() == [0] * 4 + [1] * 4
    four = xephys.aggregate_channels([both, both])
    assert list(dict.fromkeys(four.probe.values.tolist())) == ["0:0", "0:1", "1:0", "1:1"]
    assert shank_numbers(four).max() == 3
    assert len(set(four.channel.values.tolist())) == 16


def test_joined_probes_survive_the_bridge():
    both = xephys.aggregate_channels([probe(0), probe(1)])
    theirs = xephys.to_spikeinterface(both)
    np.testing.assert_array_equal(theirs.get_traces(), both.values)
    back = xephys.from_spikeinterface(theirs)
    assert back.probe.values.tolist() == both.probe.values.tolist()


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (lambda: probe(1, n=2000), "recording 1 has 2000 samples and recording 0 has 3000.*time_slice"),
        (lambda: probe(1, start_s=2.5), r"recording 1 begins 0\.5 s after recording 0"),
        (lambda: probe(1).assign_attrs(units="uV"), "recording 1 has uV as unit and recording 0 has counts"),
    ],
)
def test_recordings_that_were_not_simultaneous_are_refused(second, message):
    with pytest.raises(RecordingError, match=message):
        xephys.aggregate_channels([probe(0), second()])


def test_wrong_calls_are_refused():
    with pytest.raises(ParameterError, match="give recordings of one segment each in a list"):
        xephys.aggregate_channels([])
    with pytest.raises(ParameterError, match="the channels have no 'probes'; split by one of shank, x, y"):
        xephys.split_channels(probe(0), by="probes")
