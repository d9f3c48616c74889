"""The folder of Kilosort4's files: complete, in the types that its readers expect, with the right meaning."""

from __future__ import annotations

import ast

import numpy as np
import pytest
import xarray as xr

import xephys
from xephys import OutputError, ParameterError
from xephys.testing import forbid_compute, rechunked, simulate_recording

#: Name, dtype and number of dimensions of each array, from the layout of Kilosort4's results.
ARRAYS = {
    "spike_times": ("int64", 1),
    "spike_clusters": ("int32", 1),
    "spike_templates": ("int32", 1),
    "spike_detection_templates": ("int32", 1),
    "spike_positions": ("float32", 2),
    "amplitudes": ("float32", 1),
    "kept_spikes": ("bool", 1),
    "pc_features": ("float32", 3),
    "pc_feature_ind": ("uint32", 2),
    "templates": ("float32", 3),
    "templates_ind": ("int64", 2),
    "similar_templates": ("float32", 2),
    "whitening_mat": ("float32", 2),
    "whitening_mat_dat": ("float32", 2),
    "whitening_mat_inv": ("float32", 2),
    "channel_map": ("int32", 1),
    "channel_positions": ("float32", 2),
    "channel_shanks": ("float32", 1),
}
OTHERS = {"cluster_ContamPct.tsv", "cluster_Amplitude.tsv", "cluster_KSLabel.tsv", "cluster_group.tsv"}
OTHERS |= {"params.py", "ops.npy", "kilosort4.log", "diagnostics.png", "spike_positions.png", "drift_scatter.png"}


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    simulated, _ = simulate_recording(duration_s=12, n_channels=16, n_units=4, seed=3)
    path = tmp_path_factory.mktemp("kilosort") / "recording"
    xephys.save_recording(simulated, path, format="binary")
    return xephys.open_recording(path, chunk_duration_s=0.7)


@pytest.fixture(scope="module")
def sorting(recording):
    return xephys.sort(recording)


@pytest.fixture(scope="module")
def white(recording, sorting):
    return xephys.whiten_like(recording, learned=sorting)


@pytest.fixture(scope="module")
def folder(recording, sorting, white, tmp_path_factory):
    place = tmp_path_factory.mktemp("written") / "kilosort4"
    xephys.export_kilosort(sorting, place, recording=recording, whitened=white)
    return place


def test_every_file_is_there(folder):
    for name, (dtype, ndim) in ARRAYS.items():
        stored = np.load(folder / f"{name}.npy")
        assert (stored.dtype, stored.ndim) == (np.dtype(dtype), ndim), name
    names = {path.name for path in folder.iterdir()}
    assert names >= OTHERS | {f"{name}.npy" for name in ARRAYS}
    assert not [name for name in names if name.startswith(".")]
    assert len({name.lower() for name in names}) == len(names)


def test_sizes_fit_together(folder, sorting):
    n_spikes, n_units = sorting["spikes"].sizes["spike"], sorting["units"].sizes["unit"]
    assert np.load(folder / "pc_features.npy").shape == (n_spikes, 6, 10)
    assert np.load(folder / "pc_feature_ind.npy").shape == (n_units, 10)
    assert np.load(folder / "templates.npy").shape == (n_units, 66, 16)
    assert np.load(folder / "kept_spikes.npy").sum() == n_spikes


def assert_projections(folder, sorting, traces):
    """Compare with projections of the white traces, one by one, on the channels that the index names."""
    features, channels = np.load(folder / "pc_features.npy"), np.load(folder / "pc_feature_ind.npy")
    basis = sorting["learned/components"]["components"]
    before = basis.attrs["nbefore"]
    spikes = sorting["spikes"].dataset
    for row in range(0, len(features), 37):
        sample, unit = int(spikes["sample_index"][row]), int(spikes["unit_index"][row])
        window = traces[sample - before : sample - before + basis.sizes["sample"], channels[unit]]
        np.testing.assert_allclose(features[row], basis.values @ window, rtol=1e-4, atol=1e-3)


def test_features_are_projections_of_the_white_traces(folder, sorting, white):
    assert_projections(folder, sorting, white.values.astype(np.float64))
    features = np.load(folder / "pc_features.npy")
    norms = np.sqrt((features.astype(np.float64) ** 2).sum(axis=(1, 2)))
    np.testing.assert_allclose(np.load(folder / "amplitudes.npy"), norms, rtol=1e-5)


def test_features_of_a_slice_belong_to_its_own_spikes(recording, sorting, white, tmp_path):
    part = xephys.time_slice(recording, 3.0, 9.0)
    of_part = xephys.sort(part, learned=sorting)
    white_part = xephys.whiten_like(part, learned=of_part)
    xephys.export_kilosort(of_part, tmp_path / "ks", recording=part, whitened=white_part, pictures=False)
    assert of_part["spikes"].sizes["spike"] > 37
    assert_projections(tmp_path / "ks", of_part, white.values.astype(np.float64))
    assert np.load(tmp_path / "ks" / "spike_times.npy").max() < 6 * 30_000 < of_part["spikes"]["sample_index"].max()


def test_a_units_template_covers_its_feature_channels(folder):
    templates, channels = np.load(folder / "templates.npy"), np.load(folder / "pc_feature_ind.npy")
    for template, near in zip(templates, channels, strict=True):
        assert np.abs(template).max(axis=0).argmax() in near


def test_the_stored_whitening_makes_the_traces_white(folder, recording, sorting, white):
    matrix = np.load(folder / "whitening_mat.npy").astype(np.float64)
    parameters = {"freq_min_hz": 300.0, "freq_max_hz": 6000.0, "order": 5}
    filtered = xephys.bandpass_filter(xephys.to_uv(recording), **parameters)  # sixteen channels have no reference
    part = slice(30_000, 31_000)
    expected = filtered.isel(time=part).values.astype(np.float64) @ matrix.T
    np.testing.assert_allclose(white.isel(time=part).values, expected, rtol=1e-3, atol=1e-3)
    inverse = np.load(folder / "whitening_mat_inv.npy").astype(np.float64)
    np.testing.assert_allclose(inverse @ (matrix + 1e-5 * np.eye(16)), np.eye(16), atol=1e-3)


def test_phylib_reads_it(folder, sorting, recording):
    from phylib.io.model import load_model

    model = load_model(folder / "params.py")
    np.testing.assert_array_equal(model.spike_samples, sorting["spikes"]["sample_index"].values)
    np.testing.assert_array_equal(model.spike_clusters, sorting["spikes"]["unit_index"].values)
    assert model.sparse_features.data.shape == (len(model.spike_samples), 10, 6)
    np.testing.assert_array_equal(model.sparse_features.cols, np.load(folder / "pc_feature_ind.npy"))
    ids = np.arange(5)
    unit = int(model.spike_templates[0])
    channels = np.load(folder / "pc_feature_ind.npy")[unit]
    stored = np.load(folder / "pc_features.npy")[ids]
    read = model.get_features(ids, channels)
    mine = model.spike_templates[ids] == unit
    np.testing.assert_array_equal(read[mine], stored[mine].transpose(0, 2, 1))
    np.testing.assert_array_equal(model.traces[:100], recording.isel(time=slice(0, 100)).values)
    assert model.metadata["KSLabel"][0] in ("good", "mua")
    assert model.get_template(0).channel_ids[0] in np.load(folder / "pc_feature_ind.npy")[0]
    # The waveform that phy shows, unwhitened, has its largest channel where the mean in µV has it.
    for unit in range(len(sorting["units"]["channel_index"])):
        shown = model.get_template(unit, unwhiten=True)
        assert (
            shown.channel_ids[np.ptp(shown.template, axis=0).argmax()] == sorting["units"]["channel_index"].values[unit]
        )


def test_spikeinterface_reads_it(folder, sorting):
    from spikeinterface.extractors import read_kilosort, read_phy

    expected = xephys.to_spikeinterface(sorting)
    for read in (read_kilosort, read_phy):
        theirs = read(folder)
        assert len(theirs.unit_ids) == sorting["units"].sizes["unit"]
        for number, unit in enumerate(theirs.unit_ids):
            np.testing.assert_array_equal(
                theirs.get_unit_spike_train(unit), expected.get_unit_spike_train(expected.unit_ids[number])
            )
    assert len(read_kilosort(folder, keep_good_only=True).unit_ids) == int((sorting["units"]["label"] == "good").sum())


def test_settings_and_columns(folder, sorting):
    ops = np.load(folder / "ops.npy", allow_pickle=True).item()
    assert ops["fs"] == 30_000.0
    assert ops["settings"]["match_threshold"] == 5.0
    assert ops["wPCA"].shape == (ops["n_pcs"], ops["nt"])
    lines = (folder / "cluster_ContamPct.tsv").read_text().splitlines()
    assert lines[0] == "cluster_id\tContamPct"
    assert [float(line.split("\t")[1]) for line in lines[1:]] == pytest.approx(
        (100 * sorting["units"]["contamination"].values).round(1).tolist()
    )
    values = dict(line.split(" = ") for line in (folder / "params.py").read_text().splitlines())
    assert ast.literal_eval(values["sample_rate"]) == 30_000.0
    assert "4 units" in (folder / "kilosort4.log").read_text()


def test_files_do_not_depend_on_chunks_and_progress_is_reported(sorting, white, folder, tmp_path):
    """Any chunks give the same bits, and each finished chunk is reported."""
    seen = []
    coarse = rechunked(white, 10**9)
    for name, traces in (("fine", white), ("coarse", coarse)):
        seen.clear()
        xephys.export_kilosort(
            sorting, tmp_path / name, whitened=traces, pictures=False, progress=lambda *n: seen.append(n)
        )
        assert seen[0][0] == 0
        assert seen[-1] == (len(traces.chunks[0]),) * 2
        expected = (folder / "pc_features.npy").read_bytes()
        assert (tmp_path / name / "pc_features.npy").read_bytes() == expected


def test_features_stored_in_the_sorting_are_written_unchanged(sorting, folder, tmp_path):
    """The preset that clusters these features stores them in its tree, so that no traces are needed."""
    n_spikes = sorting["spikes"].sizes["spike"]
    features = np.load(folder / "pc_features.npy")
    group = xr.Dataset(
        {
            "whitening": (("channel", "channel_out"), np.eye(16, dtype="f4")),
            "component": (("component", "sample"), sorting["learned/components"]["components"].values),
            "template": (("unit", "sample", "channel"), np.load(folder / "templates.npy")),
            "similarity": (("unit", "other"), np.eye(4, dtype="f4")),
            "feature_channel": (("unit", "slot"), np.load(folder / "pc_feature_ind.npy").astype("i4")),
            "projection": (("spike", "slot", "component"), features.transpose(0, 2, 1)),
            "feature_norm": ("spike", np.load(folder / "amplitudes.npy")),
            "detection_template": ("spike", np.arange(n_spikes, dtype="i4") % 7),
            "kept": ("found", np.arange(n_spikes + 3) >= 3),
        },
        attrs={"nbefore": 27},
    )
    tree = sorting.copy()
    tree["kilosort4"] = xr.DataTree(group)
    xephys.export_kilosort(tree, tmp_path / "a", pictures=False)
    np.testing.assert_array_equal(np.load(tmp_path / "a" / "pc_features.npy"), features)
    assert np.load(tmp_path / "a" / "spike_detection_templates.npy").max() == 6
    assert np.load(tmp_path / "a" / "kept_spikes.npy").tolist()[:4] == [False, False, False, True]


@pytest.mark.slow
def test_a_sorting_of_the_preset_kilosort4_needs_no_traces(recording, tmp_path):
    """Everything comes from the sorting: no traces are read, and the readers accept the folder."""
    from phylib.io.model import load_model
    from spikeinterface.extractors import read_kilosort

    sorting = xephys.sort(recording, preset="kilosort4", nblocks=0)
    with forbid_compute():
        xephys.export_kilosort(sorting, tmp_path / "ks", recording=recording)
    own, n_spikes = sorting["kilosort4"].dataset, sorting["spikes"].sizes["spike"]
    for name, (dtype, ndim) in ARRAYS.items():
        stored = np.load(tmp_path / "ks" / f"{name}.npy")
        assert (stored.dtype, stored.ndim) == (np.dtype(dtype), ndim), name
    assert {path.name for path in (tmp_path / "ks").iterdir()} >= OTHERS
    model = load_model(tmp_path / "ks" / "params.py")
    assert model.sparse_features.data.shape == (n_spikes, 10, 6)
    np.testing.assert_array_equal(model.sparse_features.data, own["projection"].values)
    np.testing.assert_array_equal(model.sparse_templates.data, own["template"].values)
    np.testing.assert_array_equal(np.load(tmp_path / "ks" / "amplitudes.npy"), own["feature_norm"].values)
    np.testing.assert_array_equal(np.load(tmp_path / "ks" / "kept_spikes.npy"), own["kept"].values)
    assert np.load(tmp_path / "ks" / "ops.npy", allow_pickle=True).item()["Th_learned"] == 8.0
    found = read_kilosort(tmp_path / "ks").count_num_spikes_per_unit()
    assert list(found.values()) == sorting["units"]["num_spikes"].values.tolist()


@pytest.mark.parametrize(("n_channels", "n_units"), [(8, 1), (1, 1), (4, 2)])
def test_few_units_and_channels(n_channels, n_units, tmp_path):
    from phylib.io.model import load_model
    from spikeinterface.extractors import read_kilosort

    recording, _ = simulate_recording(
        duration_s=8, n_channels=n_channels, n_units=n_units, seed=1, amplitude_range_uv=(100.0, 150.0)
    )
    sorting = xephys.sort(recording)
    white = xephys.whiten_like(recording, learned=sorting)
    xephys.export_kilosort(sorting, tmp_path / "ks", whitened=white)
    model = load_model(tmp_path / "ks" / "params.py")
    assert model.sparse_templates.data.shape[1:] == (66, n_channels)
    assert model.sparse_features.data.shape[0] == sorting["spikes"].sizes["spike"]
    assert len(read_kilosort(tmp_path / "ks").unit_ids) == sorting["units"].sizes["unit"] == n_units


def test_units_without_spikes(recording, sorting, tmp_path):
    """A sort that reuses learned units on silence gives units without spikes."""
    from spikeinterface.extractors import read_kilosort

    noise = np.random.default_rng(0).normal(0, 20, (60_000, 16)).astype("i2")
    names = ("x", "y", "gain_to_uv", "offset_to_uv")
    quiet = xephys.make_recording(
        noise, sampling_frequency=30_000.0, coordinates={name: recording[name].values for name in names}
    )
    silent = xephys.sort(quiet, learned=sorting)
    assert silent["spikes"].sizes["spike"] == 0
    white = xephys.whiten_like(quiet, learned=sorting)
    xephys.export_kilosort(silent, tmp_path / "ks", whitened=white)
    assert np.load(tmp_path / "ks" / "pc_features.npy").shape == (0, 6, 10)
    assert np.load(tmp_path / "ks" / "templates.npy").shape[0] == sorting["units"].sizes["unit"]
    assert read_kilosort(tmp_path / "ks").unit_ids.size == 0
    xephys.export_phy(silent, tmp_path / "phy")


def test_a_refused_export_leaves_nothing(sorting, white, recording, tmp_path, monkeypatch):
    with pytest.raises(ParameterError, match=r"give\s+whitened=xephys.whiten_like\(recording, learned=sorting\)"):
        xephys.export_kilosort(sorting, tmp_path / "a")
    with pytest.raises(ParameterError, match="the recording has 0 to 149999; give the recording that was sorted"):
        xephys.export_kilosort(sorting, tmp_path / "a", whitened=xephys.time_slice(white, 0.0, 5.0))
    bare = xephys.sorting.build_sorting(
        recording, spikes={"sample_index": [9], "unit_index": [0]}, units={"label": ["good"]}
    )
    with pytest.raises(ParameterError, match="neither a node kilosort4 nor a node learned"):
        xephys.export_kilosort(bare, tmp_path / "a", whitened=white)
    with pytest.raises(ParameterError, match="nearest_chans is 0; it must be greater than 0"):
        xephys.export_kilosort(sorting, tmp_path / "a", whitened=white, nearest_chans=0)
    (tmp_path / "taken").mkdir()
    with pytest.raises(OutputError, match="exists already"):
        xephys.export_kilosort(sorting, tmp_path / "taken", whitened=white)
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]
