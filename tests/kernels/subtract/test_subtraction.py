"""Iterative subtraction: against a readable reference, on tiles cut elsewhere, on overlapping spikes and on noise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from xephys.kernels.subtract import subtraction as kernel

L, NBEFORE, N_CHANNELS = 15, 5, 6
POSITIONS = np.arange(N_CHANNELS) * 20.0
BEFORE, AFTER = kernel.subtraction_halo(L, nbefore=NBEFORE)


def within(radius_um: float) -> np.ndarray:
    rows = [np.flatnonzero(abs(POSITIONS - y) <= radius_um) for y in POSITIONS]
    out = np.full((N_CHANNELS, max(map(len, rows))), -1, np.int32)
    for row, channels in zip(out, rows, strict=True):
        row[: len(channels)] = channels
    return out


def settings(**more: Any) -> dict[str, Any]:
    t = np.arange(L) - NBEFORE
    raw = np.stack([-np.exp(-(t**2) / 4) + 0.5 * np.exp(-((t - 4) ** 2) / 8), -t * np.exp(-(t**2) / 9)])
    components = np.linalg.qr(raw.T)[0].T.astype(np.float32)
    components[0] *= np.sign(-components[0, NBEFORE])
    return {
        "nbefore": NBEFORE,
        "thresholds": np.full(N_CHANNELS, 3.0),
        "denoiser": {
            "components": components,
            "weights": np.array([1.0, 0.8], np.float32),
            "noise": np.ones(2, np.float32),
        },
        "reach": {"subtracted": within(40), "competing": within(80), "closed": within(20)},
        "energy_min": 40.0,
        "closed_samples": 2,
        "closed_to_peaks_samples": 5,
        **more,
    }


def spiking(n_rows: int, n_spikes: int, seed: int, *, size: float = 25.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    traces = rng.standard_normal((n_rows, N_CHANNELS)).astype(np.float32)
    shape = settings()["denoiser"]["components"][0]
    for row in rng.integers(20, n_rows - 40, n_spikes):
        footprint = np.exp(-((POSITIONS - rng.uniform(0, 100)) ** 2) / 600)
        traces[row : row + L] += (rng.uniform(0.6, 1.4) * size * np.outer(shape, footprint)).astype(np.float32)
    return traces


def reference(traces: np.ndarray, p: dict[str, Any]) -> list[tuple[int, int, float]]:
    """Rounds, in words: take every peak without a larger one nearby, denoise it, subtract it if it explains enough."""
    residual, d, reach = traces.astype(np.float64), p["denoiser"], p["reach"]
    closed, closed_to_peaks = np.zeros(traces.shape, bool), np.zeros(traces.shape, bool)
    expected = kernel.SHRINKAGE * (d["weights"] * d["noise"]).sum()
    first, last = NBEFORE + kernel.REALIGN_SAMPLES, len(traces) - (L - NBEFORE) - kernel.REALIGN_SAMPLES
    events = []
    while True:
        peaks = []
        for row in range(first, last):
            for c in range(N_CHANNELS):
                x, earlier, later = residual[row, c], residual[row - 1, c], residual[row + 1, c]
                trough = x <= -3 and x < earlier and x <= later
                peak = x >= 3 and x > earlier and x >= later
                if (trough or (peak and not closed_to_peaks[row, c])) and not closed[row, c]:
                    peaks.append((row, c, -2 * x if x < 0 else x))
        if not peaks:
            return sorted(events)
        for row, c, size in peaks:
            rivals = [s for r, k, s in peaks if abs(r - row) <= L and k in reach["competing"][c] and (r, k) != (row, c)]
            if rivals and max(rivals) >= size:
                continue
            window = slice(row - NBEFORE, row - NBEFORE + L)
            slots = reach["subtracted"][c][reach["subtracted"][c] >= 0]
            seen = residual[window][:, slots].T @ d["components"].T
            energy = (d["weights"] * seen**2).sum(axis=1, keepdims=True)
            kept = np.maximum(0, 1 - expected / np.maximum(energy, 1e-9)) * d["weights"] * seen
            gain = (2 * kept * seen - kept**2).sum()
            trough = residual[row, c] < 0
            near = reach["closed"][c][reach["closed"][c] >= 0]
            closed[row - 2 : row + 3, near] = True
            if gain <= p["energy_min"]:
                continue
            if trough:
                closed_to_peaks[max(0, row - 5) : row + 6, near] = True
            residual[window, slots] -= (kept @ d["components"]).T
            events.append((row, c, gain))


@pytest.mark.parametrize("seed", range(4))
def test_the_events_are_those_of_the_reference(seed: int) -> None:
    traces = spiking(700, 25, seed)
    found = kernel.subtract(traces, before=BEFORE, after=AFTER, **settings())
    order = np.lexsort((found.channels, found.rows))
    events = reference(traces, settings())
    assert len(events) > 10
    assert list(zip(found.rows[order], found.channels[order], strict=True)) == [(r, c) for r, c, _ in events]
    np.testing.assert_allclose(found.gains[order], [g for _, _, g in events], rtol=1e-4)


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
