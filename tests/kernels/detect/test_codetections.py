"""Roots and what was detected around them equal a readable reference, for any tiles."""

import numpy as np
import pytest

from xephys.kernels.detect.codetections import codetection_dtype, codetection_halo, detect_codetections
from xephys.kernels.detect.network import detect_by_network, network_halo, pack_layers

NBEFORE, SWEEP, WINDOW, OVERLAP = 1, 4, 9, 5
#: Probable if deep, and a bit later if the next sample is deep too.
NETWORK = pack_layers([np.array([[[0.0, -1.0, 0.0]], [[0.0, 0.0, -0.2]]])], [np.array([-3.0, 0.0])])
POSITIONS = np.array([0.0, 20, 40, 60, 80, 300])
NEIGHBORS = np.array([[0, 1, 2, 3], [1, 0, 2, 3], [2, 1, 3, 0], [3, 2, 4, 1], [4, 3, 2, 1], [5, -1, -1, -1]], np.int32)
N_INNER = np.array([2, 3, 3, 3, 2, 1], np.int32)


def make_traces(n_samples=3000, seed=0):
    """Noise, and spikes that arrive later on channels further away."""
    rng = np.random.default_rng(seed)
    traces = rng.standard_normal((n_samples, 6))
    for at in rng.integers(60, n_samples - 60, n_samples // 60):
        origin = rng.integers(5)
        for channel in range(5):
            apart = abs(channel - origin)
            traces[at + apart + rng.integers(2), channel] -= rng.uniform(5, 9) * 0.75**apart
    return traces.astype(np.float32)


def settings(**given):
    return {
        "noise_levels": np.array([1.0, 1.2, 0.9, 1.0, 1.1, 1.0]), "network": NETWORK, "nbefore": NBEFORE,
        "candidate_threshold": 1.5, "probability_min": 0.2, "stringent_thresh": 0.6, "exclude_sweep_samples": SWEEP,
        "window_samples": WINDOW, "overlap_samples": OVERLAP, "n_channels_noise": 99, "neighbors": NEIGHBORS,
        "n_inner": N_INNER, **given,
    }  # fmt: skip


def detect(traces, start, stop, **given):
    before, after = codetection_halo(
        NETWORK["shape"], nbefore=NBEFORE, exclude_sweep_samples=SWEEP, window_samples=WINDOW
    )
    part = traces[start - before : stop + after]
    return detect_codetections(part, before=before, after=after, start=start, **settings(**given))


def reference(traces, start, stop):
    """Roots by their definition, as dictionaries."""
    given = settings()
    before, after = network_halo(NETWORK["shape"], nbefore=NBEFORE, exclude_sweep_samples=SWEEP)
    names = ("noise_levels", "network", "nbefore", "candidate_threshold", "probability_min", "exclude_sweep_samples")
    peaks = detect_by_network(traces, before=before, after=after, start=before, **{name: given[name] for name in names})
    sample, channel = peaks["sample_index"], peaks["channel_index"]
    strength = np.abs(peaks["amplitude"]) / given["noise_levels"][channel]
    roots = []
    for i in np.flatnonzero((peaks["probability"] >= 0.6) & (sample >= start) & (sample < stop)):
        around, n_inner = NEIGHBORS[channel[i]], N_INNER[channel[i]]
        near = np.isin(channel, around[:n_inner]) & (np.abs(sample - sample[i]) <= OVERLAP)
        if (strength[near & (peaks["probability"] >= 0.6)] > strength[i]).any():
            continue
        root = {"sample": sample[i], "channel": channel[i], "isolated": True}
        for slot, c in enumerate(around):
            there = np.flatnonzero((channel == c) & (np.abs(sample - sample[i]) <= WINDOW)) if c >= 0 else []
            if slot == 0:
                there = [i]
            if len(there):
                best = max(there, key=lambda k: strength[k])
                root["isolated"] &= bool(strength[best] <= strength[i])
                late = sample[best] + peaks["offset"][best] - sample[i] - peaks["offset"][i]
                root[slot] = (late, strength[best], peaks["probability"][best])
            else:
                level = max(0.0, -traces[sample[i], c] / given["noise_levels"][c]) if c >= 0 else 0.0
                root[slot] = (0.0, level, 0.0)
        roots.append(root)
    return roots


def test_roots_are_those_of_the_definition():
    traces = make_traces()
    found, expected = detect(traces, 100, 2900), reference(traces, 100, 2900)
    assert len(found) > 40
    assert found["sample_index"].tolist() == [r["sample"] for r in expected]
    assert found["channel_index"].tolist() == [r["channel"] for r in expected]
    assert found["isolated"].tolist() == [r["isolated"] for r in expected]
    assert 0 < found["isolated"].mean() < 1
    for k, name in enumerate(("latencies", "amplitudes", "probabilities")):
        np.testing.assert_allclose(found[name], [[r[s][k] for s in range(4)] for r in expected], rtol=2e-3, atol=2e-3)
    detected = np.array([[r[s][2] > 0 for s in range(4)] for r in expected])
    inner = np.arange(4) < N_INNER[found["channel_index"]][:, None]
    assert found["n_loose"].tolist() == detected.sum(axis=1).tolist()
    assert found["n_inner"].tolist() == (detected & inner).sum(axis=1).tolist()


def test_tiles_do_not_matter():
    traces = make_traces()
    parts = [detect(traces, a, b) for a, b in ((100, 777), (777, 778), (778, 2900))]
    assert np.concatenate(parts).tobytes() == detect(traces, 100, 2900).tobytes()


def test_what_all_channels_see_is_left_out():
    traces = np.zeros((200, 6), np.float32)
    traces[60, :5], traces[120, :2] = -9, -9
    assert detect(traces, 40, 160, n_channels_noise=5)["sample_index"].tolist() == [120]


def test_a_short_halo_is_refused():
    with pytest.raises(ValueError, match="this network needs"):
        detect_codetections(make_traces(), before=WINDOW, after=WINDOW, start=0, **settings())


def test_the_record_has_no_padding():
    assert codetection_dtype(16).itemsize == 141
