"""Segments of a recording as a tree, and back in order."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import xephys
from xephys.errors import ParameterError, RecordingError
from xephys.recording.segments import segments_of, tree_of
from xephys.schema import make_recording

WHOLE = make_recording(np.arange(240).reshape(120, 2), sampling_frequency=1000.0)


def test_there_and_back_in_the_order_of_numbers():
    pieces = [WHOLE[10 * k : 10 * k + 10] for k in range(12)]  # segment_10 comes after segment_9
    back = segments_of(tree_of(pieces))
    assert [piece.values[0, 0] for piece in back] == [20 * k for k in range(12)]
    assert segments_of(WHOLE)[0] is WHOLE


def test_trees_without_traces_are_refused():
    with pytest.raises(TypeError, match=r"expected a recording .*got list"):
        segments_of([WHOLE])
    with pytest.raises(RecordingError, match="no node of the tree holds 'traces'"):
        segments_of(xr.DataTree.from_dict({"a": xr.Dataset({"spikes": ("spike", [1])})}))


def places(n=2):
    return {"x": np.zeros(n), "y": 20.0 * np.arange(n)}


def segment(seed, n=4000, start_s=0.0, rate=10_000.0, n_channels=2, dtype="i2", **more):
    values = np.random.default_rng(seed).integers(-99, 99, (n, n_channels)).astype(dtype)
    return make_recording(
        values, sampling_frequency=rate, start_s=start_s, coordinates=places(n_channels) | more, attributes={"a": 1}
    )


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (segment(1, n_channels=3), r"segment 1 has channels \[0, 1, 2\] and segment 0 has \[0, 1\]"),
        (segment(1, dtype="f4"), "segment 1 has dtype float32"),
        (segment(1, rate=20_000.0), "segment 1 has sampling frequency 20000"),
        (segment(1).assign_attrs(units="uV"), "segment 1 has units uV and segment 0 has counts"),
        (segment(1, y=np.array([0.0, 50.0])), "the coordinate 'y' of segment 1 is not that of segment 0"),
        (segment(1, gain_to_uv=np.ones(2)), "the coordinate 'gain_to_uv' of segment 1 is not"),
    ],
)
def test_segments_that_differ_are_refused(second, message):
    with pytest.raises(RecordingError, match=message):
        xephys.append_segments([segment(0), second])


def test_wrong_calls_of_joining():
    with pytest.raises(TypeError, match=r"give \[one, two, \.\.\.\]"):
        xephys.append_segments(segment(0))
    with pytest.raises(ParameterError, match="no recording is given"):
        xephys.append_segments([])


def test_steps_take_a_tree_and_give_one_back():
    tree = xephys.append_segments([segment(0), segment(1, n=3000)])
    filtered = xephys.bandpass_filter(tree, freq_min_hz=300, freq_max_hz=3000)
    same = tree.ephys.bandpass_filter(freq_min_hz=300, freq_max_hz=3000)
    mapped = tree.map_over_datasets(
        lambda node: (
            xephys.bandpass_filter(node["traces"], freq_min_hz=300, freq_max_hz=3000).to_dataset() if node else node
        )
    )
    for k, part in enumerate(segments_of(tree)):
        expected = xephys.bandpass_filter(part, freq_min_hz=300, freq_max_hz=3000)
        for made in (filtered, same, mapped):
            xr.testing.assert_identical(made[f"segment_{k}/traces"].compute(), expected.compute())
    named = tree.copy()
    named.attrs["subject"] = "A"
    assert xephys.scale(named, gain=2.0).attrs == {"subject": "A"}
    with pytest.raises(RecordingError, match="no node of the tree holds 'traces'"):
        xephys.bandpass_filter(xr.DataTree.from_dict({"a": xr.Dataset({"spikes": ("spike", [1])})}))
    with pytest.raises(TypeError, match="DataTree of segments; take one of them"):
        xephys.estimate_noise_levels(tree)


def test_a_tree_that_xarray_stored_is_opened_again(tmp_path):
    tree = xephys.append_segments([segment(k, n=400 + k, start_s=float(k)).chunk({"time": 200}) for k in range(11)])
    tree.to_zarr(tmp_path / "a.zarr")
    opened = xephys.open_recording(tmp_path / "a.zarr")
    assert len(segments_of(opened)) == 11
    for one, other in zip(segments_of(opened), segments_of(tree), strict=True):
        np.testing.assert_array_equal(one.values, other.values)
        assert one.xindexes["time"].equals(other.xindexes["time"])
