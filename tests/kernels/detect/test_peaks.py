"""Detection equals readable references, for any tiles, and SpikeInterface."""

from importlib import import_module

import numpy as np
import pytest

from xephys.kernels.detect.peaks import (
    PEAK_DTYPE,
    detect_by_channel,
    detect_locally_exclusive,
    detection_halo,
)

SWEEP = 12
HALO = detection_halo(exclude_sweep_samples=SWEEP)


def make_positions(n_channels):
    channel = np.arange(n_channels)
    return np.stack([(channel % 2) * 32.0, (channel // 2) * 20.0], axis=1)


def make_neighbors(positions, radius_um):
    near = np.linalg.norm(positions[:, None] - positions[None], axis=2) <= radius_um
    neighbors = np.full((len(positions), near.sum(axis=1).max()), -1, dtype=np.int32)
    for c, row in enumerate(near):
        neighbors[c, : row.sum()] = np.flatnonzero(row)
    return neighbors


def make_traces(n_samples, n_channels, seed, quantised=False):
    """Noise with spikes of both signs; quantised noise is full of equal values and equal ratios."""
    rng = np.random.default_rng(seed)
    traces = rng.standard_normal((n_samples, n_channels))
    positions = make_positions(n_channels)
    shape = np.exp(-(np.linspace(-2, 2, 9) ** 2))
    for _ in range(n_samples // 40):
        sample, channel = rng.integers(5, n_samples - 5), rng.integers(n_channels)
        footprint = np.exp(-np.linalg.norm(positions - positions[channel], axis=1) / 25)
        traces[sample - 4 : sample + 5] += rng.choice([-1, 1]) * rng.uniform(4, 15) * np.outer(shape, footprint)
    return (np.round(traces) if quantised else traces).astype(np.float32)


def reference_candidates(traces, thresholds, peak_sign):
    candidates = []
    for s in range(1, len(traces) - 1):
        for c in range(traces.shape[1]):
            previous, v, following = traces[s - 1 : s + 2, c].astype(np.float64)
            trough = -v >= thresholds[c] and v < previous and v <= following
            crest = v >= thresholds[c] and v > previous and v >= following
            if (trough and peak_sign != "pos") or (crest and peak_sign != "neg"):
                candidates.append((s, c, abs(v) / thresholds[c]))
    return candidates


def reference_locally_exclusive(traces, thresholds, neighbors, peak_sign, sweep):
    candidates = reference_candidates(traces, thresholds, peak_sign)
    kept = []
    for s, c, ratio in candidates:
        rivals = [o for o in candidates if abs(o[0] - s) <= sweep and o[1] in neighbors[c] and o[:2] != (s, c)]
        if not any(o[2] > ratio or (o[2] == ratio and o[:2] < (s, c)) for o in rivals):
            kept.append((s, c))
    return kept


def reference_by_channel(traces, thresholds, peak_sign, sweep):
    kept = []
    for s in range(sweep, len(traces) - sweep):
        for c in range(traces.shape[1]):
            for sign, name in ((-1, "neg"), (1, "pos")):
                x = sign * traces[s - sweep : s + sweep + 1, c].astype(np.float64)
                v = x[sweep]
                beyond = v > thresholds[c] and (v > x[:sweep]).all() and (v >= x[sweep:]).all()
                if beyond and peak_sign in (name, "both"):
                    kept.append((s, c))
    return kept


def pairs(peaks):
    return list(zip(peaks["sample_index"].tolist(), peaks["channel_index"].tolist(), strict=True))


def in_core(expected, n_samples):
    return [p for p in expected if HALO <= p[0] < n_samples - HALO]


# 70 channels are one SIMD block and a remainder; 5 are a remainder only.
@pytest.mark.parametrize("n_channels", [5, 70])
@pytest.mark.parametrize("peak_sign", ["neg", "pos", "both"])
@pytest.mark.parametrize("quantised", [False, True])
def test_agrees_with_reference(n_channels, peak_sign, quantised):
    n = 500
    traces = make_traces(n, n_channels, seed=n_channels, quantised=quantised)
    thresholds = np.random.default_rng(1).uniform(2.5, 4, n_channels)
    thresholds[::3] = 3.0  # reached exactly by quantised traces, so inclusive and strict limits differ
    neighbors = make_neighbors(make_positions(n_channels), 45)
    common = {"before": HALO, "after": HALO, "start": HALO, "thresholds": thresholds, "peak_sign": peak_sign}

    peaks = detect_locally_exclusive(traces, neighbors=neighbors, exclude_sweep_samples=SWEEP, **common)
    expected = in_core(reference_locally_exclusive(traces, thresholds, neighbors, peak_sign, SWEEP), n)
    assert len(expected) > 3
    assert pairs(peaks) == expected
    assert np.array_equal(peaks["amplitude"], traces[peaks["sample_index"], peaks["channel_index"]])

    peaks = detect_by_channel(traces, exclude_sweep_samples=SWEEP, **common)
    expected = in_core(reference_by_channel(traces, thresholds, peak_sign, SWEEP), n)
    assert len(expected) > 3
    assert pairs(peaks) == expected


@pytest.mark.parametrize("quantised", [False, True])
@pytest.mark.parametrize("cut", [1, 7, 100, 333])
def test_tiles_do_not_change_the_peaks(cut, quantised):
    n_channels, n = 70, 1000
    traces = make_traces(n + 2 * HALO, n_channels, seed=3, quantised=quantised)
    params = {"thresholds": np.full(n_channels, 3.0), "peak_sign": "both", "exclude_sweep_samples": SWEEP}
    neighbors = make_neighbors(make_positions(n_channels), 45)
    for detect, more in ((detect_by_channel, {}), (detect_locally_exclusive, {"neighbors": neighbors})):
        whole = detect(traces, before=HALO, after=HALO, start=50, **params, **more)
        tiles = [
            detect(traces[s : min(s + cut, n) + 2 * HALO], before=HALO, after=HALO, start=50 + s, **params, **more)
            for s in range(0, n, cut)
        ]
        assert whole.size > 20
        assert np.array_equal(whole, np.concatenate(tiles))


def test_wider_halo_changes_nothing():
    traces = make_traces(600, 8, seed=5)
    params = {
        "thresholds": np.full(8, 3.0),
        "neighbors": make_neighbors(make_positions(8), 45),
        "exclude_sweep_samples": SWEEP,
    }
    wide = detect_locally_exclusive(traces, before=100, after=60, start=0, **params)
    exact = detect_locally_exclusive(traces[100 - HALO : 540 + HALO], before=HALO, after=HALO, start=0, **params)
    assert exact.size > 3
    assert np.array_equal(wide, exact)


def test_bad_channel_neither_peaks_nor_suppresses():
    traces = np.zeros((60, 3), dtype=np.float32)
    traces[30] = -8, -20, -7
    params = {
        "before": HALO,
        "after": HALO,
        "start": 0,
        "thresholds": np.array([5.0, 0.0, 5.0]),
        "neighbors": np.array([[0, 1, -1], [0, 1, 2], [1, 2, -1]], dtype=np.int32),
        "exclude_sweep_samples": SWEEP,
        "good": np.array([True, False, True]),
    }
    peaks = detect_locally_exclusive(traces, **params)
    assert peaks["channel_index"].tolist() == [0, 2]
    with pytest.raises(ValueError, match="threshold of channel 1 is 0"):
        detect_locally_exclusive(traces, **{**params, "good": None})


def test_threshold_compares_exactly():
    """A float32 value against a float64 threshold just above and below it."""
    value = np.float32(-5.3)
    traces = np.zeros((60, 1), dtype=np.float32)
    traces[30, 0] = value
    params = {"before": HALO, "after": HALO, "start": 0, "exclude_sweep_samples": SWEEP}
    neighbors = np.zeros((1, 1), dtype=np.int32)
    level = float(-value)
    for threshold, inclusive, strict in (
        (np.nextafter(level, 0), 1, 1),
        (level, 1, 0),
        (np.nextafter(level, 9), 0, 0),
    ):
        thresholds = np.array([threshold])
        exclusive = detect_locally_exclusive(traces, neighbors=neighbors, thresholds=thresholds, **params)
        assert exclusive.size == inclusive
        assert detect_by_channel(traces, thresholds=thresholds, **params).size == strict


def test_nan_never_peaks():
    traces = make_traces(200, 4, seed=2)
    traces[:, 1] = np.nan
    params = {"before": HALO, "after": HALO, "start": 0, "thresholds": np.full(4, 3.0), "exclude_sweep_samples": SWEEP}
    neighbors = make_neighbors(make_positions(4), 45)
    assert 1 not in detect_by_channel(traces, **params)["channel_index"]
    peaks = detect_locally_exclusive(traces, neighbors=neighbors, **params)
    assert peaks.size > 0
    assert 1 not in peaks["channel_index"]


def test_more_candidates_than_the_first_buffer_holds():
    traces = np.tile(np.array([[0.0], [-9.0]], dtype=np.float32), (200, 130))
    peaks = detect_locally_exclusive(
        traces,
        before=1,
        after=1,
        start=0,
        thresholds=np.full(130, 5.0),
        neighbors=np.arange(130, dtype=np.int32)[:, None],
        exclude_sweep_samples=0,
    )
    assert peaks.size == 130 * 199


def test_plateau_has_one_peak():
    """Without a sweep no other peak competes, and the strict comparison with the sample before decides."""
    traces = np.array([0, 0, -9, -9, -9, 0, 0], dtype=np.float32)[:, None]
    params = {"thresholds": np.array([5.0]), "neighbors": np.zeros((1, 1), dtype=np.int32)}
    peaks = detect_locally_exclusive(traces, before=1, after=1, start=1, exclude_sweep_samples=0, **params)
    assert peaks["sample_index"].tolist() == [2]


def test_errors_name_the_remedy():
    traces = np.zeros((60, 2), dtype=np.float32)
    params = {"start": 0, "thresholds": np.ones(2), "exclude_sweep_samples": SWEEP}
    with pytest.raises(ValueError, match="needs 13 on each side"):
        detect_by_channel(traces, before=12, after=13, **params)
    with pytest.raises(ValueError, match="at least 1"):
        detect_by_channel(traces, before=13, after=13, **{**params, "exclude_sweep_samples": 0})
    with pytest.raises(ValueError, match="peak_sign is 'up'"):
        detect_by_channel(traces, before=13, after=13, **params, peak_sign="up")
    with pytest.raises(ValueError, match="have 2 channels"):
        detect_by_channel(traces, before=13, after=13, **{**params, "thresholds": np.ones(3)})


@pytest.mark.parametrize("peak_sign", ["neg", "pos", "both"])
@pytest.mark.parametrize("method", ["by_channel", "locally_exclusive"])
def test_same_peaks_as_spikeinterface(method, peak_sign):
    core = import_module("spikeinterface.core")
    from spikeinterface.sortingcomponents.peak_detection import detect_peaks

    n, n_channels, sampling_frequency = 20_000, 20, 20_000.0
    traces = make_traces(n, n_channels, seed=9)
    positions = make_positions(n_channels)
    noise_levels = np.random.default_rng(4).uniform(0.7, 1.1, n_channels)
    recording = core.NumpyRecording([traces], sampling_frequency)
    recording.set_dummy_probe_from_locations(positions)
    kwargs = {"peak_sign": peak_sign, "detect_threshold": 4, "exclude_sweep_ms": 0.6, "noise_levels": noise_levels}
    if method == "locally_exclusive":
        kwargs["radius_um"] = 50
    theirs = detect_peaks(
        recording,
        method=method,
        method_kwargs=kwargs,
        job_kwargs={"n_jobs": 1, "chunk_duration": "0.3s", "progress_bar": False},
    )

    params = {"thresholds": noise_levels * 4, "peak_sign": peak_sign, "exclude_sweep_samples": SWEEP}
    padded = np.pad(traces, ((HALO, HALO), (0, 0)))
    if method == "locally_exclusive":
        neighbors = make_neighbors(positions, 50)
        ours = detect_locally_exclusive(padded, before=HALO, after=HALO, start=0, neighbors=neighbors, **params)
    else:
        ours = detect_by_channel(padded, before=HALO, after=HALO, start=0, **params)
    theirs = theirs[np.lexsort((theirs["channel_index"], theirs["sample_index"]))]
    assert ours.size > 100
    assert np.array_equal(ours, theirs.astype(PEAK_DTYPE))
