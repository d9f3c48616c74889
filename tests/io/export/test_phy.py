"""The folder for phy finds its raw file, also after both were moved."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import xephys
from xephys.io.export.phy import export_phy
from xephys.io.read.literals import read_literals
from xephys.sorting import make_sorting

SAMPLES = np.random.default_rng(0).integers(-300, 300, (3000, 4)).astype("int16")


def written(folder: Path) -> tuple[xr.DataArray, xr.DataTree]:
    folder.mkdir(parents=True)
    SAMPLES.tofile(folder / "raw.dat")
    opened = xephys.open_recording(
        folder / "raw.dat",
        sampling_frequency=1000.0,
        n_channels=4,
        probe=np.stack([np.zeros(4), np.arange(4) * 20.0], 1),
    )
    made = make_sorting(
        opened,
        spikes={"sample_index": [100, 200, 300], "unit_index": [0, 1, 0]},
        units={"label": ["good", "mua"]},
        templates=np.random.default_rng(1).normal(size=(2, 30, 4)),
        nbefore=10,
    )
    return opened, made


@pytest.mark.parametrize("place", ["phy", "results/phy", "a/b/phy"])
def test_both_can_be_moved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    from phylib.io.model import load_model

    opened, made = written(tmp_path / "here")
    monkeypatch.chdir(tmp_path)
    export_phy(made, Path("here") / place, recording=opened)
    (path,) = read_literals(tmp_path / "here" / place / "params.py")["dat_path"]
    assert not Path(path).is_absolute()
    (tmp_path / "here").rename(tmp_path / "there")
    model = load_model(tmp_path / "there" / place / "params.py")
    np.testing.assert_array_equal(model.traces[100:200], SAMPLES[100:200])


def test_a_raw_file_far_away_keeps_its_own_path(tmp_path: Path) -> None:
    opened, made = written(tmp_path / "here")
    export_phy(made, tmp_path / "a/b/c/d/e/phy", recording=opened)
    assert read_literals(tmp_path / "a/b/c/d/e/phy/params.py")["dat_path"] == [str(tmp_path / "here/raw.dat")]
