"""Sequences survive a file, and nothing in a file is run."""

import numpy as np
import pytest
import xarray as xr

import xephys
from xephys.realtime import open_sequences, save_sequences


def test_what_is_saved_is_opened(sequences, tmp_path):
    path = save_sequences(sequences, tmp_path / "mine")
    assert path == tmp_path / "mine.npz" and path.stat().st_size < 100_000
    xr.testing.assert_identical(open_sequences(path), sequences)
    assert [file.name for file in tmp_path.iterdir()] == ["mine.npz"]
    assert open_sequences(tmp_path / "mine").identical(open_sequences(path))


def test_wrong_files_are_named(sequences, tmp_path):
    with pytest.raises(xephys.ParameterError, match="there is no file"):
        open_sequences(tmp_path / "none.npz")
    (tmp_path / "text.npz").write_text("hello")
    with pytest.raises(
        xephys.ParameterError, match=r"holds no sequences that can be read: it is not an archive of arr"
    ):
        open_sequences(tmp_path / "text.npz")
    np.savez(tmp_path / "evil.npz", about=np.array([print], dtype=object))
    with pytest.raises(xephys.ParameterError, match="allow_pickle"):
        open_sequences(tmp_path / "evil.npz")
    path = save_sequences(sequences, tmp_path / "half.npz")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(xephys.ParameterError, match="holds no sequences"):
        open_sequences(path)
    with pytest.raises(xephys.OutputError, match="cannot write"):
        save_sequences(sequences, tmp_path / "no" / "folder.npz")
    with pytest.raises(xephys.ParameterError, match="this dataset has no root"):
        save_sequences(xr.Dataset(), tmp_path / "empty.npz")


def test_sequences_replace_sequences_only(sequences, tmp_path):
    for _ in range(2):
        save_sequences(sequences, tmp_path / "mine")
    np.savez(tmp_path / "arrays.npz", traces=np.ones((9, 2)))
    np.save(tmp_path / "array", np.ones((9, 2)))
    (tmp_path / "array.npy").replace(tmp_path / "array.npz")
    (tmp_path / "folder.npz").mkdir()
    for name in ("arrays", "array", "folder"):
        with pytest.raises(xephys.OutputError, match=f"{name}.npz exists and does not hold sequences; choose another"):
            save_sequences(sequences, tmp_path / name)
    assert np.load(tmp_path / "arrays.npz")["traces"].shape == (9, 2)
