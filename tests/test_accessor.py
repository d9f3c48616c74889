"""``recording.ephys``: complete, thin, and lazy where it slices."""

from __future__ import annotations

import inspect
import subprocess
import sys

import dask.array as da
import pytest

import xephys
from xephys.accessor import RecordingAccessor
from xephys.schema import make_recording
from xephys.testing import simulate_recording


@pytest.fixture(scope="module")
def recording():
    return simulate_recording(duration_s=7.0, n_channels=8, n_units=2, seed=0)[0]


def _takes_a_recording(name):
    value = getattr(xephys, name)
    if not inspect.isfunction(value):
        return False
    return next(iter(inspect.signature(value).parameters), "") == "recording"


def test_every_function_that_takes_a_recording_is_a_method():
    wanted = {name for name in xephys.__all__ if _takes_a_recording(name)}
    missing = wanted - set(vars(RecordingAccessor))
    assert wanted
    assert not missing


def test_methods_are_the_functions_themselves():
    for name in vars(RecordingAccessor):
        if name.startswith("_"):
            continue
        function = getattr(RecordingAccessor, name)
        assert function.__name__ == name
        assert getattr(xephys, name, function) is function


def test_a_method_gives_what_its_function_gives(recording):
    ours = recording.ephys.bandpass_filter(freq_min_hz=500)
    theirs = xephys.bandpass_filter(recording, freq_min_hz=500)
    assert ours.data.name == theirs.data.name
    assert "freq_min_hz" in str(inspect.signature(recording.ephys.bandpass_filter))
    assert "recording" not in inspect.signature(recording.ephys.bandpass_filter).parameters


def test_accessor_exists_on_arrays_made_elsewhere():
    array = make_recording(da.zeros((100, 2)), sampling_frequency=1000.0)
    assert isinstance(array.ephys, RecordingAccessor)


@pytest.mark.parametrize(
    "code",
    [
        "import xarray, xephys; print(hasattr(xarray.DataArray(0), 'ephys'))",
        "import xephys; xephys.open_recording; import xarray; print(hasattr(xarray.DataArray(0), 'ephys'))",
        "import xephys.testing, xarray; print(hasattr(xarray.DataArray(0), 'ephys'))",
    ],
)
def test_the_accessor_exists_for_any_order_of_imports(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert done.stdout == "True\n", done.stderr


def test_it_shows_the_recording_and_its_methods(recording):
    text, html = repr(recording.ephys), recording.ephys._repr_html_()
    assert text.startswith("a recording of 8 channels and 7 s at 30000 Hz in counts; its methods")
    for name in ("bandpass_filter", "detect_peaks", "sort", "plot_traces"):
        assert name in text
        assert name in html
    assert max(map(len, text.splitlines())) <= 100
    assert "is not a recording" in repr(recording.T.ephys)
