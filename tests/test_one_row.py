"""What is chosen by name is one row of a table: a function or folder and its row, and no other file knows of it."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import ClassVar

import numpy as np
import pytest
from pydantic import BaseModel
from typer.testing import CliRunner

import xephys
from xephys import ParameterError
from xephys.cli.app import app
from xephys.graph.plan import Stage
from xephys.localize.peaks import METHODS, LocalizationMethod
from xephys.metrics.facts import UnitFacts
from xephys.metrics.table import METRICS, Metric, compute_columns, empty_columns, unit_variables
from xephys.pipeline.sorters import available_sorters
from xephys.schema import PEAK_DTYPE, Variable
from xephys.sorter.presets import PRESETS, Preset
from xephys.sorting import build_sorting
from xephys.testing import simulate_recording

RATE = 30_000


@pytest.fixture(scope="module")
def recording():
    return simulate_recording(duration_s=1, n_channels=4, n_units=2, seed=0)[0]


def test_a_metric_is_a_function_and_a_row(monkeypatch):
    def last_sample(facts):
        return np.array([facts.sample_index[facts.unit_index == unit].max() for unit in range(facts.n_units)])

    column = Variable("last_sample", ("unit",), "i8", "samples", "last spike")
    monkeypatch.setitem(METRICS, "last_sample", Metric(last_sample, column, ("sample_index", "unit_index")))
    facts = UnitFacts(
        sample_index=np.array([3, 5, 9]), unit_index=np.array([0, 1, 0]), n_units=2, n_samples=RATE,
        sampling_frequency=float(RATE), amplitude=np.ones(2, "f4"), noise=np.ones(2),
    )  # fmt: skip
    assert compute_columns(facts)["last_sample"].tolist() == [9, 5]
    assert empty_columns(unit_variables())["last_sample"].dtype == np.int64


def at_the_peak_channel(traces, events, *, before, after, start, positions):
    """The kernel of the method below."""
    located = np.zeros(len(events), [*PEAK_DTYPE.descr, ("x", "f4"), ("y", "f4")])
    for name in PEAK_DTYPE.names:
        located[name] = events[name]
    located["x"], located["y"] = positions[events["channel_index"]].T
    return located


def test_a_method_of_localization_is_a_function_and_a_row(monkeypatch, recording):
    def build(window, *, shift_um=0.0):
        dtype = np.dtype([*PEAK_DTYPE.descr, ("x", "f4"), ("y", "f4")])
        return Stage(at_the_peak_channel, dtype, arrays={"positions": window.positions + shift_um}, emits="events")

    monkeypatch.setitem(METHODS, "at_the_peak_channel", LocalizationMethod(build, ("x", "y")))
    peaks = np.zeros(3, PEAK_DTYPE)
    peaks["sample_index"], peaks["channel_index"] = [200, 400, 900], [2, 0, 3]
    found = xephys.localize_peaks(recording, peaks, method="at_the_peak_channel", shift_um=7.0).compute()
    np.testing.assert_allclose(found["y"], recording["y"].values[[2, 0, 3]] + 7)
    with pytest.raises(ParameterError, match=r"shift_m.*shift_um"):
        xephys.localize_peaks(recording, peaks, method="at_the_peak_channel", shift_m=7.0)


class ToyParameters(BaseModel):
    """Parameters of a sorter that finds a spike every so many samples."""

    UNITS: ClassVar[dict[str, str]] = {}
    every_samples: int = 1000
    n_passes: ClassVar[int] = 1
    band_hz: ClassVar[tuple[float, float]] = (300.0, 6000.0)

    def template_window(self, sampling_frequency):
        return 10, 30


def sort_toy(recording, parameters, run):
    samples = np.arange(100, recording.sizes["time"], parameters.every_samples)
    return build_sorting(
        recording,
        spikes={"sample_index": samples, "unit_index": np.zeros(len(samples), int)},
        units={"label": ["good"]},
        preset=run.preset,
    )


def check_toy(recording, parameters):
    """Any recording will do."""


def test_a_preset_is_a_folder_and_a_row(monkeypatch, recording):
    folder = ModuleType("xephys.sorter.toy")
    folder.ToyParameters, folder.sort_toy, folder.check_toy = ToyParameters, sort_toy, check_toy
    monkeypatch.setitem(sys.modules, folder.__name__, folder)
    row = Preset("toy", parameters="toy:ToyParameters", sort="toy:sort_toy", check="toy:check_toy")
    monkeypatch.setitem(PRESETS, "toy", row)
    sorting = xephys.sort(recording, preset="toy", every_samples=3000)
    assert sorting["spikes"]["sample_index"].values.tolist() == list(range(100, RATE, 3000))
    with pytest.raises(ParameterError, match="did you mean 'every_samples'"):
        xephys.sort(recording, preset="toy", every_sample=3000)
    assert "xephys_toy" in available_sorters()
    assert "every_samples" in CliRunner().invoke(app, ["parameters", "toy"]).output
