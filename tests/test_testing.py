"""The public test helpers: the labelled array, and guards that can fail."""

import numpy as np
import pytest

from xephys.graph.build import count_tasks, plan_of
from xephys.simulation.source import SimulationSource
from xephys.testing import assert_chunk_invariant, forbid_compute, rechunked, simulate_recording


@pytest.fixture(scope="module")
def pair():
    return simulate_recording(duration_s=3.3, n_channels=8, n_units=3, preset="hard", seed=1)


def test_building_computes_nothing():
    with forbid_compute():
        recording, truth = simulate_recording(duration_s=36_000.0, n_channels=384, n_units=1, rate_median_hz=0.3)
    assert recording.shape == (1_080_000_000, 384)
    assert truth.config.n_samples == recording.sizes["time"]


def test_one_task_per_chunk(pair):
    recording, _ = pair
    assert count_tasks(recording.data) == recording.data.numblocks[0] == 2


def test_values_and_coordinates(pair):
    recording, truth = pair
    np.testing.assert_array_equal(recording.values, SimulationSource(truth.config).read(0, 99_000))
    np.testing.assert_array_equal(np.stack([recording.x, recording.y], axis=1), truth.layout.xy)
    assert recording.dtype == np.int16 and set(recording.gain_to_uv.values) == {truth.config.gain_uv}
    assert recording.attrs["sampling_frequency"] == 30_000.0


def test_a_lazy_operation_does_not_depend_on_chunks(pair):
    assert_chunk_invariant(lambda r: r, pair[0], chunk_samples=[3000, 21_003, 99_000])


def test_a_function_of_the_chunks_is_caught(pair):
    with pytest.raises(AssertionError, match=r"chunks of 3000 samples, result 0: .* values differ, first at"):
        assert_chunk_invariant(
            lambda r: r.copy(data=r.data.map_blocks(lambda b: b - b[:1])), pair[0], chunk_samples=[3000]
        )


def test_an_array_without_a_plan_is_refused(pair):
    with pytest.raises(ValueError, match="carries no plan"):
        rechunked(pair[0] * 2, 3000)
    assert plan_of(rechunked(pair[0], 3000).data) is not None


def test_forbid_compute_forbids(pair):
    with forbid_compute(), pytest.raises(AssertionError, match="was computed"):
        pair[0][:10].compute()


def test_defaults_follow_the_channels():
    assert simulate_recording(n_channels=128)[1].n_units == 40
    assert simulate_recording(n_channels=1, preset="hard")[1].n_units == 1
