"""A small probe with spikes of universal shapes, and their detection by plain loops."""

from __future__ import annotations

import numpy as np

from xephys.kernels.detect.universal import detect_universal, universal_halo
from xephys.kernels.detect.universal_grid import universal_grid

POSITIONS = np.stack([np.arange(12) % 2 * 32.0 + np.arange(12) // 2 % 2 * 16, np.arange(12) // 2 * 20.0], axis=1)
N_SAMPLES, NBEFORE, SWEEP = 21, 7, 8
BEFORE, AFTER = universal_halo(n_samples=N_SAMPLES, nbefore=NBEFORE, exclude_sweep_samples=SWEEP)


def shapes(n=4, seed=0):
    rng = np.random.default_rng(seed)
    time = np.arange(N_SAMPLES) - NBEFORE
    made = np.array(
        [-np.exp(-0.5 * (time / w) ** 2) + 0.4 * np.exp(-0.5 * ((time - 6) / 4) ** 2) for w in (1, 2, 3, 4)]
    )
    made = (made + 0.02 * rng.standard_normal(made.shape))[:n]
    return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)


def grid(**parameters):
    return universal_grid(POSITIONS, n_contacts=6, n_competing=12, template_sizes=3, **parameters)


def with_spikes(n=700, n_spikes=14, seed=1, noise=0.5):
    """Noise with spikes of both signs at random places, some of them close in time or space."""
    rng = np.random.default_rng(seed)
    traces = noise * rng.standard_normal((n + BEFORE + AFTER, len(POSITIONS)))
    for _ in range(n_spikes):
        row, place = rng.integers(10, len(traces) - N_SAMPLES - 10), rng.uniform(0, [40, 100])
        fall = np.exp(-((np.linalg.norm(POSITIONS - place, axis=1) / 30) ** 2))
        size = rng.choice([-1, 1]) * rng.uniform(15, 40)
        traces[row : row + N_SAMPLES] += size * shapes()[rng.integers(4)][:, None] * fall
    return traces.astype(np.float32)


def detected(traces, *, before=BEFORE, after=AFTER, start=0, threshold=6.0, table=None, **parameters):
    table = grid() if table is None else table
    given = {
        "shapes": shapes(), "nbefore": NBEFORE, "contacts": table.contacts, "envelopes": table.envelopes,
        "neighbors": table.neighbors, "positions": POSITIONS, "threshold": threshold, "exclude_sweep_samples": SWEEP,
    }  # fmt: skip
    return detect_universal(traces, before=before, after=after, start=start, **{**given, **parameters})


def reference_scores(traces, table):
    """Largest |score| of every place and row, and its template, by definition."""
    taps, exact = shapes().astype("f8"), traces.astype("f8")
    rows = np.arange(BEFORE - SWEEP - 1, len(traces) - AFTER + SWEEP + 1)
    windows = np.stack([exact[r - NBEFORE : r - NBEFORE + N_SAMPLES] for r in rows])
    single = np.einsum("rtc,lt->rcl", windows, taps)
    n_sizes, n_places, _ = table.envelopes.shape
    scores = np.zeros((len(rows), n_places, n_sizes * len(taps)))
    for place in range(n_places):
        own = single[:, table.contacts[place]]
        for size in range(n_sizes):
            weighted = np.einsum("rkl,k->rl", own, table.envelopes[size, place].astype("f8"))
            scores[:, place, size * len(taps) : (size + 1) * len(taps)] = weighted
    best = np.abs(scores).argmax(axis=2)
    return rows, np.abs(scores).max(axis=2), best, np.sign(np.take_along_axis(scores, best[..., None], axis=2))[..., 0]


def reference_events(traces, table, threshold):
    rows, scores, best, sign = reference_scores(traces, table)
    found = []
    for i in range(SWEEP + 1, len(rows) - SWEEP - 1):
        for place in range(scores.shape[1]):
            value = scores[i, place]
            near = table.neighbors[place][table.neighbors[place] >= 0]
            if value >= threshold and value >= scores[i - SWEEP : i + SWEEP + 1][:, near].max():
                size, shape = divmod(best[i, place], len(shapes()))
                found.append((rows[i] - BEFORE, place, size, shape, sign[i, place], value))
    return found
