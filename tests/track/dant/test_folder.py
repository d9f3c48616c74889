"""Input that is not whole is refused before anything is computed."""

import numpy as np
import pytest

from tests.track.dant.data import write_data
from xephys.errors import ParameterError
from xephys.track.dant import runDANT


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    write_data(folder, n_neurons=4, n_channels=16, n_sessions=2)
    return folder


@pytest.fixture
def data(whole, tmp_path):
    (tmp_path / "spike_times").mkdir()
    for file in whole.rglob("*.npy"):
        (tmp_path / file.relative_to(whole)).write_bytes(file.read_bytes())
    return tmp_path


@pytest.mark.parametrize(
    "name", ["waveform_all", "session_index", "channel_locations", "spike_times/Unit1"], ids=lambda n: n.split("/")[-1]
)
def test_a_missing_file_is_named(data, name):
    (data / f"{name}.npy").unlink()
    with pytest.raises(FileNotFoundError, match=name):
        runDANT({"path_to_data": str(data), "output_folder": str(data / "out")})


def changed(values, at, value):
    values = values.astype(float)
    values[at] = value
    return values


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("waveform_all", lambda a: changed(a, (2, 0, 0), np.nan), "unit 2 is not finite"),
        ("waveform_all", lambda a: a[0], "unit, channel, sample"),
        ("waveform_all", lambda a: a[:0], "unit, channel, sample"),
        ("session_index", lambda a: a[1:], "for each"),
        ("session_index", lambda a: a - 1, "counted from 1"),
        ("session_index", lambda a: a + 0.5, "counted from 1"),
        ("channel_locations", lambda a: a[:, :1], "x and y"),
        ("channel_locations", lambda a: changed(a, (0, 0), np.nan), "finite"),
        ("spike_times/Unit0", lambda a: changed(a, 0, np.inf), "not finite"),
        ("session_index", lambda a: a.astype(str), "write numbers"),
        ("session_index", lambda a: a.astype(object), "not an array of numbers"),
        ("peth", lambda _: np.zeros((3, 5)), "unit, bin"),
        ("channel_shanks", lambda _: np.zeros(3), "channel_shanks"),
    ],
)
def test_what_is_wrong_is_named(data, name, change, message):
    file = data / f"{name}.npy"
    np.save(file, change(np.load(file) if file.exists() else None))
    with pytest.raises(ParameterError, match=message):
        runDANT({"path_to_data": str(data), "output_folder": str(data / "out")})


def test_features_that_are_not_there(data):
    settings = {"path_to_data": str(data), "output_folder": str(data / "out"), "clustering": {"features": ["PETH"]}}
    with pytest.raises(ParameterError, match=r"no peth\.npy"):
        runDANT(settings)
    for file in (data / "spike_times").iterdir():
        file.unlink()
    (data / "spike_times").rmdir()
    with pytest.raises(FileNotFoundError, match="only Waveform"):
        runDANT({**settings, "clustering": {}})
    runDANT({**settings, "clustering": {"features": ["Waveform"]}})
