"""The rounds of subtraction against a readable reference."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.kernels.subtract.spiking import AFTER, BEFORE, N_CHANNELS, NBEFORE, L, settings, spiking
from xephys.kernels.subtract.snippet import REALIGN_SAMPLES, SHRINKAGE
from xephys.kernels.subtract.subtraction import subtract


def reference(traces: np.ndarray, p: dict[str, Any]) -> list[tuple[int, int, float]]:
    """Rounds, in words: take every peak without a larger one nearby, denoise it, subtract it if it explains enough."""
    residual, d, reach = traces.astype(np.float64), p["denoiser"], p["reach"]
    closed, closed_to_peaks = np.zeros(traces.shape, bool), np.zeros(traces.shape, bool)
    expected = SHRINKAGE * (d["weights"] * d["noise"]).sum()
    first, last = NBEFORE + REALIGN_SAMPLES, len(traces) - (L - NBEFORE) - REALIGN_SAMPLES
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
    found = subtract(traces, before=BEFORE, after=AFTER, **settings())
    order = np.lexsort((found.channels, found.rows))
    events = reference(traces, settings())
    assert len(events) > 10
    assert list(zip(found.rows[order], found.channels[order], strict=True)) == [(r, c) for r, c, _ in events]
    np.testing.assert_allclose(found.gains[order], [g for _, _, g in events], rtol=1e-4)
