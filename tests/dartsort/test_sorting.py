"""Sortings in files: they come back the same, and other files are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from xephys import ParameterError
from xephys.dartsort import DARTsortSorting
from xephys.dartsort.convert import LOCALIZATIONS
from xephys.dartsort.hdf5 import write_features
from xephys.dartsort.sorting import features_of

from .featured import sorting

GEOM = np.column_stack([np.zeros(4), 20.0 * np.arange(4)])


def assert_same(a: DARTsortSorting, b: DARTsortSorting) -> None:
    for name in ("times_samples", "channels", "labels"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
    assert a.sampling_frequency == b.sampling_frequency


def test_npz_comes_back(tmp_path: Path) -> None:
    s = sorting(sampling_frequency=25_000)
    s.save(tmp_path / "a.npz")
    back = DARTsortSorting.load(tmp_path / "a.npz")
    assert_same(s, back)
    np.testing.assert_array_equal(back.matrix, s.matrix)
    assert set(
        DARTsortSorting.load(tmp_path / "a.npz", load_ephemeral_feature_names=["amplitude"]).spike_feature_dict
    ) == {"amplitude"}
    with np.load(tmp_path / "a.npz") as stored:
        assert {"times_samples", "channels", "labels", "sampling_frequency", "ephemeral_feature_names"} <= set(stored)


def test_hdf5_comes_back_and_moves_with_its_npz(tmp_path: Path) -> None:
    pytest.importorskip("h5py")
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    s = sorting()
    write_features(first / "f.h5", {**features_of(s), "matrix": s.matrix}, geom=GEOM, sampling_frequency=30_000)
    back = DARTsortSorting.from_peeling_hdf5(first / "f.h5")
    assert_same(s, back)
    assert back.has_persistent_labels()
    assert set(back.spike_feature_dict) == {"times_seconds", "amplitude", LOCALIZATIONS}
    np.testing.assert_array_equal(back.geom, GEOM)
    every = DARTsortSorting.from_peeling_hdf5(first / "f.h5", load_all_features=True)
    np.testing.assert_array_equal(every.matrix, s.matrix)
    back.add_feature("more", np.arange(6))
    relabeled = back.ephemeral_replace(labels=np.zeros(6, int))
    relabeled.save(first / "s.npz")
    first.rename(second)
    moved = DARTsortSorting.load(second / "s.npz", additional_persistent_features=["matrix"])
    assert not moved.has_persistent_labels() and moved.labels.tolist() == [0] * 6
    assert moved.more.tolist() == list(range(6)) and moved.matrix.shape == (6, 8, 4)


def test_features_of_the_file_are_read_when_asked_for(tmp_path: Path) -> None:
    """A finished folder of dartsort names few features in its NPZ, and its users expect those of the HDF5 file."""
    h5py = pytest.importorskip("h5py")
    s = sorting()
    write_features(tmp_path / "f.h5", {**features_of(s), "matrix": s.matrix}, geom=GEOM, sampling_frequency=30_000)
    chosen = DARTsortSorting.from_peeling_hdf5(tmp_path / "f.h5", load_feature_names=[])
    chosen.ephemeral_replace(labels=np.array([7, 7, 7, -1, 8, 8])).save(tmp_path / "s.npz")
    back = DARTsortSorting.load(tmp_path / "s.npz")
    np.testing.assert_array_equal(back.amplitude, s.amplitude)
    assert set(back.to_pandas()) >= {"amplitude", "x", "y", "z", "labels"}
    assert "matrix" not in back.spike_feature_dict  # matrices are read only by name
    with pytest.raises(AttributeError, match=r"no feature 'amplitud'; it has .*amplitude"):
        back.amplitud  # noqa: B018
    with h5py.File(tmp_path / "f.h5", "r+") as file:
        del file["amplitude"]
    np.testing.assert_array_equal(back.amplitude, s.amplitude)


def test_some_spikes_have_their_own_rows_of_the_file(tmp_path: Path) -> None:
    pytest.importorskip("h5py")
    s = sorting()
    write_features(tmp_path / "f.h5", features_of(s), geom=GEOM, sampling_frequency=30_000)
    whole = DARTsortSorting.from_peeling_hdf5(tmp_path / "f.h5", load_feature_names=[])
    some = whole.drop_missing().mask([0, 3, 4])
    rows = np.array([0, 4, 5])
    np.testing.assert_array_equal(some.amplitude, s.amplitude[rows])
    assert some.has_persistent_labels() and "mask_indices" not in some.spike_feature_dict
    with pytest.raises(ParameterError, match=r"some of the spikes of .*f\.h5"):
        some.add_feature("more", np.arange(3))
    some.save(tmp_path / "some.npz")
    (tmp_path / "f.h5").unlink()
    back = DARTsortSorting.load(tmp_path / "some.npz")
    assert_same(back, some)
    np.testing.assert_array_equal(back.amplitude, s.amplitude[rows])


def test_files_that_are_something_else(tmp_path: Path) -> None:
    pytest.importorskip("h5py")
    (tmp_path / "a.h5").write_text("no")
    with pytest.raises(ParameterError, match="cannot be opened as HDF5"):
        DARTsortSorting.from_peeling_hdf5(tmp_path / "a.h5")
    write_features(tmp_path / "b.h5", {}, geom=GEOM, sampling_frequency=1.0)
    with pytest.raises(ParameterError, match="has no times_samples and no channels"):
        DARTsortSorting.from_peeling_hdf5(tmp_path / "b.h5")
    with pytest.raises(ParameterError, match="has no x; it has"):
        DARTsortSorting.from_peeling_hdf5(tmp_path / "b.h5", load_feature_names=["x"])
