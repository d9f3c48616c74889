"""The recording as a function: the same samples however they are read, in any process."""

from __future__ import annotations

import hashlib
import pickle
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.simulated_source import HARD
from xephys.graph.plan import Source
from xephys.kernels.simulation.spikes import add_spikes
from xephys.simulation import source as source_module
from xephys.simulation.background import block_length
from xephys.simulation.config import make_config
from xephys.simulation.source import SimulationSource, draw_scene, far_spikes
from xephys.simulation.truth import Truth


def test_the_source_satisfies_the_protocol():
    source = SimulationSource(HARD)
    assert isinstance(source, Source)
    assert (source.n_samples, source.n_channels, source.dtype) == (69_000, 12, np.int16)


@settings(max_examples=25, deadline=None)
@given(cuts=st.lists(st.integers(0, HARD.n_samples), max_size=4), forget=st.booleans())
def test_reading_in_parts_gives_the_same_bits(whole, cuts, forget):
    source = SimulationSource(HARD)
    edges = [0, *sorted(cuts), HARD.n_samples]
    parts = []
    for lo, hi in pairwise(edges):
        if forget:
            source_module._blocks.clear()
        parts.append(source.read(lo, hi))
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_blocks_do_not_depend_on_the_order_of_reading(whole):
    source_module._blocks.clear()
    source_module._draw_scene.cache_clear()
    source = SimulationSource(HARD)
    for lo in (60_000, 15_000, 30_000, 0):
        np.testing.assert_array_equal(source.read(lo, lo + 4000), whole[lo : lo + 4000])


def test_pickle_is_small_and_reads_the_same_in_another_process(whole, tmp_path):
    data = pickle.dumps(SimulationSource(HARD))
    assert len(data) < 3000
    (tmp_path / "source.pkl").write_bytes(data)
    code = (
        "import pickle, sys, hashlib, pathlib;"
        "s = pickle.loads(pathlib.Path(sys.argv[1]).read_bytes());"
        "print(s.token, hashlib.sha1(s.read(14000, 33000).tobytes()).hexdigest())"
    )
    out = subprocess.run([sys.executable, "-c", code, str(tmp_path / "source.pkl")], capture_output=True, check=True)
    expected = hashlib.sha1(np.ascontiguousarray(whole[14000:33000]).tobytes()).hexdigest()
    assert out.stdout.decode().split() == [SimulationSource(HARD).token, expected]


def test_a_longer_recording_needs_no_more_memory_per_read():
    config = make_config("easy", n_channels=4, n_units=2, duration_s=3600.0)
    tail = SimulationSource(config).read(config.n_samples - 100, config.n_samples)
    assert tail.shape == (100, 4) and tail.std() > 0


def test_spikes_and_hash_have_no_seams_at_the_borders_of_blocks():
    silent = dict.fromkeys(["noise_uv", "field_uv", "slow_wave_uv", "mains_uv", "offset_uv", "movement_rate_hz"], 0)
    config = make_config(
        "hard", n_channels=16, n_units=8, duration_s=4.0, rate_median_hz=20.0, drift="rigid",
        stimulation_period_s=0, gain_uv=0.1, full_scale_uv=3000.0, **silent,
    )  # fmt: skip
    scene, n = draw_scene(config), block_length(config)
    expected = np.zeros((config.n_samples, 16), np.float32)
    far = [np.concatenate(p) for p in zip(*(far_spikes(config, scene, b) for b in range(-1, 10)), strict=True)]
    trains = scene.trains
    ones = np.ones(len(far[0]), np.float32)
    for time, unit, scale, stretch, bank in ((*far, ones, ones, scene.far_bank), (*trains, scene.population.bank)):
        moved = scene.motion.displacement(time / 30_000, bank.position[unit, 1])
        add_spikes(
            expected, 0, time, unit, scale, stretch, moved, bank, scene.layout.xy, scene.layout.inter_sample_shift
        )
    crossing = np.abs(trains.time[:, None] - n * np.arange(1, 8)).min(axis=0)
    assert crossing.min() < 60, "no spike lies across a border: choose another seed"
    traces = SimulationSource(config).read(0, config.n_samples) * config.gain_uv
    np.testing.assert_allclose(traces, expected, atol=0.06)


def test_seeds_differ():
    a, b = (SimulationSource(make_config("easy", n_channels=4, n_units=2, duration_s=1.0, seed=s)) for s in (0, 1))
    assert a.token != b.token
    x, y = a.read(0, 30_000).astype(float), b.read(0, 30_000).astype(float)
    assert np.abs(np.corrcoef(x[:, 0], y[:, 0])[0, 1]) < 0.1


def test_range_outside_the_recording_is_refused():
    with pytest.raises(ValueError, match="not inside"):
        SimulationSource(HARD).read(0, HARD.n_samples + 1)


def test_samples_are_read_only():
    with pytest.raises(ValueError, match="read-only"):
        SimulationSource(HARD).read(0, 10)[0, 0] = 1


@pytest.mark.parametrize("probe", ["neuropixels-like", "linear", "tetrode", "multi-shank"])
@pytest.mark.parametrize("n_channels", [1, 4, 13])
def test_any_probe_and_number_of_channels(probe, n_channels):
    config = make_config("hard", probe=probe, n_channels=n_channels, n_units=2, duration_s=0.6, drift="rigid")
    assert SimulationSource(config).read(0, config.n_samples).shape == (18_000, n_channels)
    xy = Truth(config).layout.xy
    assert len(np.unique(xy, axis=0)) == n_channels
    assert Truth(config).probe().get_contact_count() == n_channels
