"""Excerpts of a source, one after the other: the same samples, without steps, whatever range is read."""

from __future__ import annotations

import itertools
import pickle

import numpy as np
import pytest

import xephys
from xephys import ParameterError
from xephys.graph.build import count_tasks, plan_of
from xephys.graph.compose.splice import SplicedSource, spread_starts
from xephys.graph.plan import Source
from xephys.testing import assert_chunk_invariant, forbid_compute, simulate_recording

from .. import toys


@pytest.fixture
def spliced(source):
    return SplicedSource(source, (0, 1500, 3000), 1000, 50)


def reference(samples, starts, length, fade):
    """Piece by piece: linear weights over the last samples of each piece but the last."""
    pieces = []
    for k, start in enumerate(starts):
        piece = samples[start : start + length].astype(float)
        if k + 1 < len(starts):
            ahead = samples[starts[k + 1] - fade : starts[k + 1]].astype(float)
            weight = np.arange(1, fade + 1)[:, None] / (fade + 1)
            piece[-fade:] = (1 - weight) * piece[-fade:] + weight * ahead
        pieces.append(np.rint(piece))
    return np.concatenate(pieces).astype(samples.dtype)


def test_samples_equal_the_reference(spliced):
    assert isinstance(spliced, Source)
    expected = reference(toys.samples(), spliced.starts, 1000, 50)
    assert spliced.n_samples == len(expected) == 3000
    np.testing.assert_array_equal(spliced.read(0, 3000), expected)
    assert spliced.read(0, 3000).dtype == spliced.dtype


@pytest.mark.parametrize(
    ("start", "stop"), [(0, 10), (940, 960), (949, 951), (990, 1010), (1000, 2000), (500, 2999), (7, 7)]
)
def test_any_range_can_be_read(spliced, start, stop):
    np.testing.assert_array_equal(spliced.read(start, stop), spliced.read(0, 3000)[start:stop])


def test_neighboring_excerpts_are_joined_without_a_trace(source):
    joined = SplicedSource(source, (0, 1000), 1000, 50)
    np.testing.assert_array_equal(joined.read(0, 2000), toys.samples()[:2000])


def test_the_token_follows_the_source_and_the_excerpts(spliced, source):
    assert pickle.loads(pickle.dumps(spliced)).token == spliced.token
    others = [SplicedSource(source, (0, 1500, 3001), 1000, 50), SplicedSource(source, (0, 1500, 3000), 1000, 51)]
    assert len({spliced.token, *(other.token for other in others)}) == 3


@pytest.mark.parametrize("n", [1, 2, 7])
def test_starts_are_spread_and_do_not_overlap(n):
    starts = spread_starts(2000, 12_000, n_stretches=n, length=1000, grid=100)
    assert len(starts) == n
    assert all(2000 <= start <= 11_000 and start % 100 == 0 for start in starts)
    assert all(b - a >= 1000 for a, b in itertools.pairwise(starts))


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    simulated, _ = simulate_recording(duration_s=40, n_channels=8, n_units=2, seed=0, offset_uv=100.0)
    path = tmp_path_factory.mktemp("splice") / "recording"
    xephys.save_recording(simulated, path, format="binary")
    return xephys.open_recording(path)


def test_a_recording_is_shortened(recording):
    with forbid_compute():
        short = xephys.spread_slices(recording, total_s=8, slice_duration_s=2)
    assert short.sizes["time"] == 8 * 30_000
    assert float(short.time[30_000]) == 1.0
    assert count_tasks(short.data) == short.data.numblocks[0]
    starts = plan_of(short).source.starts
    assert starts == (0, 12 * 30_000, 25 * 30_000, 38 * 30_000)
    np.testing.assert_array_equal(short[60_000:90_000].values, recording[starts[1] : starts[1] + 30_000].values)
    assert set(short.coords) == set(recording.coords)


def test_filters_see_no_step(recording):
    """The channels have different offsets, so a plain cut would make each excerpt begin with a click."""
    short = xephys.spread_slices(recording, total_s=8, slice_duration_s=2)
    filtered = xephys.bandpass_filter(short)
    assert_chunk_invariant(xephys.bandpass_filter, short, chunk_samples=(7_001, 100_000))
    noise = xephys.estimate_noise_levels(filtered).values
    around = filtered.isel(time=slice(60_000 - 600, 60_000 + 600)).values
    quiet = filtered.isel(time=slice(30_000, 31_200)).values
    assert np.abs(around / noise).max() < 2 * max(np.abs(quiet / noise).max(), 5)


def test_a_part_of_a_recording_is_shortened_within_itself(recording):
    part = xephys.time_slice(recording, 10.0, 30.0)
    short = xephys.spread_slices(part, total_s=4, slice_duration_s=1)
    starts = plan_of(short).source.starts
    assert starts[0] == 10 * 30_000
    assert starts[-1] == 29 * 30_000


def test_a_short_recording_is_left_as_it_is(recording):
    assert xephys.spread_slices(recording, total_s=40) is recording
    assert xephys.spread_slices(recording) is recording


def test_arrays_in_memory_and_opaque_arrays_are_shortened(recording):
    lazy = xephys.spread_slices(recording, total_s=8, slice_duration_s=2)
    np.testing.assert_array_equal(xephys.spread_slices(recording.compute(), total_s=8, slice_duration_s=2), lazy)
    with pytest.raises(ParameterError, match=r"is the result of arithmetic .* save it first"):
        xephys.spread_slices(recording * 2, total_s=8, slice_duration_s=2)


@pytest.mark.parametrize("name", ["total_s", "slice_duration_s", "fade_ms"])
def test_lengths_must_be_positive(recording, name):
    with pytest.raises(ParameterError, match=f"{name} is 0; it must be greater than 0"):
        xephys.spread_slices(recording, **{name: 0})
