"""A sorting together with a recording of another sampling rate is refused by every public function that takes both."""

from __future__ import annotations

import inspect

import pytest

import xephys
from xephys import ParameterError

from ..support.spiking import case

#: Functions in which the recording has another part than that of the samples' axis, with the reason.
OTHERWISE = {
    "make_sorting": "its recording gives the axis of the new sorting",
    "balance_thresholds": "its spikes are those of a match on this recording",
    "refine_clusters": "its spikes are those of a match on this recording",
    "plot.plot_drift_raster": "a sorting has times of its own; the recording is that of peaks",
}
#: What some need besides.
GIVEN = {"export_nwb": {"session_start": "2026-11-27T10:30:00Z"}}
ROOMS = {"": xephys, "plot.": xephys.plot, "curate.": xephys.curate}


def takers():
    """Public functions with a recording and a sorting, or spikes that may be one."""
    for room, module in ROOMS.items():
        for name in sorted(dir(module)):
            function = getattr(module, name)
            if name.startswith("_") or not inspect.isfunction(function):
                continue
            parameters = set(inspect.signature(function).parameters)
            if "recording" in parameters and parameters & {"sorting", "spikes"}:
                yield room + name, function


NAMES = dict(takers())


@pytest.fixture(scope="module")
def sorting():
    times = case().spikes["sample_index"] / case().recording.attrs["sampling_frequency"]
    tree = xephys.make_sorting(times_s=times, labels=case().spikes["unit_index"], recording=case().recording)
    return xephys.analyze(tree, case().recording, ["random_spikes", "templates"])


@pytest.fixture(scope="module")
def slower():
    return xephys.resample(case().recording, sampling_frequency_hz=15_000.0)


def test_the_tables_name_what_exists():
    assert {*OTHERWISE, *GIVEN} <= set(NAMES)


@pytest.mark.parametrize("name", sorted(set(NAMES) - set(OTHERWISE)))
def test_another_rate_is_refused(name, sorting, slower, tmp_path):
    parameters = inspect.signature(NAMES[name]).parameters
    given = {"recording": slower, ("sorting" if "sorting" in parameters else "spikes"): sorting, **GIVEN.get(name, {})}
    for place in ("folder", "path"):
        if place in parameters and parameters[place].default is inspect.Parameter.empty:
            given[place] = tmp_path / "out"
    with pytest.raises(ParameterError, match="the recording is sampled at 15000 Hz and the sorting at 3"):
        NAMES[name](**given)
    assert not (tmp_path / "out").exists()
