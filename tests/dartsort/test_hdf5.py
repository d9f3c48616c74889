"""What an HDF5 file holds besides one row per spike, and which features are read from it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from xephys.dartsort.hdf5 import read_features, simple_features, write_features

GEOM = np.column_stack([np.zeros(3), 20.0 * np.arange(3)])


def test_datasets_about_the_probe_and_the_kinds_of_features(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    features = {
        "times_samples": np.arange(5),
        "one": np.ones(5),
        "vector": np.ones((5, 3)),
        "matrix": np.ones((5, 8, 3)),
    }
    write_features(tmp_path / "a.h5", features, geom=GEOM, sampling_frequency=30_000)
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        assert file["channel_index"].shape == (3, 3) and file["sampling_frequency"][()] == 30_000
        file["residual"] = np.zeros((5, 121, 3))  # noise snippets, as many as spikes by chance

    def names(**how: bool) -> set[str]:
        found = read_features(tmp_path / "a.h5", None, main=("times_samples",), allow_missing=False, **how)
        return set(found) - {"times_samples"}

    assert names(simple=True, everything=False) == {"one", "vector", "geom", "channel_index"}
    assert names(simple=False, everything=True) == {"one", "vector", "matrix", "geom", "channel_index"}
    assert names(simple=False, everything=False) == set()


def test_simple_features_have_at_most_one_vector_per_spike() -> None:
    assert set(simple_features({"a": np.ones(3), "b": np.ones((3, 2)), "c": np.ones((3, 2, 2))})) == {"a", "b"}
