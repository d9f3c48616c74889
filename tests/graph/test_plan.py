"""The algebra of plans: halos, order of stages, ranges, and the texts of errors."""

from __future__ import annotations

import numpy as np
import pytest

from xephys.graph.plan import Plan, Stage, regular_chunks
from xephys.graph.source import BinarySource

from . import toys

SOURCE = BinarySource("nowhere", "<i2", 6, 5_437)


def test_halos_of_trace_stages_add_up_and_the_largest_of_event_stages_counts():
    plan = toys.plan_on(SOURCE).then(toys.MEAN).then(toys.SCALE).then(toys.SMOOTH)
    assert plan.halo == (37 + 2, 23 + 2)
    plan = plan.then(toys.MINIMA).then(toys.WAVES)
    assert plan.event_halo == (3, 3)
    assert plan.halo == (37 + 2 + 3, 23 + 2 + 3)


def test_dtype_channels_and_kind_are_those_of_the_last_stage():
    plan = toys.plan_on(SOURCE)
    assert (plan.dtype, plan.n_channels, plan.emits) == (np.dtype("int16"), 6, "traces")
    fewer = Stage(toys.mix, dtype=np.float32, arrays={"matrix": np.ones((2, 6), np.float32)}, n_channels=2)
    plan = plan.then(fewer).then(toys.SCALE)
    assert (plan.dtype, plan.n_channels) == (np.dtype("float32"), 2)
    assert plan.then(toys.MINIMA).emits == "events"


def test_a_source_in_foreign_byte_order_gives_a_plan_in_native_order():
    assert toys.plan_on(BinarySource("nowhere", ">i2", 6, 100)).dtype == np.dtype("int16")


@pytest.mark.parametrize("last", [toys.MINIMA, toys.SUMS])
def test_traces_cannot_follow_events_or_sums(last):
    plan = toys.plan_on(SOURCE).then(last)
    with pytest.raises(ValueError, match=f"scale emits traces and cannot follow {last.name}, which emits {last.emits}"):
        plan.then(toys.SCALE)


def test_nothing_can_follow_sums():
    with pytest.raises(ValueError, match="cannot follow sums, which emits partials; extend the traces instead"):
        toys.plan_on(SOURCE).then(toys.SUMS).then(toys.MINIMA)


def test_a_recording_no_longer_than_its_halo_is_refused_with_numbers_and_remedy():
    plan = toys.plan_on(BinarySource("nowhere", "<i2", 6, 37))
    with pytest.raises(
        ValueError, match="has 37 samples, no more than the halo of 37 that running_mean needs at 1000 Hz"
    ) as e:
        plan.then(toys.MEAN)
    assert "use a longer recording" in str(e.value)
    assert toys.plan_on(BinarySource("nowhere", "<i2", 6, 38)).then(toys.MEAN).halo == (37, 23)


def test_arrays_with_a_dot_in_their_names_reach_the_kernel_as_one_mapping():
    first, second, alone = np.zeros(2), np.ones(3), np.ones(1)
    arrays = {"model.first": first, "model.second": second, "alone": alone}
    stage = Stage(toys.mix, dtype=np.float32, parameters={"factor": 2}, arrays=arrays)
    assert set(stage.keywords) == {"factor", "model", "alone"}
    assert stage.keywords["model"]["first"] is first and stage.keywords["model"]["second"] is second
    changed = Stage(toys.mix, dtype=np.float32, parameters={"factor": 2}, arrays={**arrays, "model.first": first + 1})
    assert changed.token != stage.token


def test_arrays_are_of_one_type_for_numba_whether_they_were_read_only_or_not():
    matrix = np.broadcast_to(np.float32(1), (2, 6))
    stages = [Stage(toys.mix, dtype=np.float32, arrays={"matrix": given}) for given in (matrix, matrix.copy())]
    assert all(stage.keywords["matrix"].flags.writeable for stage in stages)
    assert stages[0].token == stages[1].token


def test_a_negative_halo_is_refused():
    with pytest.raises(ValueError, match=r"scale: the halo \(-1, 0\) is negative"):
        Stage(toys.scale, dtype=np.float32, before=-1)


def test_an_array_hidden_among_the_parameters_is_refused():
    with pytest.raises(TypeError, match="'gain' is an array; pass it in `arrays`"):
        Stage(toys.scale, dtype=np.float32, parameters={"gain": np.ones(3)})


@pytest.mark.parametrize("value", [toys.scale, object(), {"a": 1}, (1, print)])
def test_a_parameter_whose_text_may_differ_between_processes_is_refused(value):
    with pytest.raises(TypeError, match="a stage takes numbers, strings and tuples of them"):
        Stage(toys.scale, dtype=np.float32, parameters={"gain": value})


def test_chunks_are_equal_with_a_shorter_last_one():
    assert regular_chunks(10, 4) == (4, 4, 2)
    assert regular_chunks(8, 4) == (4, 4)
    assert regular_chunks(3, 4) == (3,)
    assert regular_chunks(0, 4) == (0,)
    with pytest.raises(ValueError, match="a chunk of 0 samples is impossible"):
        regular_chunks(10, 0)


def test_a_narrower_range_stays_on_the_absolute_axis():
    plan = toys.plan_on(SOURCE).narrowed(1500, (700, 300))
    assert (plan.start, plan.stop, plan.n_samples) == (1500, 2500, 1000)
    assert plan.starts.tolist() == [1500, 2200, 2500]
    assert list(plan.tiles(1500, 2500)) == [1, 2]
    assert list(plan.tiles(1000, 2000)) == [1]
    assert list(plan.tiles(1500, 1500)) == []
    with pytest.raises(ValueError, match=r"range \[1400, 2400\) is outside the plan's \[1500, 2500\)"):
        plan.narrowed(1400, (1000,))


def test_a_tile_is_one_second_whatever_the_chunks():
    for chunk in (1, 700, 100_000):
        assert toys.plan_on(SOURCE, chunk_samples=chunk).tile_samples == 1000
    assert Plan.of_source(SOURCE, sampling_frequency=0.2, chunk_samples=3).tile_samples == 1


def test_identity_ignores_chunks_and_token_does_not():
    a, b = (toys.plan_on(SOURCE, chunk_samples=n).then(toys.MEAN) for n in (500, 700))
    assert a.identity == b.identity
    assert a.token != b.token
    assert a.rechunked(700).token == b.token
