"""Neighborhoods end where a probe, a shank or a group ends, wherever the groups are."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import xarray as xr

from xephys.errors import ParameterError, RecordingError, XephysWarning
from xephys.kernels.preprocess.spatial.ring import ring_neighbors
from xephys.kernels.preprocess.whiten import whitening_matrix_local
from xephys.kernels.templates.average import nearest_channels as nearest_of_units
from xephys.recording.geometry import (
    channel_groups,
    nearest_channels,
    neighbors_within,
    padded,
    separated_positions,
    shank_labels,
    shank_numbers,
    warn_odd_spacing,
)
from xephys.schema import make_recording

N = 12
GROUPS = np.arange(N) % 3  # channels of three groups alternate
POSITIONS = np.stack([np.zeros(N), 20.0 * (np.arange(N) // 3)], axis=1)  # groups share their positions


def recording(**coordinates: object) -> xr.DataArray:
    places = {"x": POSITIONS[:, 0], "y": POSITIONS[:, 1]}
    return make_recording(np.zeros((30, N), "int16"), sampling_frequency=1e4, coordinates={**places, **coordinates})


def same_group(table: np.ndarray, of_row: np.ndarray) -> bool:
    return bool(np.all((table < 0) | (GROUPS[np.maximum(table, 0)] == of_row[:, None])))


@pytest.mark.parametrize("name", ["probe", "shank", "group"])
def test_each_coordinate_separates_groups(name: str) -> None:
    for values in (GROUPS, np.array(["a", "b", "c"])[GROUPS]):
        groups = channel_groups(recording(**{name: values}))
        assert groups is not None
        assert groups.tolist() == GROUPS.tolist()
    assert channel_groups(recording(**{name: np.zeros(N, int)})) is None


def test_two_probes_with_equal_shank_names_are_four_shanks() -> None:
    shank, probe = np.array(["0", "1"])[np.arange(N) % 2], np.arange(N) // 6
    numbers = shank_numbers(recording(shank=shank, probe=probe))
    assert len(np.unique(numbers)) == 4
    assert len(np.unique(np.stack([numbers, shank.astype(int), probe]), axis=1).T) == 4
    assert set(shank_labels(recording(shank=shank, probe=probe))) == {"0:0", "0:1", "1:0", "1:1"}
    assert set(shank_labels(recording(shank=shank))) == {"0", "1"}
    assert set(shank_labels(recording(probe=probe))) == {"0", "1"}
    assert set(shank_labels(recording())) == {"0"}


def test_a_group_within_a_shank_is_a_neighborhood_but_not_a_shank() -> None:
    of_groups = recording(group=GROUPS, shank=np.zeros(N, int))
    assert channel_groups(of_groups) is not None
    assert np.unique(shank_numbers(of_groups)).tolist() == [0]


def test_no_table_reaches_into_another_group() -> None:
    near = neighbors_within(POSITIONS, radius_um=25.0, groups=GROUPS)
    assert same_group(near, GROUPS)
    assert [row[row >= 0].tolist() for row in near[:2]] == [[0, 3], [1, 4]]
    nearest = nearest_channels(POSITIONS, n_nearest=3, groups=GROUPS)
    assert nearest.shape == (N, 3)
    assert same_group(nearest, GROUPS)
    assert nearest_channels(POSITIONS, n_nearest=9, groups=GROUPS).shape == (N, 4)  # limited by the size of a group
    peaks = np.array([0, 4, 11])
    assert same_group(nearest_of_units(POSITIONS, peak_channels=peaks, n_channels_max=9, groups=GROUPS), GROUPS[peaks])
    limits = {"inner_radius_um": 10.0, "outer_radius_um": 30.0, "n_neighbors_min": 9}
    ring = ring_neighbors(POSITIONS, np.ones(N, bool), **limits, groups=GROUPS)
    assert same_group(ring, GROUPS)
    assert (ring >= 0).sum(axis=1).tolist() == [3] * N
    mixed = np.random.default_rng(0).normal(size=(N, 50))
    neighbors, weights = whitening_matrix_local(mixed @ mixed.T, POSITIONS, n_nearest=9, groups=GROUPS)
    assert same_group(neighbors, GROUPS)
    assert (neighbors >= 0).sum(axis=1).tolist() == [4] * N
    assert np.all((weights == 0) | (neighbors >= 0))


def test_smaller_groups_are_padded() -> None:
    groups = np.array([0, 0, 0, 1])
    nearest = nearest_channels(POSITIONS[:4], n_nearest=3, groups=groups)
    assert nearest.tolist() == [[0, 1, 2], [0, 1, 2], [0, 1, 2], [3, -1, -1]]


def test_a_single_group_changes_nothing() -> None:
    positions = np.random.default_rng(1).uniform(0, 100, (20, 2))
    one = np.zeros(20, int)
    for k in (1, 5, 30):
        np.testing.assert_array_equal(
            nearest_channels(positions, n_nearest=k), nearest_channels(positions, n_nearest=k, groups=one)
        )
    plain = recording()
    np.testing.assert_array_equal(separated_positions(plain, why="a test"), POSITIONS)


def test_separated_positions_do_not_depend_on_where_the_groups_lie() -> None:
    here = separated_positions(recording(probe=GROUPS), why="a test")
    moved = recording(probe=GROUPS).assign_coords(x=("channel", POSITIONS[:, 0] + 500.0 * GROUPS - 40.0))
    np.testing.assert_array_equal(separated_positions(moved, why="a test"), here)
    for group in range(3):
        own = here[group == GROUPS]
        others = here[group != GROUPS]
        assert np.linalg.norm(own[:, None] - others[None], axis=2).min() > 1000
        np.testing.assert_array_equal(own[:, 1], POSITIONS[group == GROUPS, 1])
    with pytest.raises(RecordingError, match="a test needs the positions"):
        separated_positions(recording().drop_vars("x"), why="a test")


SCATTERED = np.random.default_rng(0).uniform(0, 100, (12, 2))


def column(scale=1.0, **coordinates):
    places = {"x": np.zeros(4), "y": 20.0 * scale * np.arange(4), **coordinates}
    return make_recording(np.zeros((10, 4), "i2"), sampling_frequency=1000.0, coordinates=places)


@pytest.mark.parametrize("radius", [0.0, 30.0, 500.0])
def test_neighbors_by_distance(radius):
    table = neighbors_within(SCATTERED, radius_um=radius)
    for c, row in enumerate(table):
        near = [d for d in range(12) if np.hypot(*(SCATTERED[c] - SCATTERED[d])) <= radius]
        assert row[row >= 0].tolist() == near
        assert (row[len(near) :] == -1).all()
    with pytest.raises(ParameterError, match="radius_um is -1; it must be at least 0"):
        neighbors_within(SCATTERED, radius_um=-1)


@pytest.mark.parametrize("n", [1, 5, 50])
def test_nearest_by_distance(n):
    table = nearest_channels(SCATTERED, n_nearest=n)
    for c, row in enumerate(table):
        order = sorted(range(12), key=lambda d: (np.hypot(*(SCATTERED[c] - SCATTERED[d])), d))
        assert row.tolist() == sorted(order[:n])
    with pytest.raises(ParameterError, match="n_nearest is 0; it must be at least 1"):
        nearest_channels(SCATTERED, n_nearest=0)


def test_rows_are_padded():
    assert padded([[1], [], [2, 3]]).tolist() == [[1, -1], [-1, -1], [2, 3]]
    assert padded([]).shape == (0, 0)


def test_shanks_are_counted_from_zero():
    assert shank_numbers(column(shank=["b", "a", "b", "c"])).tolist() == [1, 0, 1, 2]
    assert shank_numbers(column()).tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize(("scale", "unit"), [(1e-3, "mm"), (1e3, "nm")])
def test_other_units_are_noticed(scale, unit):
    with pytest.warns(XephysWarning, match=f"if they are in {unit}"):
        warn_odd_spacing(column(scale))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_odd_spacing(column())
        warn_odd_spacing(column(0.0))  # all in one place
