"""Two neurons that share a part of their spike times, at any lag within ±0.3 ms.

python benchmarks/synchrony.py [--quick] [--seeds 10 11 12 13 14]

The sum of the two must not become a unit, and the coincident spikes must be found for both.
"""

from __future__ import annotations

import argparse
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from harness import table, write_result

SEEDS = (10, 11, 12, 13, 14)
SHARES = (0.0, 0.1, 0.2, 0.3)
#: Distance of the two neurons in µm, along a column of sixteen channels with a pitch of 20 µm.
DISTANCES_UM = {"near": 40.0, "far": 120.0}
PRESETS: dict[str, dict[str, Any]] = {
    "default": {},
    "kilosort4": {"preset": "kilosort4", "nblocks": 0},
}
FS, DURATION_S, N_SPIKES, JITTER_MS = 30_000.0, 40, 300, 0.3
#: Two spikes at most this far apart are the same; a unit with a larger share of spikes of both neurons is their sum.
DELTA_MS, SUM_SHARE = 0.4, 0.5


class Row(NamedTuple):
    """One sort."""

    preset: str
    where: str
    share: float
    seed: int
    n_units: int
    n_sums: int
    recall: float
    recall_together: float
    precision: float


def run(*, quick: bool, seeds: tuple[int, ...] = SEEDS) -> list[Row]:
    shares = (0.2,) if quick else SHARES
    presets = ("default",) if quick else tuple(PRESETS)
    seeds = seeds[:1] if quick else seeds
    return [
        row_of(preset, where, share, seed)
        for where, share, seed, preset in product(DISTANCES_UM, shares, seeds, presets)
        if not (quick and where == "near")
    ]


def recording_of(where: str, share: float, seed: int) -> tuple[Any, Any, Any]:
    """A recording of the two neurons, their spikes, and how many of these are coincident."""
    import xephys

    rng = np.random.default_rng([seed, round(100 * share), len(where)])
    n, y, t = round(DURATION_S * FS), 20.0 * np.arange(16), np.arange(60) - 20
    traces = rng.normal(0, 8, (n, y.size)).astype("f4")
    slots = rng.permutation(np.arange(300, n - 300, 400))
    together, jitter = round(share * N_SPIKES), round(JITTER_MS * 1e-3 * FS)
    first = slots[:N_SPIKES]
    second = np.concatenate(
        [
            first[:together] + rng.integers(-jitter, jitter + 1, together),
            slots[N_SPIKES : 2 * N_SPIKES - together],
        ]
    )
    depth = rng.uniform(60, 120)
    for times, at, amplitude, width in (
        (first, depth, rng.uniform(100, 180), 4.0),
        (second, depth + DISTANCES_UM[where], rng.uniform(100, 180), 5.5),
    ):
        course = -np.exp(-0.5 * (t / width) ** 2) + 0.4 * np.exp(-0.5 * ((t - 12) / 6) ** 2)
        shape = (amplitude * course[:, None] * np.exp(-0.5 * ((y - at) / 22) ** 2)).astype("f4")
        for sample, size in zip(times, rng.normal(1, 0.06, times.size), strict=True):
            traces[sample - 20 : sample + 40] += np.float32(size) * shape
    recording = xephys.make_recording(
        traces, sampling_frequency=FS, units="uV", coordinates={"x": np.zeros(y.size), "y": y}
    )
    return recording, (first, second), together


def row_of(preset: str, where: str, share: float, seed: int) -> Row:
    import xephys

    recording, trains, together = recording_of(where, share, seed)
    sorting = xephys.sort(recording, **PRESETS[preset])
    samples, unit_of = (sorting["spikes"][name].values for name in ("sample_index", "unit_index"))
    found = {unit: samples[unit_of == unit] for unit in sorting["units"]["unit_id"].values}
    sums = [np.mean(_has(trains[0], s) & _has(trains[1], s)) > SUM_SHARE for s in found.values()]
    alone = {unit: s for (unit, s), is_sum in zip(found.items(), sums, strict=True) if not is_sum}
    recalls, recalls_together, precisions = [], [], []
    for train in trains:
        hits = {unit: _has(s, train).sum() for unit, s in alone.items()}
        own = alone[max(hits, key=lambda unit: hits[unit])] if hits else np.zeros(0, np.int64)
        recalls.append(_has(own, train).mean())
        recalls_together.append(_has(own, train[:together]).mean() if together else np.nan)
        precisions.append(_has(np.sort(train), own).mean() if own.size else 0.0)
    return Row(
        preset, where, share, seed, len(found), int(sum(sums)), float(min(recalls)), float(min(recalls_together)),
        float(min(precisions)),
    )  # fmt: skip


def _has(train: Any, samples: Any) -> Any:
    """Which samples have a spike of the train beside them."""
    delta, ordered = round(DELTA_MS * 1e-3 * FS), np.sort(train)
    return np.searchsorted(ordered, samples - delta) < np.searchsorted(ordered, samples + delta, side="right")


def report(rows: list[Row]) -> list[str]:
    def figure(values: list[float]) -> str:
        return "" if np.isnan(values).any() else f"{min(values):.3f}"

    cells = []
    for preset, where, share in dict.fromkeys((row.preset, row.where, row.share) for row in rows):
        own = [row for row in rows if (row.preset, row.where, row.share) == (preset, where, share)]
        cells.append(
            (
                preset, where, f"{100 * share:.0f} %", len(own), ", ".join(str(row.n_units) for row in own),
                sum(row.n_sums for row in own), figure([row.recall_together for row in own]),
                figure([row.recall for row in own]), figure([row.precision for row in own]),
            )
        )  # fmt: skip
    header = ["preset", "neurons", "together", "seeds", "units of each seed (2 are right)", "units that are sums"]
    return [
        "# Two neurons that fire together",
        f"{N_SPIKES} spikes each in {DURATION_S} s, a part of them within ±{JITTER_MS} ms of one of the other neuron; "
        f"{DISTANCES_UM['near']:g} µm (near) or {DISTANCES_UM['far']:g} µm (far) apart on 16 channels. Recall and "
        "precision are of the worse neuron of the worst seed.",
        table([*header, "recall of spikes that come together", "recall of all", "precision"], cells),
    ]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    arguments = parser.parse_args()
    parts = report(run(quick=arguments.quick, seeds=tuple(arguments.seeds)))
    if arguments.quick or tuple(arguments.seeds) != SEEDS:
        print("\n\n".join(parts))
    else:
        write_result("synchrony", *parts)


if __name__ == "__main__":
    main()
