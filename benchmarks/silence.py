"""Sorts of recordings whose channels are silent for part of the time, beside the sort of the whole recording.

    python benchmarks/silence.py [--quick] [--seeds 0 1 2]

Blanked, lost and clipped stretches must neither change the spikes beside them nor create spikes of their own. Units are
compared with those found in the whole recording, and every spike that is not found there counts as false.
"""

from __future__ import annotations

import argparse
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from harness import table, write_result

SEEDS = (0, 1, 2)
#: Which of the sixteen channels are silent, the value stored during silence, and for how much of every three seconds.
CHANNELS = {"all": slice(None), "every second": slice(0, None, 2), "five in the middle": slice(5, 10)}
VALUES = ("zeros", "rail", "held")
SHARES = (0.3, 0.6)
PERIOD_S = 3.0
#: Two spikes at most this far apart are the same, and a spike reaches this far into silence.
DELTA_MS, GUARD_MS = 0.4, 2.0


class Row(NamedTuple):
    """One sort: number of units, and spikes of the worst unit and of all, as shares of those in the whole recording."""

    seed: int
    channels: str
    value: str
    share: float
    n_units: int
    n_units_whole: int
    lost: float
    lost_worst: float
    false: float
    false_worst: float
    in_silence: float


def run(*, quick: bool, seeds: tuple[int, ...] = SEEDS) -> list[Row]:
    import xephys

    rows = []
    for seed in (5,) if quick else seeds:
        recording = recording_of(seed, duration_s=15 if quick else 45, n_units=3 if quick else 5)
        whole = xephys.sort(recording)
        cases = [("every second", "zeros", 0.3)] if quick else product(CHANNELS, VALUES, SHARES)
        rows += [row_of(recording, whole, seed, channels, value, share) for channels, value, share in cases]
    return rows


def recording_of(seed: int, *, duration_s: float = 45, n_units: int = 5) -> Any:
    from xephys.testing import simulate_recording

    recording, _ = simulate_recording(
        duration_s=duration_s,
        n_channels=16,
        n_units=n_units,
        seed=seed,
        amplitude_range_uv=(60, 120),
        offset_uv=200.0,
    )
    return recording


def silenced(recording: Any, channels: str, value: str, share: float) -> tuple[Any, Any]:
    """The recording with silence inserted, and which samples are silent on some channel."""
    traces, silent = recording.values.copy(), np.zeros(recording.sizes["time"], bool)
    period = round(PERIOD_S * recording.attrs["sampling_frequency"])
    for start in range(0, len(traces), period):
        stop, which = start + round(share * period), CHANNELS[channels]
        traces[start:stop, which] = {"zeros": 0, "rail": 32767, "held": traces[start, which]}[value]
        silent[start:stop] = True
    return recording.copy(data=traces), silent


def row_of(recording: Any, whole: Any, seed: int, channels: str, value: str, share: float) -> Row:
    import xephys

    silent_recording, silent = silenced(recording, channels, value, share)
    found = xephys.sort(silent_recording)
    match = xephys.compare(found, whole, match_score=0.2).units["match"].values  # silence hides a share of the spikes
    delta, guard = (round(ms * 1e-3 * recording.attrs["sampling_frequency"]) for ms in (DELTA_MS, GUARD_MS))
    near = np.convolve(silent, np.ones(2 * guard + 1), mode="same") > 0
    trains, theirs = _trains(whole), _trains(found)
    counts = []
    for unit, other in zip(trains, match, strict=True):
        true, ours = trains[unit], theirs.get(str(other), np.zeros(0, np.int64))
        again, known = _has(ours, true, delta), _has(true, ours, delta)
        live = ~near[true]
        counts.append(
            (len(true), live.sum(), (live & ~again).sum(), (~known).sum(), (~live).sum(), (~live & again).sum())
        )
    n, n_live, n_lost, n_false, n_silent, n_heard = np.array(counts, float).T
    return Row(
        seed, channels, value, share, found["units"].sizes["unit"], whole["units"].sizes["unit"],
        lost=n_lost.sum() / n_live.sum(), lost_worst=float((n_lost / n_live).max()),
        false=n_false.sum() / n.sum(), false_worst=float((n_false / n).max()),
        in_silence=n_heard.sum() / n_silent.sum(),
    )  # fmt: skip


def _trains(sorting: Any) -> dict[str, Any]:
    """Spikes of each unit, by its name."""
    samples, units = sorting["spikes"]["sample_index"].values, sorting["spikes"]["unit_index"].values
    return {str(unit): samples[units == unit] for unit in sorting["units"]["unit_id"].values}


def _has(train: Any, samples: Any, delta: int) -> Any:
    """Which samples have a spike of the train within ``delta``."""
    return np.searchsorted(train, samples - delta) < np.searchsorted(train, samples + delta, side="right")


def report(rows: list[Row]) -> list[str]:
    def percent(value: float) -> str:
        return f"{100 * value:.2f}"

    cells = [
        (
            row.seed, row.channels, row.value, f"{100 * row.share:.0f} %", f"{row.n_units} of {row.n_units_whole}",
            f"{percent(row.lost)} / {percent(row.lost_worst)}", f"{percent(row.false)} / {percent(row.false_worst)}",
            f"{100 * row.in_silence:.0f}",
        )
        for row in rows
    ]  # fmt: skip
    header = ["seed", "silent channels", "stored", "of the time", "units", "lost, %: all / worst unit"]
    return [
        "# Channels that are silent for a part of the time",
        "Five units on 16 channels, 45 s; in every three seconds the first part is silent. Spikes are compared with "
        "those of the same unit in the sort of the recording without silence. Lost: of the spikes outside of silence. "
        "False: spikes that the unit does not have there, as a share of all of its spikes. In silence: what is found "
        "of the spikes during which some channel is silent.",
        table([*header, "false, %: all / worst unit", "found in silence, %"], cells),
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
        write_result("silence", *parts)


if __name__ == "__main__":
    main()
