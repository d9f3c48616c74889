"""Templates and metrics of units beside a plain computation, and one alignment per unit."""

from __future__ import annotations

import numpy as np
import pytest

import xephys
from xephys.errors import XephysWarning
from xephys.pipeline import SortingPipelineConfig
from xephys.pipeline.batch.units import extremum_shifts, measure_units, shift_units
from xephys.recording.axes import SegmentAxes
from xephys.simulation.sorting import truth_sorting
from xephys.testing import simulate_recording


@pytest.fixture(scope="module")
def simulated():
    recording, truth = simulate_recording(duration_s=4, n_channels=8, n_units=3, seed=0)
    return recording, truth_sorting(recording, truth)


def test_columns_are_those_of_a_plain_computation(simulated) -> None:
    recording, sorting = simulated
    table = measure_units(sorting, recording, SortingPipelineConfig.from_kwargs(max_waveforms_per_unit=10_000))
    traces = xephys.bandpass_filter(xephys.to_uv(recording), freq_min_hz=300, freq_max_hz=6000).values
    spikes, units = table.sorting["spikes"], table.units
    for k in range(units.sizes["unit"]):
        samples = spikes["sample_index"].values[spikes["unit_index"].values == k]
        channel = int(units["peak_channel"][k])
        inside = samples[(samples > 60) & (samples < len(traces) - 60)]
        snippets = np.stack([traces[s - 60 : s + 60, channel] for s in inside])
        assert units["amplitude"].values[k] == pytest.approx(-snippets.mean(axis=0)[60], rel=0.02)
        spread = snippets.std(axis=0)[60] / units["amplitude"].values[k]
        assert units["std_norm"].values[k] == pytest.approx(spread, rel=0.05)
        assert units["isi_violations"].values[k] == (np.diff(samples) < 45).sum() / len(samples)
        assert units["firing_rate"].values[k] == pytest.approx(len(samples) / 4)
        assert units["peak_index"].values[k] == 60 and not units["has_pos_peak"].values[k]


def test_all_spikes_of_a_unit_move_together_and_two_units_on_one_sample_stay_apart(simulated) -> None:
    recording, _ = simulated
    sorting = xephys.make_sorting(sample_index=[100, 100, 900, 0], labels=[1, 2, 1, 2], recording=recording)
    moved = shift_units(sorting, np.array([3, -5]), SegmentAxes.of(recording))
    spikes = moved["spikes"]
    trains = [spikes["sample_index"].values[spikes["unit_index"].values == k].tolist() for k in range(2)]
    assert trains == [[103, 903], [0, 95]]


def test_misaligned_units_are_moved_to_their_extremum(simulated) -> None:
    recording, sorting = simulated
    late = shift_units(sorting, np.array([4, 0, -3]), SegmentAxes.of(recording))
    config = SortingPipelineConfig()
    expected, found = (measure_units(one, recording, config).sorting["spikes"] for one in (sorting, late))
    a, b = (np.sort(one["sample_index"].values[one["unit_index"].values == 0]) for one in (expected, found))
    np.testing.assert_array_equal(a[1:-1], b[1:-1])


def test_a_positive_unit_is_aligned_to_its_maximum() -> None:
    template = np.zeros((1, 21), np.float32)
    template[0, 3:19] = 0.5
    template[0, 8], template[0, 12] = -2.0, 9.0
    assert extremum_shifts(template, 10, pos_peak_thresh=2.0).tolist() == [2]
    assert extremum_shifts(template, 10, pos_peak_thresh=5.0).tolist() == [-2]


def test_a_corner_that_the_rate_does_not_allow_is_lowered_with_a_warning() -> None:
    traces = np.random.default_rng(0).normal(0, 10, (20_000, 2)).astype("float32")
    recording = xephys.make_recording(
        traces, sampling_frequency=10_000.0, units="uV", coordinates={"x": [0.0, 0.0], "y": [0.0, 20.0]}
    )
    sorting = xephys.make_sorting(sample_index=[500, 900], labels=[1, 1], recording=recording)
    with pytest.warns(XephysWarning, match=r"freq_max is 6000 Hz, above 0\.49 of the rate, 10000 Hz; .* up to 4900 Hz"):
        measure_units(sorting, recording, SortingPipelineConfig())
