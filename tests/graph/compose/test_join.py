"""Several plans as one source: the samples of each, whatever the chunks, and a bridge without a step between them."""

from __future__ import annotations

import pickle
from itertools import pairwise

import dask.array as da
import numpy as np
import pytest

import xephys
from xephys.graph.build import count_tasks, plan_of
from xephys.graph.compose.join import BesideSource, JoinedSource, arrays_beside, bridge_between, join_arrays
from xephys.graph.plan import Plan
from xephys.graph.source import BinarySource, file_token
from xephys.io.store.encode import decode_plan, encode_plan

RATE = 1000.0


@pytest.fixture
def plans(tmp_path):
    rng, made = np.random.default_rng(0), []
    for k, n in enumerate((2500, 1300, 900)):
        path = tmp_path / f"{k}.bin"
        rng.integers(-900, 900, (n, 3)).astype("i2").tofile(path)
        source = BinarySource(str(path), "<i2", 3, n, content=file_token(path))
        made.append(Plan.of_source(source, sampling_frequency=RATE, chunk_samples=700))
    return made


def traces(plan):
    return plan.source.read(0, plan.source.n_samples)


@pytest.mark.parametrize("bridge", [0, 7, 40])
@pytest.mark.parametrize("chunk_samples", [150, 999, 10_000])
def test_joined_samples_are_those_of_the_parts(plans, bridge, chunk_samples):
    arrays = [da.from_array(traces(plan)) for plan in plans]
    joined = join_arrays(arrays, plans, bridge=bridge, chunk_samples=chunk_samples)
    parts = [traces(plan) for plan in plans]
    expected = [parts[0]]
    for before, after in pairwise(parts):
        expected += [bridge_between(before[len(before) - bridge :], after[:bridge], bridge)] if bridge else []
        expected.append(after)
    np.testing.assert_array_equal(joined.compute(), np.concatenate(expected))
    assert count_tasks(joined) == joined.numblocks[0]
    in_memory = join_arrays(arrays, [None] * 3, bridge=bridge, chunk_samples=chunk_samples)
    np.testing.assert_array_equal(in_memory.compute(), np.concatenate(expected))


def test_the_bridge_is_as_noisy_as_its_ends_and_connects_them():
    rng = np.random.default_rng(1)
    tail, head = rng.normal(500, 3, (400, 2)), rng.normal(-500, 3, (400, 2))
    filled = bridge_between(tail, head, 400)
    whole = np.concatenate([tail, filled, head])
    assert np.abs(np.diff(whole, axis=0)).max() < 30
    high = np.diff(filled, axis=0) - np.diff(filled, axis=0).mean()
    assert 0.5 < high.std() / np.diff(tail, axis=0).std() < 1.1
    short = bridge_between(tail[:3], head[:1], 400)
    assert short.shape == (400, 2) and np.isfinite(short).all()


def test_filters_do_not_ring_at_the_joint(plans):
    rng = np.random.default_rng(2)
    one = xephys.schema.make_recording(rng.normal(0, 5, (9000, 2)).astype("f4") + 900, sampling_frequency=30_000.0)
    two = xephys.schema.make_recording(rng.normal(0, 5, (9000, 2)).astype("f4") - 900, sampling_frequency=30_000.0)
    joined = xephys.bandpass_filter(xephys.concatenate_segments([one, two], gap_ms=50)).values
    alone = xephys.bandpass_filter(two).values
    assert np.abs(joined[-9000:] - alone)[600:].max() < 0.1
    assert np.abs(joined).max() < 1.2 * np.abs(alone).max() + 1


def test_channels_are_joined_side_by_side(plans):
    pair = [plans[0], plans[0].narrowed(0, (700, 700, 700, 400))]
    arrays = [da.from_array(traces(plan)) for plan in pair]
    whole = arrays_beside(arrays, pair, chunk_samples=600)
    np.testing.assert_array_equal(whole.compute(), np.hstack([traces(pair[0]), traces(pair[0])]))
    assert count_tasks(whole) == whole.numblocks[0]
    in_memory = arrays_beside(arrays, [None, None], chunk_samples=600)
    assert in_memory.chunks[1] == (6,)
    np.testing.assert_array_equal(in_memory.compute(), whole.compute())


def test_sources_are_small_stable_and_plain(plans):
    for source in (JoinedSource(tuple(plans), 5), BesideSource((plans[0], plans[0]))):
        again = pickle.loads(pickle.dumps(source))
        assert again.token == source.token and len(pickle.dumps(source)) < 4000
        plan = Plan.of_source(source, sampling_frequency=RATE, chunk_samples=500)
        there = decode_plan(encode_plan(plan))
        assert there.source == source and there.token == plan.token
        np.testing.assert_array_equal(there.source.read(100, 2450), source.read(100, 2450))
    tokens = {JoinedSource(tuple(plans), gap).token for gap in (0, 5)} | {JoinedSource(tuple(plans[:2]), 0).token}
    assert len(tokens) == 3


def test_stages_of_the_parts_run_in_the_reading_task(tmp_path):
    samples = np.random.default_rng(3).normal(0, 50, (6000, 2)).astype("i2")
    samples.tofile(tmp_path / "a.bin")
    opened = xephys.open_recording(tmp_path / "a.bin", sampling_frequency=3000.0, n_channels=2)
    filtered = xephys.bandpass_filter(opened, freq_min_hz=300, freq_max_hz=1000)
    joined = xephys.concatenate_segments([filtered, filtered])
    assert plan_of(joined.data).stages == () and count_tasks(joined) == joined.data.numblocks[0]
    np.testing.assert_array_equal(joined.values, np.concatenate([filtered.values, filtered.values]))
