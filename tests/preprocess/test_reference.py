"""Common references against NumPy and SpikeInterface, with bad channels and groups."""

from __future__ import annotations

import numpy as np
import pytest

import xephys
from xephys import ParameterError, RecordingError
from xephys.schema import make_recording

RNG = np.random.default_rng(0)
TRACES = (RNG.normal(0, 20, (4000, 1)) + RNG.normal(0, 10, (4000, 12)) + 100).astype("f4")
PLACES = {"x": np.arange(12) % 2 * 32.0, "y": np.arange(12) // 2 * 20.0}
BAD = np.isin(np.arange(12), [2, 7])


def recording(**coordinates):
    return make_recording(TRACES, sampling_frequency=30_000.0, coordinates={**PLACES, **coordinates})


NUMPY = {"median": np.median, "average": np.mean}


@pytest.mark.parametrize("operator", NUMPY)
def test_the_global_reference_equals_numpys(operator):
    found = xephys.common_reference(recording(), operator=operator)
    expected = TRACES - NUMPY[operator](TRACES.astype("f8"), axis=1, keepdims=True)
    np.testing.assert_allclose(found.values, expected, atol=1e-4)


@pytest.mark.parametrize("operator", NUMPY)
def test_bad_channels_do_not_contribute_but_are_referenced(operator):
    found = xephys.common_reference(recording(bad=BAD), operator=operator)
    expected = TRACES - NUMPY[operator](TRACES[:, ~BAD].astype("f8"), axis=1, keepdims=True)
    np.testing.assert_allclose(found.values, expected, atol=1e-4)


@pytest.mark.parametrize("groups", ["shank", [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2]])
def test_groups_are_referenced_separately(groups):
    shank = np.arange(12) // 4
    found = xephys.common_reference(recording(shank=shank), groups=groups)
    for k in range(3):
        own = TRACES[:, shank == k]
        expected = own - np.median(own.astype("f8"), axis=1, keepdims=True)
        np.testing.assert_allclose(found.values[:, shank == k], expected, atol=1e-4)


def test_groups_of_few_good_channels_are_left_as_they_are():
    shank = np.repeat([0, 1, 2], [6, 4, 2])
    bad = np.isin(np.arange(12), [7, 10, 11])  # six, three and no good channels
    for n_channels_min, referenced in ((1, [0, 1]), (4, [0]), (7, [])):
        found = xephys.common_reference(recording(shank=shank, bad=bad), groups="shank", n_channels_min=n_channels_min)
        for k in range(3):
            own = TRACES[:, shank == k]
            level = (
                np.median(TRACES[:, (shank == k) & ~bad].astype("f8"), axis=1, keepdims=True) if k in referenced else 0
            )
            np.testing.assert_allclose(found.values[:, shank == k], own - level, atol=1e-4)
    np.testing.assert_array_equal(xephys.common_reference(recording(), n_channels_min=13).values, TRACES)


def test_one_channel_as_the_reference():
    found = xephys.common_reference(recording(), reference_channel_ids=[5])
    np.testing.assert_allclose(found.values, TRACES - TRACES[:, [5]], atol=1e-4)


@pytest.mark.parametrize("operator", NUMPY)
def test_the_local_reference_equals_spikeinterfaces(operator):
    import spikeinterface.core as si
    import spikeinterface.preprocessing as sp

    peer = si.NumpyRecording([TRACES], 30_000.0)
    peer.set_dummy_probe_from_locations(np.stack([PLACES["x"], PLACES["y"]], axis=1))
    theirs = sp.common_reference(peer, reference="local", operator=operator, local_radius=(25, 70))
    ours = xephys.common_reference(
        recording(), reference="local", operator=operator, inner_radius_um=25, outer_radius_um=70, n_neighbors_min=1
    )
    np.testing.assert_allclose(ours.values, theirs.get_traces(), atol=1e-3)


def test_channels_with_a_spike_do_not_contribute():
    traces = TRACES - TRACES.mean()
    traces[500, :6] -= 500
    given = make_recording(traces, sampling_frequency=30_000.0, coordinates={**PLACES, "bad": BAD})
    levels = xephys.estimate_noise_levels(given)
    found = xephys.common_reference(given, noise_levels=levels, quiet_threshold=3.5)
    quiet = (np.abs(traces) <= 3.5 * levels.values.astype("f4")) & ~BAD
    quiet[quiet.sum(axis=1) < 0.25 * (~BAD).sum()] = ~BAD
    assert quiet[500].sum() == 5
    expected = traces - np.nanmedian(np.where(quiet, traces, np.nan), axis=1, keepdims=True)
    np.testing.assert_allclose(found.values, expected, atol=1e-4)
    assert (
        abs(found.values[500, 6:] - traces[500, 6:]).max() < 100
    )  # without noise levels, a median of -250 is subtracted


def test_a_ring_with_few_channels_adds_the_nearest_beyond_it():
    found = xephys.common_reference(
        recording(), reference="local", inner_radius_um=10, outer_radius_um=11, n_neighbors_min=3, operator="average"
    )
    # Channel 0: its nearest are at 20 µm (2), 32 µm (1) and 37.7 µm (3).
    expected = TRACES[:, 0] - TRACES[:, [1, 2, 3]].astype("f8").mean(axis=1)
    np.testing.assert_allclose(found.values[:, 0], expected, atol=1e-4)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"operator": "medain"}, "operator is 'medain'.*did you mean 'median'"),
        ({"reference": "glob"}, "reference is 'glob'.*did you mean 'global'"),
        ({"groups": "shonk"}, "groups is 'shonk', not a coordinate of the channels; they have"),
        ({"groups": [0, 1]}, r"groups has shape \(2,\); give one value for each of 12 channels"),
        ({"n_channels_min": 0}, "n_channels_min is 0; a reference needs at least 1 channel"),
        ({"quiet_threshold": 0}, "quiet_threshold is 0"),
        ({"reference_channel_ids": [3, 99]}, "reference channels 99 do not exist; the channels are 0 to 11"),
        (
            {"reference": "local", "inner_radius_um": 60, "outer_radius_um": 50},
            r"inner_radius_um \(60\) must be at least 0 and below outer_radius_um \(50\)",
        ),
    ],
)
def test_wrong_parameters_are_refused(parameters, message):
    with pytest.raises(ParameterError, match=message):
        xephys.common_reference(recording(), **parameters)


def test_references_without_channels_are_refused():
    with pytest.raises(RecordingError, match="every channel is marked bad"):
        xephys.common_reference(recording(bad=np.ones(12, bool)))
    with pytest.raises(RecordingError, match="every reference channel is marked bad; choose others"):
        xephys.common_reference(recording(bad=BAD), reference_channel_ids=[2, 7])
    with pytest.raises(RecordingError, match="a group has good channels and none of the reference channels"):
        xephys.common_reference(recording(), groups=[0] * 6 + [1] * 6, reference_channel_ids=[0, 2])
    with pytest.raises(RecordingError, match="no other beyond 500 um"):
        xephys.common_reference(recording(), reference="local", inner_radius_um=500, outer_radius_um=600)
    with pytest.raises(RecordingError, match=r"noise_levels has shape \(3,\) for 12 channels"):
        xephys.common_reference(recording(), noise_levels=np.ones(3))
    bare = make_recording(TRACES, sampling_frequency=30_000.0)
    with pytest.raises(RecordingError, match="a local reference needs the positions"):
        xephys.common_reference(bare, reference="local")
