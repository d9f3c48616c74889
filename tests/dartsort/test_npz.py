"""The NPZ of a sorting: a relative path to its other file, and what is not such a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from xephys import ParameterError
from xephys.dartsort.npz import read_npz, write_npz

SPIKES = {"times_samples": np.array([10, 40]), "channels": np.array([0, 1])}


def test_the_path_of_the_other_file_is_relative(tmp_path: Path) -> None:
    h5_path = tmp_path / "features" / "f.h5"
    write_npz(tmp_path / "a.npz", SPIKES, {"size": np.ones(2)}, h5_path=h5_path, persistent=["x"])
    stored = read_npz(tmp_path / "a.npz")
    assert str(stored["parent_h5_path"]) == "features/f.h5"
    assert stored["loaded_persistent_features"].tolist() == ["x"]
    assert stored["ephemeral_feature_names"].tolist() == ["size"] and stored["size"].tolist() == [1, 1]
    write_npz(tmp_path / "a.npz", SPIKES, {}, h5_path=None, persistent=[])
    assert "parent_h5_path" not in read_npz(tmp_path / "a.npz")


def test_other_files_are_refused_and_no_object_is_made(tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_text("no")
    np.savez(tmp_path / "b.npz", times_samples=np.arange(3))
    np.savez(tmp_path / "c.npz", **SPIKES, labels=np.array([None, {}], dtype=object))
    write_npz(tmp_path / "d.npz", SPIKES, {"size": np.arange(500.0)}, h5_path=None, persistent=[])
    spoiled = bytearray((tmp_path / "d.npz").read_bytes())
    spoiled[len(spoiled) // 2] ^= 255
    (tmp_path / "d.npz").write_bytes(bytes(spoiled))
    for name in ("a", "b", "c", "d", "none"):
        with pytest.raises(ParameterError, match=f"{name}.npz is not a sorting of dartsort: .*give its .npz file"):
            read_npz(tmp_path / f"{name}.npz")
