"""Recordings of the comparison: they follow their setting, and are made again with the same bits."""

from __future__ import annotations

import shutil

import numpy as np
import pytest


def test_a_generated_recording_follows_its_setting_and_its_templates_find_its_spikes(part, small, tmp_path):
    from spikeinterface import load

    recorded, scoring = small.recorded("static:3", tmp_path), part("contest.scoring")
    recording = load(recorded.path)
    assert (recording.get_num_channels(), len(recorded.truth.unit_ids)) == (128, 40)
    noise_uv = float(recording.get_traces(return_in_uV=True).std(axis=0).min())
    assert 9.9 < noise_uv < 12.0  # white noise of 10 µV, raised a little by spikes
    peer = part("contest.peer")
    sample, unit = peer.matched(peer.prepared(recorded.path.parent), recorded.path.parent, "wobble")
    order = np.argsort(sample, kind="stable")
    scored = scoring.score(scoring.Found(sample[order].astype(int), unit[order].astype(int), 40), recorded)
    assert scored["well"] >= 36


def test_neighbors_share_noise_if_the_setting_demands_it(part):
    generated, kinds = part("contest.generated"), part("contest.kinds")
    setting = kinds.KINDS["dense-np1"].generator._replace(n_units=2)
    made = generated.generate(setting, seed=3, duration_s=4.0)
    assert made.recording.get_channel_locations()[:3].tolist() == [[43.0, 0.0], [11.0, 0.0], [59.0, 20.0]]
    traces = made.recording.get_traces(return_in_uV=True)
    sizes = np.median(np.abs(traces), axis=0) / 0.6745
    np.testing.assert_allclose(sizes, np.sqrt(np.diag(made.noise_uv2)), rtol=0.03)
    assert 8.0 < sizes.min() < 8.3
    assert 9.7 < sizes.max() < 10.2
    correlation = made.noise_uv2 / np.outer(sizes, sizes)
    assert correlation[0, 1] == pytest.approx(np.exp(-32 / 25), rel=0.05)
    np.testing.assert_allclose(np.corrcoef(traces.T), correlation, atol=0.05)


def test_the_matcher_takes_shared_noise_into_account(part, small, tmp_path, monkeypatch):
    """For most of 120 units on 128 contacts, true templates whitened with the true covariance find the spikes."""
    monkeypatch.setitem(small.KINDS, "dense-np1", small.KINDS["dense-np1"]._replace(duration_s=2.5))
    recorded, scoring = small.recorded("dense-np1:3", tmp_path), part("contest.scoring")
    peer = part("contest.peer")
    sample, unit = peer.matched(peer.prepared(recorded.path.parent), recorded.path.parent, "wobble")
    order = np.argsort(sample, kind="stable")
    scored = scoring.score(scoring.Found(sample[order].astype(int), unit[order].astype(int), 120), recorded)
    assert scored["well"] >= 90


def test_removed_samples_are_made_again(part, small, tmp_path):
    recorded = small.recorded("quick:0", tmp_path)
    bits = next(recorded.path.glob("*.raw")).read_bytes()
    shutil.rmtree(recorded.path)
    assert next(small.restored(small.recorded("quick:0", tmp_path)).path.glob("*.raw")).read_bytes() == bits


def test_an_unknown_set_is_refused(part, small, tmp_path):
    with pytest.raises(ValueError, match="no set 'drifting'"):
        small.recorded("drifting:0", tmp_path)
    with pytest.raises(ValueError, match="names no seed"):
        small.recorded("quick", tmp_path)


def test_tissue_of_the_drifting_generator_stays_within_its_range(part):
    settings = part("contest.kinds").KINDS
    for kind in ("np1-wander", "np1-steps", "np2-zigzag", "np2-bumps"):
        setting = settings[kind].generator
        course = setting.course(seed=3, duration_s=60.0)
        low, high = setting.range_um
        assert len(course) == 300
        assert low <= course.min() < course.max() <= high
        per_unit = setting.displacements(np.array([0.0, 500.0]), seed=3, duration_s=60.0)[0][:, :, 1]
        np.testing.assert_allclose(per_unit[:, 1], course)
        np.testing.assert_allclose(per_unit[:, 0], setting.gradient * course)


def test_spikes_of_measured_units_keep_their_refractory_period_and_tire_in_bursts(part):
    units = part("contest.real_units")
    for seed in range(8):
        train, sizes = units.spikes(20.0, np.random.default_rng(seed), far=False)
        assert np.diff(train).min() > units.REFRACTORY_MS * 30
        assert 0 < train[0] < train[-1] < 20 * units.RATE_HZ
        assert 0.2 < sizes.min() < sizes.max() <= 1.4
    template = np.zeros((1, 82, 3), np.float32)
    template[0, units.NBEFORE, 1] = -10.0
    traces = np.zeros((300, 3), np.float32)
    units.add(traces, template, np.array([100.0, 200.5]), np.array([1.0, 0.5]), np.array([0, 0]))
    assert traces[100, 1] == pytest.approx(-10.0, abs=1e-3)
    np.testing.assert_allclose(traces[[200, 201], 1], traces[201, 1], atol=0.2)
    assert not traces[:, [0, 2]].any()
