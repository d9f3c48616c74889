from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from xephys.errors import OutputError, ParameterError, RecordingError
from xephys.io.bridge.spikeinterface import from_spikeinterface, to_spikeinterface
from xephys.io.export.phy import export_phy
from xephys.io.read.open import open_recording
from xephys.io.store.sorting import open_sorting, save_sorting
from xephys.recording.segments import tree_of
from xephys.schema import make_recording
from xephys.sorting import make_sorting


def sorting_of(recording: Any, *, n_units: int = 3, n_spikes: int = 200, n_segments: int = 1) -> xr.DataTree:
    rng = np.random.default_rng(n_units)
    n_channels = (recording if isinstance(recording, xr.DataArray) else recording["segment_0/traces"]).sizes["channel"]
    units = rng.integers(0, max(n_units, 1), n_spikes)
    return make_sorting(
        recording,
        spikes={
            "sample_index": rng.permutation(700)[:n_spikes],
            "unit_index": units,
            "amplitude": -rng.uniform(30, 90, n_spikes),
            "scale": rng.uniform(0.8, 1.2, n_spikes),
            "x": rng.normal(size=n_spikes),
            "y": rng.normal(size=n_spikes),
            "segment_index": rng.integers(0, n_segments, n_spikes),
        },
        units={
            "label": np.array(["good", "mua", "noise"] * n_units)[:n_units],
            "channel_index": np.arange(n_units) % n_channels,
            "snr": rng.uniform(3, 9, n_units),
            "contamination": np.zeros(n_units),
        },
        templates=rng.normal(size=(n_units, 12, n_channels)) * 40,
        nbefore=4,
        unit_ids=np.arange(n_units) * 10 + 7,
        preset="default",
        parameters={"freq_min_hz": 300.0, "seed": np.int64(3), "offsets": np.arange(3)},
        log=[{"merged": [1, 2]}],
    )


@pytest.fixture
def sorting(recording: xr.DataArray) -> xr.DataTree:
    return sorting_of(recording)


def test_tree(recording: xr.DataArray, sorting: xr.DataTree) -> None:
    spikes, units = sorting["spikes"].dataset, sorting["units"].dataset
    assert np.all(np.diff(spikes["sample_index"].values) >= 0)
    types = {
        name: spikes[name].dtype.str for name in ("sample_index", "unit_index", "amplitude", "scale", "segment_index")
    }
    assert types == {
        "sample_index": "<i8",
        "unit_index": "<i8",
        "amplitude": "<f4",
        "scale": "<f4",
        "segment_index": "<i8",
    }
    np.testing.assert_array_equal(units["num_spikes"].values, np.bincount(spikes["unit_index"].values, minlength=3))
    np.testing.assert_allclose(units["firing_rate"].values, units["num_spikes"].values / 7.001)
    assert units["unit_id"].values.tolist() == [7, 17, 27]
    assert sorting["templates"].dataset["x"].values.tolist() == recording.x.values.tolist()
    assert sorting["templates"]["templates"].attrs["nbefore"] == 4
    assert sorting.attrs["n_samples"] == 7001
    assert json.loads(sorting.attrs["parameters"]) == {"freq_min_hz": 300.0, "seed": 3, "offsets": [0, 1, 2]}
    assert json.loads(sorting.attrs["log"]) == [{"merged": [1, 2]}]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"spikes": {"sample_index": [7001], "unit_index": [0]}},
            r"1 spikes lie outside the recording, .*7001 of 7001",
        ),
        ({"spikes": {"sample_index": [-1], "unit_index": [0]}}, "outside the recording"),
        ({"spikes": {"sample_index": [1], "unit_index": [1]}}, "units 1 to 1 of 1"),
        ({"spikes": {"sample_index": [1], "unit_index": [0], "segment_index": [1]}}, "segments 1 to 1 of 1"),
        ({"spikes": {"sample_index": [1]}}, "no unit_index"),
        ({"spikes": {"sample_index": [1], "unit_index": [0], "x": [1, 2]}}, "'x' has 2 values for 1 spikes"),
        ({"units": {"label": ["good"], "snr": [1, 2]}}, "'snr' has 2 values for 1 units"),
        ({"unit_ids": [1, 2]}, "2 unit_ids"),
        ({"templates": np.zeros((1, 5, 4))}, r"shape \(1, 5, 4\) for 1 units and 5 channels"),
        ({"templates": np.zeros((1, 5, 5)), "nbefore": 5}, "nbefore is 5"),
    ],
)
def test_parts_that_do_not_fit(recording: xr.DataArray, change: dict, message: str) -> None:
    parts: dict[str, Any] = {"spikes": {"sample_index": [1], "unit_index": [0]}, "units": {"label": ["good"]}}
    with pytest.raises(ParameterError, match=message):
        make_sorting(recording, **{**parts, **change})


def test_saved_and_opened(tmp_path: Path, recording: xr.DataArray, sorting: xr.DataTree) -> None:
    silent = sorting_of(recording, n_units=0, n_spikes=0)
    for name, tree in {"some": sorting, "silent": silent}.items():
        save_sorting(tree, tmp_path / f"{name}.zarr")
        opened = open_sorting(tmp_path / f"{name}.zarr")
        xr.testing.assert_identical(opened, tree)
        for node in tree.subtree:
            for variable in node.dataset.variables:
                assert opened[node.path].dataset[variable].dtype.kind == node.dataset[variable].dtype.kind
    assert sorted(path.name for path in tmp_path.iterdir()) == ["silent.zarr", "some.zarr"]
    with pytest.raises(OutputError, match="exists already"):
        save_sorting(sorting, tmp_path / "some.zarr")
    save_sorting(silent, tmp_path / "some.zarr", overwrite=True)
    assert open_sorting(tmp_path / "some.zarr")["spikes"].sizes["spike"] == 0


def test_nothing_is_left_of_a_failed_save(
    tmp_path: Path, sorting: xr.DataTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    def half(self: xr.DataTree, store: str, **options: Any) -> None:
        Path(store).mkdir()
        raise KeyboardInterrupt

    monkeypatch.setattr(xr.DataTree, "to_zarr", half)
    with pytest.raises(KeyboardInterrupt):
        save_sorting(sorting, tmp_path / "sorting.zarr")
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_sorting(tmp_path: Path, recording: xr.DataArray) -> None:
    with pytest.raises(FileNotFoundError, match="does not exist"):
        open_sorting(tmp_path / "nothing.zarr")
    with pytest.raises(RecordingError, match="no sorting"):
        open_sorting(tmp_path)
    with pytest.raises(TypeError, match="got DataArray"):
        save_sorting(recording, tmp_path / "x.zarr")  # type: ignore[arg-type]
    with pytest.raises(ParameterError, match="no spikes/sample_index"):
        save_sorting(xr.DataTree(), tmp_path / "x.zarr")


def test_spikeinterface_there_and_back(tmp_path: Path, recording: xr.DataArray) -> None:
    import spikeinterface.core as si

    segments = tree_of([recording[:1000], recording[1000:2000], recording[2000:3000]])
    tree = sorting_of(segments, n_segments=2)  # nothing in the third
    theirs = to_spikeinterface(tree)
    assert theirs.get_num_segments() == 3
    assert theirs.unit_ids.tolist() == [7, 17, 27]
    assert theirs.get_property("quality").tolist() == ["good", "mua", "noise"]
    spikes = tree["spikes"].dataset
    for segment in range(3):
        for index, unit in enumerate(theirs.unit_ids):
            mask = (spikes["segment_index"].values == segment) & (spikes["unit_index"].values == index)
            train = theirs.get_unit_spike_train(unit, segment_index=segment)
            assert train.tolist() == spikes["sample_index"].values[mask].tolist()
    theirs.dump_to_json(tmp_path / "sorting.json")
    for other in (pickle.loads(pickle.dumps(theirs)), si.load(tmp_path / "sorting.json")):
        assert other.get_num_segments() == 3
        np.testing.assert_array_equal(other.to_spike_vector(), theirs.to_spike_vector())
        assert other.get_property("snr").tolist() == theirs.get_property("snr").tolist()
    back = from_spikeinterface(theirs)
    assert back["units"]["label"].values.tolist() == ["good", "mua", "noise"]
    assert len(back.attrs["n_samples"]) == 3
    np.testing.assert_array_equal(to_spikeinterface(back).to_spike_vector(), theirs.to_spike_vector())


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
        np.testing.assert_array_equal(model.spike_samples, tree["spikes"]["sample_index"].values)
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
