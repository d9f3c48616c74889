"""The folder for phy finds its raw file, even after both were moved."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import xephys
from tests.support.sorting_trees import sorting_of
from xephys.errors import OutputError, ParameterError
from xephys.io.bridge.spikeinterface import to_spikeinterface
from xephys.io.export import phy
from xephys.io.export.phy import export_phy
from xephys.io.read.literals import read_literals
from xephys.io.read.open import open_recording
from xephys.recording.axes import SegmentAxes
from xephys.recording.segments import tree_of
from xephys.schema import make_recording
from xephys.sorting import build_sorting

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
    made = build_sorting(
        opened,
        spikes={"sample_index": [100, 200, 300], "unit_index": [0, 1, 0]},
        units={"label": ["good", "mua"]},
        templates=np.random.default_rng(1).normal(size=(2, 30, 4)),
        nbefore=10,
    )
    return opened, made


@pytest.mark.parametrize("place", ["phy", "results/phy", "a/b/phy"])
def test_folder_and_raw_file_can_be_moved_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    from phylib.io.model import load_model

    opened, made = written(tmp_path / "here")
    monkeypatch.chdir(tmp_path)
    export_phy(made, Path("here") / place, recording=opened)
    (path,) = read_literals(tmp_path / "here" / place / "params.py")["dat_path"]
    assert not Path(path).is_absolute()
    (tmp_path / "here").rename(tmp_path / "there")
    model = load_model(tmp_path / "there" / place / "params.py")
    np.testing.assert_array_equal(model.traces[100:200], SAMPLES[100:200])


def test_a_raw_file_elsewhere_is_named_by_its_full_path(tmp_path: Path) -> None:
    opened, made = written(tmp_path / "here")
    export_phy(made, tmp_path / "a/b/c/d/e/phy", recording=opened)
    assert read_literals(tmp_path / "a/b/c/d/e/phy/params.py")["dat_path"] == [str(tmp_path / "here/raw.dat")]


def test_phy_with_raw_data(tmp_path: Path, raw_file: Path, samples: np.ndarray) -> None:
    from phylib.io.model import load_model
    from spikeinterface.extractors import read_phy

    whole = open_recording(
        raw_file,
        sampling_frequency=1000.0,
        n_channels=5,
        probe=np.array([[0.0, 0], [20, 0], [0, 20], [20, 20], [0, 40]]),
    )
    for name, lazy, rows, channels in (
        ("whole", whole, slice(None), slice(None)),
        ("part", whole[500:2500, [4, 2, 0]], slice(500, None), [4, 2, 0]),
    ):
        tree = sorting_of(lazy)
        export_phy(tree, tmp_path / name, recording=lazy)
        model = load_model(tmp_path / name / "params.py")
        start = 0 if name == "whole" else 500  # params.py has the offset of the part
        np.testing.assert_array_equal(model.spike_samples, tree["spikes"]["sample_index"].values - start)
        np.testing.assert_array_equal(model.spike_clusters, tree["spikes"]["unit_index"].values)
        np.testing.assert_array_equal(model.amplitudes, np.abs(tree["spikes"]["amplitude"].values))
        np.testing.assert_array_equal(model.sparse_templates.data, tree["templates"]["templates"].values)
        np.testing.assert_array_equal(model.traces[:1000], samples[rows][:1000, channels])
        np.testing.assert_array_equal(model.channel_positions[:, 1], lazy.y.values)
        assert model.metadata["group"] == {0: "good", 1: "mua", 2: "noise"}
        assert model.metadata["snr"][0] == pytest.approx(float(tree["units"]["snr"][0]), rel=1e-5)
        best = np.ptp(tree["templates"]["templates"].values[1], axis=0).argmax()
        assert model.get_template(1).channel_ids[0] == best
        np.testing.assert_allclose(np.diag(model.similar_templates), 1.0, rtol=1e-6)
        theirs = read_phy(tmp_path / name)
        assert theirs.unit_ids.tolist() == [7, 17, 27]
        assert theirs.get_property("quality").tolist() == ["good", "mua", "noise"]
        expected = to_spikeinterface(tree)
        for unit in theirs.unit_ids:
            np.testing.assert_array_equal(theirs.get_unit_spike_train(unit), expected.get_unit_spike_train(unit))
        assert read_phy(tmp_path / name, exclude_cluster_groups=["noise", "mua"]).unit_ids.tolist() == [7]


@pytest.mark.parametrize(("n_units", "n_channels"), [(3, 5), (1, 5), (3, 1), (1, 1)])
def test_phy_without_raw_data(tmp_path: Path, n_units: int, n_channels: int) -> None:
    from phylib.io.model import load_model
    from spikeinterface.extractors import read_phy

    lazy = make_recording(np.zeros((1000, n_channels), "int16"), sampling_frequency=1000.0)
    tree = sorting_of(lazy, n_units=n_units)
    export_phy(tree, tmp_path / "phy", recording=lazy)
    model = load_model(tmp_path / "phy" / "params.py")
    assert model.traces is None
    assert model.sparse_templates.data.shape[1:] == (12, n_channels)
    np.testing.assert_array_equal(model.sparse_templates.data[:n_units], tree["templates"]["templates"].values)
    assert len(read_phy(tmp_path / "phy").unit_ids) == n_units


def test_phy_of_segments_and_of_silence(tmp_path: Path, recording: xr.DataArray) -> None:
    from spikeinterface.extractors import read_phy

    tree = sorting_of(tree_of([recording[:1000], recording[1000:2000]]), n_segments=2)
    export_phy(tree, tmp_path / "phy")
    times = np.load(tmp_path / "phy" / "spike_times.npy")
    assert np.all(np.diff(times) >= 0)
    assert times.max() > 1000
    assert sum(len(read_phy(tmp_path / "phy").get_unit_spike_train(unit)) for unit in (7, 17, 27)) == 200
    export_phy(sorting_of(recording, n_units=0, n_spikes=0), tmp_path / "silent")
    assert len(np.load(tmp_path / "silent" / "spike_times.npy")) == 0


@pytest.mark.parametrize("block", [16, 1 << 18])
def test_files_of_spikes_are_those_of_numpy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    """Two segments; blocks that end elsewhere than the segments, and one block."""
    monkeypatch.setattr(phy, "N_ROWS_AT_A_TIME", block)
    rng, n = np.random.default_rng(4), 100
    axes = SegmentAxes(sampling_frequency=1000.0, n_samples=(3000, 2000), first_sample=(0, 0))
    given = {name: rng.random(n).astype("f4") for name in ("amplitude", "x", "y")}
    samples = {"sample_index": rng.integers(0, 2000, n), "segment_index": rng.integers(0, 2, n)}
    made = build_sorting(
        axes,
        spikes={**samples, "unit_index": rng.integers(0, 2, n), **given},
        units={"label": ["good", "mua"]},
        templates=rng.normal(size=(2, 30, 4)),
    )
    export_phy(made, tmp_path / "phy")
    spikes = made["spikes"].dataset
    expected = {
        "spike_times": spikes["sample_index"].values + 3000 * spikes["segment_index"].values,
        "spike_clusters": spikes["unit_index"].values.astype(np.int32),
        "spike_templates": spikes["unit_index"].values.astype(np.int32),
        "amplitudes": np.abs(spikes["amplitude"].values).astype(np.float64),
        "spike_positions": np.stack([spikes["x"].values, spikes["y"].values], axis=1),
    }
    for name, values in expected.items():
        np.save(tmp_path / name, values)
        assert (tmp_path / "phy" / f"{name}.npy").read_bytes() == (tmp_path / f"{name}.npy").read_bytes(), name


def test_phy_refuses(tmp_path: Path, recording: xr.DataArray, sorting: xr.DataTree) -> None:
    bare = xr.DataTree.from_dict({name: sorting[name].to_dataset() for name in ("spikes", "units")})
    bare.attrs = sorting.attrs
    with pytest.raises(ParameterError, match="needs templates"):
        export_phy(bare, tmp_path / "phy")
    with pytest.raises(ParameterError, match="3 channels and the sorting's templates 5"):
        export_phy(sorting, tmp_path / "phy", recording=recording[:, :3])
    assert list(tmp_path.iterdir()) == []
    export_phy(sorting, tmp_path / "phy")
    with pytest.raises(OutputError, match="exists already"):
        export_phy(sorting, tmp_path / "phy")
    export_phy(sorting, tmp_path / "phy", overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["phy"]
