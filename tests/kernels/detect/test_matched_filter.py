"""Matched filtering equals a readable reference, for any tiles, and SpikeInterface."""

from importlib import import_module

import numpy as np
import pytest

from xephys.kernels.detect.matched_filter import (
    MATCHED_PEAK_DTYPE,
    detect_matched_filtering,
    matched_filter_halo,
    matched_filter_thresholds,
    matched_filter_weights,
)
from xephys.kernels.detect.peaks import PEAK_DTYPE

C, SWEEP, NBEFORE = 12, 9, 7
POSITIONS = np.stack([(np.arange(C) % 2) * 16.0, (np.arange(C) // 2) * 15.0], axis=1)
DEPTHS = np.array([0.0, 30.0, 60.0])
# The slow positive wave gives weight to the last taps.
PROTOTYPE = 0.3 * np.exp(-(((np.arange(22) - 17) / 4) ** 2)) - np.exp(-(((np.arange(22) - NBEFORE) / 2.5) ** 2))
BEFORE, AFTER = matched_filter_halo(prototype_length=PROTOTYPE.size, nbefore=NBEFORE, exclude_sweep_samples=SWEEP)


def make_neighbors(radius_um):
    near = np.linalg.norm(POSITIONS[:, None] - POSITIONS[None], axis=2) <= radius_um
    neighbors = np.full((C, near.sum(axis=1).max()), -1, dtype=np.int32)
    for c, row in enumerate(near):
        neighbors[c, : row.sum()] = np.flatnonzero(row)
    return neighbors


NEIGHBORS = make_neighbors(35)


def make_traces(n_samples, seed=0):
    rng = np.random.default_rng(seed)
    traces = rng.standard_normal((n_samples, C))
    for _ in range(n_samples // 60):
        sample, channel = rng.integers(20, n_samples - 20), rng.integers(C)
        footprint = np.exp(-np.linalg.norm(POSITIONS - POSITIONS[channel], axis=1) / 15)
        size = rng.choice([-1, 1], p=[0.3, 0.7]) * rng.uniform(4, 15)
        traces[sample - NBEFORE : sample - NBEFORE + PROTOTYPE.size] += size * np.outer(PROTOTYPE, footprint)
    return traces.astype(np.float32)


def dense(tables):
    """Weights (channel, depth, channel) of the sparse tables."""
    rows = tables["weight_offsets"].size - 1
    weights = np.zeros((rows, C))
    for row in range(rows):
        entries = slice(tables["weight_offsets"][row], tables["weight_offsets"][row + 1])
        weights[row, tables["weight_channels"][entries]] = tables["weights"][entries]
    return weights.reshape(C, -1, C)


def reference_scores(traces, tables):
    """Scores (channel, depth, sample) in float64; the first is the one of sample NBEFORE."""
    taps = PROTOTYPE / np.linalg.norm(PROTOTYPE)
    filtered = np.stack([np.correlate(x, taps, mode="valid") for x in traces.T.astype(np.float64)])
    return dense(tables) @ filtered


def reference_peaks(traces, tables, thresholds, peak_sign):
    scores = reference_scores(traces, tables)
    candidates = []
    for channel, depth in np.ndindex(scores.shape[:2]):
        x, threshold = scores[channel, depth], thresholds[channel, depth]
        for t in range(1, x.size - 1):
            crest = x[t] >= threshold and x[t] > x[t - 1] and x[t] >= x[t + 1]
            trough = -x[t] >= threshold and x[t] < x[t - 1] and x[t] <= x[t + 1]
            if crest or (trough and peak_sign == "both"):
                candidates.append((t + NBEFORE, channel, depth, abs(x[t]) / threshold))
    kept = []
    for s, channel, depth, ratio in candidates:
        rivals = [o for o in candidates if abs(o[0] - s) <= SWEEP and o[1] in NEIGHBORS[channel]]
        if all(o[3] <= ratio for o in rivals):
            kept.append((s, channel, depth))
    return sorted(p for p in kept if BEFORE <= p[0] < len(traces) - AFTER)


def triples(peaks):
    names = ("sample_index", "channel_index", "depth_index")
    return list(zip(*(peaks[name].tolist() for name in names), strict=True))


@pytest.fixture(scope="module")
def fitted():
    tables = matched_filter_weights(POSITIONS, depths_um=DEPTHS)
    traces = make_traces(4000, seed=1)
    return tables, matched_filter_thresholds([traces[:1500], traces[2000:]], prototype=PROTOTYPE, **tables)


def arguments(fitted, **more):
    tables, thresholds = fitted
    return {
        "before": BEFORE,
        "after": AFTER,
        "prototype": PROTOTYPE,
        "nbefore": NBEFORE,
        "thresholds": thresholds,
        "neighbors": NEIGHBORS,
        "exclude_sweep_samples": SWEEP,
        **tables,
        **more,
    }


# 22 taps are five times four and a remainder; 1200 samples are several blocks and a partial one.
@pytest.mark.parametrize("peak_sign", ["neg", "both"])
def test_agrees_with_reference(fitted, peak_sign):
    traces = make_traces(1200)
    peaks = detect_matched_filtering(traces, start=BEFORE, **arguments(fitted, peak_sign=peak_sign))
    expected = reference_peaks(traces, *fitted, peak_sign)
    assert len(expected) > 8
    assert triples(peaks) == expected
    assert np.array_equal(peaks["amplitude"], traces[peaks["sample_index"], peaks["channel_index"]])


def test_positive_spikes_are_the_mirror_image(fitted):
    traces = make_traces(1200)
    peaks = detect_matched_filtering(traces, start=0, **arguments(fitted))
    mirrored = arguments(fitted, peak_sign="pos", prototype=-PROTOTYPE)
    assert triples(detect_matched_filtering(-traces, start=0, **mirrored)) == triples(peaks)


def test_thresholds_are_those_of_the_scores(fitted):
    tables, thresholds = fitted
    traces = make_traces(4000, seed=1)
    scores = [reference_scores(part, tables) for part in (traces[:1500], traces[2000:])]
    scores = np.concatenate(scores, axis=2)
    medians = np.median(scores, axis=2)
    spreads = np.median(np.abs(scores - medians[:, :, None]), axis=2) / 0.6744897501960817
    np.testing.assert_allclose(thresholds, np.abs(medians) + 5 * spreads, rtol=1e-5)


@pytest.mark.parametrize("cut", [1, 50, 254, 333])
def test_tiles_do_not_change_the_peaks(fitted, cut):
    n = 700 if cut > 1 else 60
    traces = make_traces(n + BEFORE + AFTER, seed=4)
    whole = detect_matched_filtering(traces, start=100, **arguments(fitted, peak_sign="both"))
    tiles = [
        detect_matched_filtering(
            traces[s : min(s + cut, n) + BEFORE + AFTER], start=100 + s, **arguments(fitted, peak_sign="both")
        )
        for s in range(0, n, cut)
    ]
    assert whole.size > (8 if n > 60 else 0)
    assert np.array_equal(whole, np.concatenate(tiles))


def test_bad_channels_are_left_out():
    good = np.arange(C) != 5
    tables = matched_filter_weights(POSITIONS, depths_um=DEPTHS, good=good)
    weights = dense(tables)
    assert (weights[5] == 0).all() and (weights[:, :, 5] == 0).all()
    np.testing.assert_allclose(np.linalg.norm(weights[good], axis=2), 1, rtol=1e-6)
    traces = make_traces(1200)
    thresholds = matched_filter_thresholds([traces], prototype=PROTOTYPE, **tables)
    assert np.isnan(thresholds[5]).all() and np.isfinite(thresholds[good]).all()
    loud = traces.copy()
    loud[:, 5] *= 100
    peaks = [detect_matched_filtering(x, start=0, **arguments((tables, thresholds))) for x in (traces, loud)]
    assert peaks[0].size > 3
    assert np.array_equal(*peaks)


def test_echoes_of_much_stronger_peaks_are_dropped(fitted):
    """A peak remains unless a candidate near in time is three times as strong."""
    tables, thresholds = fitted
    traces = make_traces(1500, seed=6)
    footprint = np.zeros(C)  # without a gap in it, the flank of a footprint would hide its echoes
    footprint[[1, C - 1]] = 1, 0.2
    for sample in range(100, 1400, 90):
        traces[sample - NBEFORE : sample - NBEFORE + PROTOTYPE.size] += 120 * np.outer(PROTOTYPE, footprint)
    everywhere = np.tile(np.arange(C, dtype=np.int32), (C, 1))
    without = detect_matched_filtering(traces, start=BEFORE, **arguments(fitted))
    found = detect_matched_filtering(traces, start=BEFORE, **arguments(fitted, echo_neighbors=everywhere))
    ratios = reference_scores(traces, tables) / thresholds[:, :, None]
    strongest = ratios.max(axis=(0, 1))  # the first is the one of sample NBEFORE
    kept = []
    for sample, channel, depth in triples(without):
        at = sample - NBEFORE
        crests = [
            strongest[t]
            for t in range(at - SWEEP, at + SWEEP + 1)
            if strongest[t] >= 1 and strongest[t] > strongest[t - 1] and strongest[t] >= strongest[t + 1]
        ]
        if max(crests) <= 3 * ratios[channel, depth, at]:
            kept.append((sample, channel, depth))
    assert 5 < len(kept) < len(without) - 5
    assert triples(found) == kept


def test_a_footprint_reaches_no_farther_than_requested():
    """It has the nearest channels of the whole footprint, with the same weights except for the norm."""
    good = np.arange(C) != 5
    given = {"depths_um": DEPTHS, "decay_um": 20.0, "good": good}
    whole, near = (dense(matched_filter_weights(POSITIONS, n_nearest=n, **given)) for n in (None, 4))
    assert (np.count_nonzero(whole[0, 1]) > 4) and (near[5] == 0).all()
    for channel, depth in np.ndindex(C, len(DEPTHS)):
        if channel == 5:
            continue
        distances = np.where(good, np.linalg.norm(POSITIONS - POSITIONS[channel], axis=1), np.inf)
        expected = np.where(distances <= np.sort(distances)[3], whole[channel, depth], 0)
        if np.count_nonzero(distances <= np.sort(distances)[3]) == 4:
            np.testing.assert_allclose(near[channel, depth], expected / np.linalg.norm(expected), rtol=1e-5)
        assert np.count_nonzero(near[channel, depth]) == 4
        assert np.isclose(np.linalg.norm(near[channel, depth]), 1)


def test_errors_name_the_remedy(fitted):
    traces = make_traces(200)
    with pytest.raises(ValueError, match=f"needs {BEFORE} and {AFTER}"):
        detect_matched_filtering(traces, start=0, **arguments(fitted, before=BEFORE - 1))
    with pytest.raises(ValueError, match="peak_sign 'pos' needs that sign"):
        detect_matched_filtering(traces, start=0, **arguments(fitted, peak_sign="pos"))
    with pytest.raises(ValueError, match=r"a threshold is 0\.0"):
        detect_matched_filtering(traces, start=0, **arguments(fitted, thresholds=np.zeros((C, 3))))
    with pytest.raises(ValueError, match="at least the 22 of the prototype"):
        matched_filter_thresholds([traces[:21]], prototype=PROTOTYPE, **fitted[0])


@pytest.mark.parametrize("peak_sign", ["neg", "both"])
def test_same_peaks_as_spikeinterface(peak_sign):
    """Given SpikeInterface's weights and thresholds, the peaks are the same."""
    core = import_module("spikeinterface.core")
    from spikeinterface.sortingcomponents.peak_detection.matched_filtering import MatchedFilteringPeakDetector

    fs = 10_000.0
    traces = make_traces(20_000, seed=8)
    recording = core.NumpyRecording([traces], fs)
    recording.set_dummy_probe_from_locations(POSITIONS)
    detector = MatchedFilteringPeakDetector(
        recording,
        PROTOTYPE,
        ms_before=NBEFORE / fs * 1000,
        peak_sign=peak_sign,
        exclude_sweep_ms=SWEEP / fs * 1000,
        radius_um=35,
        random_chunk_kwargs={"num_chunks_per_segment": 5, "chunk_size": 2000, "seed": 0},
    )
    margin = detector.get_margin()
    (theirs,) = detector.compute(traces, 0, len(traces), 0, margin)

    # Their rows are ordered by depth, and hold each channel twice for both signs; ours are ordered by channel.
    n_depths = detector.num_z_factors
    weights = detector.weights.toarray().reshape(n_depths, -1, C)[:, :C].transpose(1, 0, 2).reshape(-1, C)
    row, channel = np.nonzero(weights)
    tables = {
        "weight_offsets": np.searchsorted(row, np.arange(C * n_depths + 1)),
        "weight_channels": channel.astype(np.int32),
        "weights": weights[row, channel].astype(np.float32),
    }
    thresholds = np.ascontiguousarray(detector.abs_thresholds[:, :C].T.astype(np.float64))
    padded = np.pad(traces, ((BEFORE, AFTER), (0, 0)))
    ours = detect_matched_filtering(padded, start=0, **arguments((tables, thresholds), peak_sign=peak_sign))
    core_range = (margin, len(traces) - margin)
    ours = ours[(ours["sample_index"] >= core_range[0]) & (ours["sample_index"] < core_range[1])]
    theirs = theirs[(theirs["sample_index"] >= core_range[0]) & (theirs["sample_index"] < core_range[1])]
    theirs = theirs[np.lexsort((theirs["channel_index"], theirs["sample_index"]))]
    assert ours.dtype == MATCHED_PEAK_DTYPE
    assert ours.size > 50
    for name in PEAK_DTYPE.names:
        assert np.array_equal(ours[name], theirs[name])
    assert np.array_equal(ours["depth_index"], theirs["z"])
