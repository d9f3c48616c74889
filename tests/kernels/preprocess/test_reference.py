"""Common and local references equal NumPy's, row by row."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.support.references import reference_by_numpy
from xephys.kernels.preprocess.reference import common_reference, local_reference


def test_nan_affects_its_sample_only():
    rng = np.random.default_rng(0)
    traces = rng.standard_normal((300, 20)).astype("float32")
    traces[100, 3] = np.nan
    traces[200] = np.nan
    for operator in ("median", "average"):
        got = common_reference(traces, operator=operator)
        assert np.isnan(got[[100, 200]]).all()
        assert not np.isnan(np.delete(got, [100, 200], axis=0)).any()


@pytest.mark.parametrize("operator", ["median", "average"])
@pytest.mark.parametrize("scattered", [False, True])
def test_groups_reference_channels_and_bad_channels(operator, scattered):
    rng = np.random.default_rng(1)
    traces = rng.normal(0, 10, (200, 70)).astype("float32")
    groups = np.repeat([5, 2, 9], [30, 20, 20])
    if scattered:
        groups = rng.permutation(groups)
    good = rng.random(70) > 0.2
    wanted = np.flatnonzero(rng.random(70) > 0.3)
    cases = [{}, {"groups": groups}, {"good": good}, {"reference_channels": wanted}]
    cases.append({"groups": groups, "good": good, "reference_channels": wanted})
    for case in cases:
        got = common_reference(traces, operator=operator, **case)
        want = reference_by_numpy(
            traces, operator, case.get("groups"), case.get("reference_channels"), case.get("good")
        )
        if operator == "median":
            np.testing.assert_array_equal(got, want)
        else:
            np.testing.assert_allclose(got, want, rtol=0, atol=1e-5)


@pytest.mark.parametrize("operator", ["median", "average"])
def test_channels_without_a_group_are_unchanged(operator):
    traces = np.random.default_rng(3).normal(0, 10, (100, 40)).astype("float32")
    groups = np.tile([3, -1, 0, -7], 10)
    got = common_reference(traces, operator=operator, groups=groups)
    np.testing.assert_array_equal(got[:, groups < 0], traces[:, groups < 0])
    own = groups >= 0
    np.testing.assert_array_equal(got[:, own], common_reference(traces[:, own], operator=operator, groups=groups[own]))
    np.testing.assert_array_equal(common_reference(traces, operator=operator, groups=np.full(40, -1)), traces)


@pytest.mark.parametrize("operator", ["median", "average"])
def test_rows_do_not_depend_on_their_block(operator):
    rng = np.random.default_rng(2)
    traces = rng.normal(0, 10, (2000, 65)).astype("float32")
    neighbors = rng.integers(-1, 65, (65, 9)).astype("int32")
    neighbors[:, 0] = 3
    for function, arguments in ((common_reference, {}), (local_reference, {"neighbors": neighbors})):
        whole = function(traces, operator=operator, **arguments)
        for rows in (1, 7, 512):
            parts = [function(traces[i : i + rows], operator=operator, **arguments) for i in range(0, 600, rows)]
            joined = np.concatenate(parts)
            np.testing.assert_array_equal(joined, whole[: len(joined)])


def quiet_level_by_numpy(values, limits, operator):
    """The reference of one sample of one group, as written in the docstring."""
    chosen = values[np.abs(values) <= limits]
    if len(chosen) < len(values) / 4:
        ratios = np.abs(values) / limits
        low, middle, high = np.sort(ratios)[[len(values) // 4, len(values) // 2, 3 * len(values) // 4]]
        quietest = np.argsort(ratios)[: math.ceil(len(values) / 4)]
        chosen = values[quietest] if high - low > 0.5 * middle else values
    return np.float32(np.median(chosen) if operator == "median" else chosen.mean(dtype="float64"))


@pytest.mark.parametrize("operator", ["median", "average"])
def test_loud_channels_are_left_out_of_the_reference(operator):
    rng = np.random.default_rng(4)
    traces = rng.normal(0, 10, (600, 70)).astype("float32")
    # From no loud channel to all of them, so that both limits are passed.
    traces -= 100 * (rng.random(traces.shape) < np.linspace(0, 1.1, 600)[:, None])
    traces[::2] *= rng.uniform(0.5, 3, traces[::2].shape).astype("float32")
    groups, good = np.repeat([5, 2, -1], [33, 32, 5]), rng.random(70) > 0.1
    limits = rng.uniform(20, 40, 70).astype("float32")
    got = common_reference(traces, operator=operator, groups=groups, good=good, quiet_limits=limits)
    for group in (5, 2):
        own, members = groups == group, (groups == group) & good
        level = np.array([quiet_level_by_numpy(row, limits[members], operator) for row in traces[:, members]])
        np.testing.assert_allclose(got[:, own], traces[:, own] - level[:, None], rtol=0, atol=1e-5)
    np.testing.assert_array_equal(got[:, groups < 0], traces[:, groups < 0])
    for rows in (1, 7):
        parts = [common_reference(traces[i : i + rows], quiet_limits=limits) for i in range(0, 600, rows)]
        np.testing.assert_array_equal(np.concatenate(parts)[:600], common_reference(traces, quiet_limits=limits))


def test_spikes_on_half_the_channels_do_not_reach_the_others():
    traces = np.random.default_rng(5).normal(0, 1, (200, 32)).astype("float32")
    traces[100, :18] -= np.float32(20)
    limits = np.full(32, 3, "float32")
    assert np.abs(common_reference(traces)[100, 18:]).min() > 5
    np.testing.assert_allclose(common_reference(traces, quiet_limits=limits)[100, 18:], traces[100, 18:], atol=1.0)


def test_large_spikes_on_most_channels_do_not_reach_the_others():
    """Two large neurons fire together: the flanks of their spikes leave less than a quarter of the channels quiet."""
    traces = np.random.default_rng(6).normal(0, 1, (200, 32)).astype("float32")
    traces[100, :26] -= np.geomspace(60, 4, 26, dtype="float32")
    limits = np.full(32, 3, "float32")
    assert np.median(common_reference(traces)[100, 26:]) > 8
    np.testing.assert_allclose(common_reference(traces, quiet_limits=limits)[100, 26:], traces[100, 26:], atol=2.0)


@pytest.mark.parametrize("shared", [8, -20, 300])
def test_what_all_channels_share_is_removed_as_without_limits(shared):
    rng = np.random.default_rng(5)
    traces = rng.normal(0, 1, (200, 32)) + shared * rng.uniform(0.8, 1.2, 32)
    traces, limits = traces.astype("float32"), np.full(32, 3, "float32")
    np.testing.assert_array_equal(common_reference(traces, quiet_limits=limits), common_reference(traces))


def test_a_channel_without_noise_levels_is_no_quiet_one():
    traces = np.geomspace(4, 60, 20, dtype="float32")[None]
    limits = np.full(20, 2, "float32")
    limits[:3] = 0
    level = np.median(traces[0, 3:8])
    np.testing.assert_array_equal(common_reference(traces, quiet_limits=limits), traces - level)


def test_nan_spreads_with_limits_too():
    traces = np.ones((3, 20), "float32")
    traces[1, 3], traces[1, 4:9] = np.nan, 50
    got = common_reference(traces, quiet_limits=np.full(20, 2, "float32"))
    assert np.isnan(got[1]).all() and not np.isnan(got[[0, 2]]).any()


def test_before_and_after_are_left_out():
    traces = np.random.default_rng(3).normal(0, 10, (100, 5)).astype("float32")
    np.testing.assert_array_equal(common_reference(traces, before=10, after=30), common_reference(traces)[10:70])


@pytest.mark.parametrize("operator", ["median", "average"])
@pytest.mark.parametrize("k", [1, 2, 5, 8])
def test_local_reference_equals_numpy(operator, k):
    rng = np.random.default_rng(k)
    traces = rng.normal(0, 10, (50, 23)).astype("float32")
    good = rng.random(23) > 0.2
    neighbors = np.array([rng.permutation(23)[:k] for _ in range(23)], dtype="int32")
    neighbors[:, 0] = np.flatnonzero(good)[0]
    neighbors[::3, k // 2 + 1 :] = -1
    got = local_reference(traces, neighbors=neighbors, operator=operator, good=good)
    for c in range(23):
        chosen = [i for i in neighbors[c] if i >= 0 and good[i]]
        level = getattr(np, "median" if operator == "median" else "mean")(traces[:, chosen], axis=1)
        if operator == "median":
            np.testing.assert_array_equal(got[:, c], traces[:, c] - level)
        else:
            np.testing.assert_allclose(got[:, c], traces[:, c] - level, rtol=0, atol=1e-5)


def test_local_nan_affects_its_neighbors_only():
    neighbors = np.array([[1, 2, 3], [0, 2, 3], [0, 1, 3], [2, -1, -1]], dtype="int32")
    traces = np.ones((20, 4), dtype="float32")
    for position in range(3):
        traces[:] = 1
        traces[5, position] = np.nan
        got = local_reference(traces, neighbors=neighbors)
        expected = np.zeros((20, 4), bool)
        expected[5] = [position in row or position == c for c, row in enumerate(neighbors)]
        np.testing.assert_array_equal(np.isnan(got), expected)


def test_bad_arguments_are_refused():
    traces = np.zeros((4, 3), dtype="float32")
    with pytest.raises(ValueError, match="operator"):
        common_reference(traces, operator="mode")
    with pytest.raises(ValueError, match="group 7"):
        common_reference(traces, groups=np.array([1, 1, 7]), good=np.array([True, True, False]))
    with pytest.raises(ValueError, match="the recording"):
        common_reference(traces, good=np.zeros(3, bool))
    with pytest.raises(ValueError, match="reference_channels"):
        common_reference(traces, reference_channels=np.array([3]))
    with pytest.raises(ValueError, match="mask"):
        common_reference(traces, good=np.array([0, 1, 2]))
    with pytest.raises(ValueError, match="one label"):
        common_reference(traces, groups=np.array([0, 1]))
    with pytest.raises(ValueError, match="do not fit"):
        common_reference(traces, before=3, after=3)
    with pytest.raises(ValueError, match="quiet_limits has shape"):
        common_reference(traces, quiet_limits=np.ones(2, "float32"))
    with pytest.raises(ValueError, match="channel 2 has no good neighbor"):
        local_reference(traces, neighbors=np.array([[1], [0], [-1]]))
    with pytest.raises(ValueError, match="neighbors"):
        local_reference(traces, neighbors=np.array([[1], [0], [3]]))
