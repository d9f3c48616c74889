"""Iterative subtraction: on tiles cut elsewhere, on overlapping spikes and on noise."""

from __future__ import annotations

import numpy as np
import pytest

from tests.kernels.subtract.spiking import AFTER, BEFORE, N_CHANNELS, L, settings, spiking
from xephys.kernels.subtract import subtraction as kernel


def test_an_event_does_not_depend_on_where_its_tile_was_cut() -> None:
    traces = spiking(3000, 60, 7)

    def events(start: int, stop: int) -> np.ndarray:
        return kernel.detect_by_subtraction(
            traces[start - BEFORE : stop + AFTER], before=BEFORE, after=AFTER, start=start, **settings()
        )

    whole = events(300, 2700)
    parts = np.concatenate([events(a, a + 400) for a in range(300, 2700, 400)])
    assert len(whole) > 40
    np.testing.assert_array_equal(whole, parts)


def test_a_small_spike_below_a_large_one_is_found() -> None:
    shape = settings()["denoiser"]["components"][0]
    traces = np.zeros((400, N_CHANNELS), np.float32)
    traces[195 : 195 + L, 1] += 60 * shape
    traces[198 : 198 + L, 4] += 20 * shape  # inside the snippet of the first, 60 µm away
    events = kernel.detect_by_subtraction(traces, before=BEFORE, after=AFTER, start=0, **settings())
    assert events["channel_index"].tolist() == [1, 4]
    assert (events["sample_index"] + BEFORE).tolist() == [200, 203]
    np.testing.assert_allclose(events["amplitude"], [60 * shape.min(), 20 * shape.min()], rtol=0.05)


def test_noise_gives_hardly_any_event() -> None:
    noise = np.random.default_rng(0).standard_normal((20_000, N_CHANNELS)).astype(np.float32)
    events = kernel.detect_by_subtraction(noise, before=BEFORE, after=AFTER, start=0, **settings(energy_min=64.0))
    assert len(events) <= 2


def test_bad_channels_and_signs() -> None:
    shape = settings()["denoiser"]["components"][0]
    traces = np.zeros((300, N_CHANNELS), np.float32)
    traces[150 : 150 + L, 2] = 40 * shape
    good = np.arange(N_CHANNELS) != 2
    run = {"before": BEFORE, "after": AFTER, "start": 0}
    assert len(kernel.detect_by_subtraction(traces, **run, **settings())) == 1
    assert len(kernel.detect_by_subtraction(traces, **run, **settings(good=good))) == 0
    assert len(kernel.detect_by_subtraction(-traces, **run, **settings(peak_sign="neg"))) <= 1
    assert kernel.detect_by_subtraction(-traces, **run, **settings(peak_sign="pos"))["amplitude"].max() > 10


def test_a_short_halo_is_refused() -> None:
    with pytest.raises(ValueError, match="halo is 10 samples before"):
        kernel.subtract(np.zeros((200, N_CHANNELS), np.float32), before=10, after=AFTER, **settings())
