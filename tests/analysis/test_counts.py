"""Spikes read from counts have the values of spikes read from microvolts."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import xephys
from xephys.analysis.counts import counts_of, locating_counts
from xephys.kernels.localize.center_of_mass import localize_counts
from xephys.localize.peaks import METHODS
from xephys.localize.window import PeakWindow
from xephys.preprocess.scale import scale, to_uv
from xephys.recording.stages import recording_plan
from xephys.schema import make_recording
from xephys.simulation.sorting import truth_sorting
from xephys.testing import simulate_recording

READ = ["waveforms", "templates", "spike_amplitudes", "spike_locations", "amplitude_scalings", "noise_levels"]


def counted(dtype: str = "i2") -> xr.DataArray:
    traces = np.random.default_rng(0).integers(0, 99, (4000, 3)).astype(dtype)
    gains = {"gain_to_uv": [0.2, -0.5, 3.0], "offset_to_uv": [0.0, 7.0, -1.0]}
    return make_recording(traces, sampling_frequency=1000.0, coordinates=gains)


def test_a_plan_without_its_scaling_gives_the_same_values() -> None:
    recording = counted()
    scaled = to_uv(recording)
    plan, gains, offsets = counts_of(recording_plan(scaled))
    assert plan.dtype == np.int16
    counts = recording.values.astype(np.float32)
    np.testing.assert_array_equal(counts * gains + offsets, scaled.values)


@pytest.mark.parametrize(
    "make", [counted, lambda: scale(to_uv(counted()), gain=2.0).astype("f4") * 2, lambda: to_uv(counted("u4"))]
)
def test_other_plans_stay_as_they_are(make) -> None:
    """A recording in counts, one that ends in another step, and one whose scaling needs float64."""
    plan = recording_plan(make())
    same, gains, offsets = counts_of(plan)
    assert same is plan
    assert (gains.tolist(), offsets.tolist()) == ([1.0] * 3, [0.0] * 3)


def test_only_the_center_of_mass_is_computed_from_counts() -> None:
    window = PeakWindow(np.arange(6.0).reshape(3, 2) * 20, None, 20.0, 15, 15, 30_000.0)
    ones = np.ones(3, np.float32)
    stage = locating_counts(METHODS["center_of_mass"].build(window), ones, ones)
    assert stage is not None
    assert stage.func is localize_counts
    assert locating_counts(METHODS["monopolar_triangulation"].build(window), ones, ones) is None


@pytest.mark.parametrize("method", ["center_of_mass", "monopolar_triangulation"])
def test_all_values_of_counts_are_those_of_the_microvolts(method: str) -> None:
    """To the bit, but for the scales of spikes, in whose sums the gains come last."""
    recording, truth = simulate_recording(duration_s=3.0, n_channels=8, n_units=3, seed=1)
    sorting = truth_sorting(recording, truth)
    microvolts = make_recording(
        to_uv(recording).values, sampling_frequency=30_000.0,
        coordinates={name: recording[name].values for name in ("x", "y")}, units="uV",
    ).assign_coords(channel=recording.channel.values)  # fmt: skip
    parameters = {"spike_locations": {"method": method}}
    found, expected = (
        xephys.analyze(sorting, given, READ, parameters=parameters)["analysis"] for given in (recording, microvolts)
    )
    for name in READ:
        for variable, values in expected[name].data_vars.items():
            tolerance = 1e-6 if variable == "scale" else 0.0
            np.testing.assert_allclose(found[name][variable].values, values.values, rtol=tolerance, err_msg=variable)
