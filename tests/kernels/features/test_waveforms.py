"""Waveforms, projections and components equal plain NumPy."""

import numpy as np
import pytest

from xephys.kernels.detect.peaks import PEAK_DTYPE
from xephys.kernels.features.waveforms import extract_waveforms, project_waveforms, snippets

N, C, K, T, NBEFORE, HALO = 300, 11, 5, 21, 8, 15


@pytest.fixture
def traces():
    return np.random.default_rng(0).standard_normal((N + 2 * HALO, C), dtype=np.float32)


@pytest.fixture
def neighbors():
    rng = np.random.default_rng(1)
    table = np.full((C, K), -1, dtype=np.int32)
    for c in range(C):
        chosen = np.sort(rng.choice(C, size=rng.integers(1, K + 1), replace=False))
        table[c, : chosen.size] = chosen
    return table


@pytest.fixture
def events():
    rng = np.random.default_rng(2)
    table = np.zeros(40, dtype=PEAK_DTYPE)
    table["sample_index"] = 1000 + np.sort(np.r_[0, N - 1, rng.integers(0, N, 38)])
    table["channel_index"] = rng.integers(0, C, 40)
    return table


def test_extract_waveforms(traces):
    rows = np.array([0, 5, 100, len(traces) - 1])
    channels = np.array([[0, 1, -1], [2, -1, 3], [10, 4, 5], [6, 0, 0]])
    waveforms = extract_waveforms(traces, rows, channels, nbefore=NBEFORE, nafter=T - NBEFORE)
    padded = np.pad(traces, ((T, T), (0, 1)))  # index -1 reaches the last column, which is zero
    for row, chans, waveform in zip(rows, channels, waveforms, strict=True):
        assert np.array_equal(waveform, padded[row + T - NBEFORE : row + 2 * T - NBEFORE][:, chans])
    with pytest.raises(ValueError, match="channel 11 does not exist"):
        extract_waveforms(traces, rows[:1], np.array([[11]]), nbefore=1, nafter=1)
    with pytest.raises(ValueError, match="one row for each of 4 spikes"):
        extract_waveforms(traces, rows, channels[:2], nbefore=1, nafter=1)


def test_snippets(traces, events):
    table = snippets(traces, events, before=HALO, after=HALO, start=1000, nbefore=NBEFORE, nafter=T - NBEFORE)
    for event, waveform in zip(events, table["waveform"], strict=True):
        first = event["sample_index"] - 1000 + HALO - NBEFORE
        assert np.array_equal(waveform, traces[first : first + T, event["channel_index"]])
    assert np.array_equal(table["sample_index"], events["sample_index"])


def test_project_waveforms(traces, events, neighbors):
    components = np.random.default_rng(3).standard_normal((4, T)).astype(np.float32)
    table = project_waveforms(
        traces,
        events,
        before=HALO,
        after=HALO,
        start=1000,
        components=components,
        neighbors=neighbors,
        nbefore=NBEFORE,
    )
    expected = np.zeros((events.size, K, 4))
    scale = np.zeros((events.size, K, 4))
    for i, event in enumerate(events):
        first = event["sample_index"] - 1000 + HALO - NBEFORE
        for j, c in enumerate(neighbors[event["channel_index"]]):
            if c >= 0:
                waveform = traces[first : first + T, c].astype(np.float64)
                expected[i, j] = components.astype(np.float64) @ waveform
                scale[i, j] = np.abs(components.astype(np.float64)) @ np.abs(waveform)
    # The error bound of a float32 sum of T products, each rounded twice.
    assert (np.abs(table["projection"] - expected) <= (T + 1) * np.finfo(np.float32).eps * scale).all()
    assert table["projection"].dtype == np.float32
    assert (table["projection"][neighbors[events["channel_index"]] < 0] == 0).all()


def test_projections_do_not_depend_on_tile_and_other_events(traces, events, neighbors):
    params = {
        "components": np.random.default_rng(3).standard_normal((4, T)).astype(np.float32),
        "neighbors": neighbors,
        "nbefore": NBEFORE,
    }
    whole = project_waveforms(traces, events, before=HALO, after=HALO, start=1000, **params)
    for i in range(events.size):
        offset = int(events["sample_index"][i]) - 1000
        alone = project_waveforms(
            traces[offset : offset + 1 + 2 * HALO],
            events[i : i + 1],
            before=HALO,
            after=HALO,
            start=1000 + offset,
            **params,
        )
        assert np.array_equal(alone, whole[i : i + 1])


def test_events_outside_the_tile_are_an_error(traces, events):
    params = {"nbefore": NBEFORE, "nafter": T - NBEFORE}
    with pytest.raises(ValueError, match="needs 8 before and 12 after"):
        snippets(traces, events, before=7, after=HALO, start=1000, **params)
    with pytest.raises(ValueError, match="outside the core"):
        snippets(traces, events, before=HALO, after=HALO, start=1001, **params)


def test_no_events(traces, events, neighbors):
    empty = project_waveforms(
        traces,
        events[:0],
        before=HALO,
        after=HALO,
        start=1000,
        components=np.ones((3, T), dtype=np.float32),
        neighbors=neighbors,
        nbefore=NBEFORE,
    )
    assert empty.size == 0
    assert empty["projection"].shape == (0, K, 3)
