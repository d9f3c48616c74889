"""A MATLAB file of units becomes a data folder that can be tracked."""

import numpy as np
import pytest

from xephys.errors import ParameterError
from xephys.track import dant

h5py = pytest.importorskip("h5py")


def write_mat(file, units, *, fields=None):
    """A structure array as MATLAB 7.3 stores it: references to datasets with reversed axes."""
    with h5py.File(file, "w") as opened:
        group = opened.create_group("spikeInfo")
        for name in fields or units[0]:
            parts = [
                opened.create_dataset(f"#refs#/{name}{k}", data=np.atleast_2d(u[name]).T) for k, u in enumerate(units)
            ]
            if len(units) == 1:
                group[name] = parts[0]
            else:
                references = np.array([[part.ref] for part in parts], dtype=h5py.ref_dtype)
                group.create_dataset(name, data=references)


def unit(k, n_channels=6):
    rng = np.random.default_rng(k)
    return {
        "SpikeTimes": np.sort(rng.uniform(0, 1e4, 20 + k)), "SessionIndex": 1.0 + k % 2,
        "Waveform": rng.standard_normal((n_channels, 30)), "Xcoords": np.zeros(n_channels),
        "Ycoords": 20.0 * np.arange(n_channels), "Kcoords": np.repeat([1.0, 2.0], n_channels // 2),
        "PETH": rng.standard_normal(9),
    }  # fmt: skip


@pytest.mark.parametrize("n_units", [1, 4])
def test_every_field_gets_its_file(tmp_path, n_units):
    units = [unit(k) for k in range(n_units)]
    write_mat(tmp_path / "spikeInfo.mat", units)
    dant.spikeInfo2npy({"path_to_data": str(tmp_path)})
    for name, field in (("waveform_all", "Waveform"), ("peth", "PETH"), ("session_index", "SessionIndex")):
        np.testing.assert_array_equal(np.load(tmp_path / f"{name}.npy"), [u[field] for u in units])
    np.testing.assert_array_equal(np.load(tmp_path / "channel_locations.npy")[:, 1], units[0]["Ycoords"])
    shank, waveforms = np.load(tmp_path / "channel_shanks.npy"), np.load(tmp_path / "waveform_all.npy")
    np.testing.assert_array_equal(shank, [1, 1, 1, 2, 2, 2])
    np.testing.assert_array_equal(
        np.load(tmp_path / "unit_shanks.npy"), shank[np.ptp(waveforms, axis=2).argmax(axis=1)]
    )
    for k, u in enumerate(units):
        np.testing.assert_array_equal(np.load(tmp_path / "spike_times" / f"Unit{k}.npy"), u["SpikeTimes"])


def test_other_files_are_refused(tmp_path):
    settings = {"path_to_data": str(tmp_path)}
    with pytest.raises(ParameterError, match="no path_to_data"):
        dant.spikeInfo2npy({})
    with pytest.raises(FileNotFoundError, match=r"spikeInfo\.mat does not exist"):
        dant.spikeInfo2npy(settings)
    file = tmp_path / "spikeInfo.mat"
    file.write_bytes(b"MATLAB 5.0 MAT-file")
    with pytest.raises(ParameterError, match=r"not a MATLAB file of version 7\.3"):
        dant.spikeInfo2npy(settings)
    write_mat(file, [unit(0), unit(1)], fields=["SpikeTimes", "Waveform"])
    with pytest.raises(ParameterError, match="has no SessionIndex, Xcoords, Ycoords"):
        dant.spikeInfo2npy(settings)
    write_mat(file, [unit(0), unit(1, n_channels=4)])
    with pytest.raises(ParameterError, match="same channels"):
        dant.spikeInfo2npy(settings)
    with h5py.File(file, "w") as opened:
        opened["other"] = np.zeros(3)
    with pytest.raises(ParameterError, match="no structure spikeInfo; it has other"):
        dant.spikeInfo2npy(settings)
