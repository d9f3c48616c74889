"""A folder that was exported, and curated in phy's way, comes back."""

import json

import numpy as np
import pytest
import xarray as xr

import xephys
from tests.curate.trains import trains_of
from tests.support.sorting_trees import sorting_of
from xephys.errors import RecordingError
from xephys.recording.segments import tree_of
from xephys.schema import make_recording

PLACES = {"x": np.zeros(4), "y": 20.0 * np.arange(4)}


def recording(**parameters):
    return make_recording(np.zeros((2000, 4), "i2"), sampling_frequency=1000.0, coordinates=PLACES, **parameters)


@pytest.fixture
def exported(tmp_path):
    """A sorting of units 7, 17 and 27, and its folder, where they are clusters 0, 1 and 2."""
    sorting = sorting_of(recording(start_s=3.0))
    xephys.export_phy(sorting, tmp_path / "phy")
    return sorting, tmp_path / "phy"


def test_an_exported_folder_comes_back(exported):
    sorting, folder = exported
    opened = xephys.open_sorting(folder)
    assert trains_of(opened) == trains_of(sorting)
    for path, name in (
        ("spikes", "time"), ("spikes", "x"), ("templates", "templates"), ("units", "snr"), ("units", "label"),
        ("units", "num_spikes"), ("units", "firing_rate"), ("templates", "y"), ("templates", "channel"),
    ):  # fmt: skip
        ours, theirs = opened[path][name].values, sorting[path][name].values
        if ours.dtype.kind == "U":
            assert ours.tolist() == theirs.tolist()
        else:
            np.testing.assert_allclose(ours, theirs, rtol=1e-5)
    np.testing.assert_allclose(opened["spikes"]["amplitude"], np.abs(sorting["spikes"]["amplitude"]), rtol=1e-6)
    assert opened["templates"]["templates"].attrs["nbefore"] == 4
    for name in ("n_samples", "first_sample", "start_s", "preset", "parameters", "fingerprint"):
        assert opened.attrs[name] == sorting.attrs[name], name


def test_it_exports_again(exported, tmp_path):
    _, folder = exported
    xephys.export_phy(xephys.open_sorting(folder), tmp_path / "again")
    for path in folder.glob("*.npy"):
        np.testing.assert_array_equal(np.load(path), np.load(tmp_path / "again" / path.name), err_msg=path.name)
    names = {path.name for path in folder.iterdir()}
    assert {path.name for path in (tmp_path / "again").iterdir()} == names
    assert (folder / "cluster_group.tsv").read_text() == (tmp_path / "again" / "cluster_group.tsv").read_text()


def curated(folder):
    """phy's result: 0 and 2 merged to 3, 1 divided into 4 and 5; labels of these; nothing else changed."""
    labels = np.load(folder / "spike_clusters.npy")
    new = np.where(np.isin(labels, [0, 2]), 3, labels)
    ones = np.flatnonzero(labels == 1)
    new[ones[::2]], new[ones[1::2]] = 4, 5
    np.save(folder / "spike_clusters.npy", new.astype(np.int32))
    (folder / "cluster_group.tsv").write_text("cluster_id\tgroup\n3\tgood\n4\tmua\n5\tnoise\n")
    (folder / "cluster_info.tsv").write_text(
        "cluster_id\tch\tgroup\tn_spikes\n" + "".join(f"{k}\t0\tgood\t1\n" for k in (3, 4, 5))
    )
    return labels, new


def test_a_curated_folder_has_its_units_labels_and_templates(exported):
    sorting, folder = exported
    labels, new = curated(folder)
    opened = xephys.open_sorting(folder)
    times = np.load(folder / "spike_times.npy")
    assert trains_of(opened) == {28 + k: times[new == 3 + k].tolist() for k in range(3)}
    units = opened["units"].dataset
    assert units["label"].values.tolist() == ["good", "mua", "noise"]
    assert units["cluster_id"].values.tolist() == [3, 4, 5]
    theirs = sorting["templates"]["templates"].values
    n = np.bincount(labels)
    mean = (n[0] * theirs[0] + n[2] * theirs[2]) / (n[0] + n[2])
    np.testing.assert_allclose(opened["templates"]["templates"].values[0], mean, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(opened["templates"]["templates"].values[1:], [theirs[1]] * 2, rtol=1e-5)
    assert np.isnan(units["snr"].values).all()  # the stored values belong to other units, and no noise level is known
    assert "snr" in json.loads(opened.attrs["log"])[-1]["unknown"]
    expected = xephys.merge_units(sorting, [7, 27], duplicate_ms=1e-3)["units"]["contamination"].values[0]
    assert units["contamination"].values[0] == pytest.approx(expected)


def test_a_curated_folder_exports_again_and_phylib_reads_both(exported, tmp_path):
    from phylib.io.model import load_model

    _, folder = exported
    _, new = curated(folder)
    model = load_model(folder / "params.py")
    opened = xephys.open_sorting(folder)
    assert opened["units"]["cluster_id"].values.tolist() == model.cluster_ids.tolist()
    xephys.export_phy(opened, tmp_path / "again")
    again = load_model(tmp_path / "again" / "params.py")
    np.testing.assert_array_equal(again.spike_samples, model.spike_samples)
    np.testing.assert_array_equal(again.spike_clusters, new - 3)
    assert again.metadata["group"] == {0: "good", 1: "mua", 2: "noise"}
    assert trains_of(xephys.open_sorting(tmp_path / "again")) == trains_of(opened)


def test_names_that_phy_copies_to_parts_are_ignored(exported):
    _, folder = exported
    curated(folder)
    (folder / "cluster_si_unit_id.tsv").write_text("cluster_id\tsi_unit_id\n0\t7\n1\t17\n2\t27\n4\t17\n5\t17\n")
    assert list(trains_of(xephys.open_sorting(folder))) == [28, 29, 30]


def test_segments_and_parts_come_back(tmp_path):
    both = tree_of([recording(start_s=1.0), recording(start_s=50.0)])
    two = sorting_of(both, n_segments=2)
    xephys.export_phy(two, tmp_path / "two")
    opened = xephys.open_sorting(tmp_path / "two")
    assert opened["spikes"]["segment_index"].values.tolist() == two["spikes"]["segment_index"].values.tolist()
    np.testing.assert_array_equal(opened["spikes"]["sample_index"], two["spikes"]["sample_index"])
    np.testing.assert_allclose(opened["spikes"]["time"], two["spikes"]["time"])
    part = sorting_of(recording().isel(time=slice(500, 1500)))
    xephys.export_phy(part, tmp_path / "part")
    assert trains_of(xephys.open_sorting(tmp_path / "part")) == trains_of(part)


def test_units_without_spikes_stay_and_merged_ones_go(tmp_path):
    made = sorting_of(recording(), n_units=3)
    spikes = made["spikes"].dataset
    few = xephys.select_units(made, [7, 27])
    del spikes
    nothing = xephys.make_sorting(
        {"sample_index": [10, 20, 900], "unit_index": [0, 2, 2]},
        recording=recording(),
        templates=xr.Dataset(
            {
                "waveform": (("unit", "sample", "slot"), np.arange(24, dtype="f4").reshape(3, 4, 2)),
                "channel_index": (("unit", "slot"), [[0, 1], [1, 2], [2, 3]]),
            },
            attrs={"nbefore": 2, "n_channels": 4, "units": "uV"},
        ),
    )
    xephys.export_phy(nothing, tmp_path / "phy")
    opened = xephys.open_sorting(tmp_path / "phy")
    assert trains_of(opened) == {0: [10], 1: [], 2: [20, 900]}
    assert opened["templates"]["templates"].values[1].any()
    np.save(tmp_path / "phy" / "spike_clusters.npy", np.array([3, 3, 3], np.int32))
    assert trains_of(xephys.open_sorting(tmp_path / "phy")) == {1: [], 3: [10, 20, 900]}
    assert few["units"].sizes["unit"] == 2


def test_labels_unknown_to_phy_survive_unless_changed_there(tmp_path):
    sorting = xephys.relabel_units(sorting_of(recording()), labels={7: "axon", 17: "axon"})
    xephys.export_phy(sorting, tmp_path / "phy")
    assert xephys.open_sorting(tmp_path / "phy")["units"]["label"].values.tolist() == ["axon", "axon", "noise"]
    (tmp_path / "phy" / "cluster_group.tsv").write_text("cluster_id\tgroup\n0\tgood\n1\tunsorted\n2\tmua\n")
    assert xephys.open_sorting(tmp_path / "phy")["units"]["label"].values.tolist() == ["good", "axon", "mua"]


def test_a_folder_from_another_program_is_opened(exported):
    """Without our description, as Kilosort writes it: amplitudes in its own units, and only its own labels."""
    sorting, folder = exported
    for name in ("sorting.json", "cluster_group.tsv", "cluster_si_unit_id.tsv"):
        (folder / name).unlink()
    raw = folder.parent / "raw.dat"
    np.zeros((2500, 6), "i2").tofile(raw)
    (folder / "params.py").write_text(
        "dat_path = r'../raw.dat'\nn_channels_dat = 6\ndtype = 'int16'\noffset = 0\nsample_rate = 1000.\n"
        "hp_filtered = False\n"
    )
    np.save(folder / "spike_times.npy", np.load(folder / "spike_times.npy").astype("u8")[:, None])
    np.save(folder / "amplitudes.npy", np.load(folder / "amplitudes.npy")[:, None] / 7)
    opened = xephys.open_sorting(folder)
    assert list(trains_of(opened).values()) == list(trains_of(sorting).values())
    assert opened.attrs["n_samples"] == 2500
    assert opened["units"]["label"].values.tolist() == ["good", "mua", "mua"]  # KSLabel
    peak = np.abs(sorting["templates"]["templates"].values).max(axis=(1, 2))
    sizes = opened["spikes"].to_dataset().groupby("unit_index").mean()
    np.testing.assert_allclose(sizes["amplitude"], peak, rtol=1e-5)
    np.testing.assert_allclose(sizes["scale"], 1.0, rtol=1e-5)


def slower(folder):
    (folder / "sorting.json").unlink()
    (folder / "params.py").write_text("sample_rate = 'fast'")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: (f / "params.py").unlink(), r"has no params\.py, which says the sampling rate"),
        (slower, "sample_rate is 'fast'"),
        (lambda f: np.save(f / "spike_times.npy", np.arange(3)), "3 spike_times and 200 spike_clusters"),
        (lambda f: np.save(f / "spike_templates.npy", np.arange(3)), "200 spike_clusters and 3 spike_templates"),
        (lambda f: (f / "sorting.json").write_text("{"), "is not whole JSON"),
        (lambda f: (f / "spike_times.npy").write_bytes(b"nothing"), "cannot be read as an array of numbers"),
    ],
)  # fmt: skip
def test_bad_input_is_refused(exported, change, message):
    _, folder = exported
    change(folder)
    with pytest.raises((RecordingError), match=message):
        xephys.open_sorting(folder)
