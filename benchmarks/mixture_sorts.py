"""Whole sorts with the mixture between the first clusters and their templates, beside the same sorts without it.

    python benchmarks/mixture_sorts.py [--quick] [--keep FOLDER] [--sets short:0 ...] [--presets default dartsort]

No preset uses the mixture; here its labels take the place of those of ``cluster_peaks``. Recordings and finished rows
stay in the folder of ``--keep``, so that a table can be put together over several calls; with a choice of sets or
presets it is printed and not written.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from contest.running import identity, presets
from contest.scoring import Found, compared
from contest.sets import recorded, restored
from harness import table, write_result

#: Seeds on which parameters are chosen: whether a preset should use the mixture is such a choice.
SETS = tuple(f"short:{seed}" for seed in range(8))
PRESETS = ("default", "dartsort")
EXTRA = ("false positive", "redundant", "overmerged")


def cluster_mixed(
    recording: Any, peaks: Any, *, components: Any, feature_noise: float, n_spikes_min: int, **more: Any
) -> Any:
    """Clusters at gaps, then these and all other peaks in the mixture, then the last step of every clustering."""
    import xephys
    from xephys import schema
    from xephys.cluster.peaks import cluster_peaks, projected_channels
    from xephys.cluster.settle import Refractory, settle_clusters, take_records, without_weak
    from xephys.kernels.cluster.shape import cluster_means
    from xephys.per_channel import positions_of
    from xephys.recording.geometry import channel_groups

    given = {"components": components, "feature_noise": feature_noise, "n_spikes_min": n_spikes_min}
    first = cluster_peaks(recording, peaks, **given, **more)
    if not first.n_clusters:
        return first
    records = take_records(peaks, ("sample_index", "channel_index", "projection"))
    places = positions_of(recording, why="clustering")
    neighbors = projected_channels(places, peaks, components, groups=channel_groups(recording))
    projection, channel = (np.ascontiguousarray(records[name]) for name in ("projection", "channel_index"))
    labels = xephys.cluster_by_mixture(
        projection, channel, first.labels, neighbors=neighbors, noise=feature_noise, n_spikes_min=n_spikes_min
    ).labels
    means, _ = cluster_means(projection, channel, labels, neighbors)
    labels, weak = without_weak(labels, means, channel, noise=feature_noise)
    info = schema.validate_recording(recording)
    settled = settle_clusters(
        labels, records, components=components, neighbors=neighbors, noise=feature_noise,
        refractory=Refractory.of_ms(info, refractory_ms=2.0, dead_ms=0.5),
    )  # fmt: skip
    return replace(settled, thinned=first.thinned, dropped=np.concatenate([weak, settled.dropped]))


def row_of(name: str, preset: str, *, mixed: bool, folder: Path) -> dict[str, Any]:
    """Scores and CPU time of one sort, stored or new."""
    import xephys
    from xephys.cluster.peaks import cluster_peaks

    known = {sorter_preset: sorter for sorter, sorter_preset in presets().items()}[preset]
    path = folder / "rows" / f"{name}-{identity(known)}-{'mixed' if mixed else 'plain'}.json".replace(":", "-")
    if path.is_file():
        return dict(json.loads(path.read_text(encoding="utf-8")))
    recording = restored(recorded(name, folder / "recordings"))
    begin = time.process_time()
    with mock.patch("xephys.sorter.default.sort.cluster_peaks", cluster_mixed if mixed else cluster_peaks):
        tree = xephys.sort(xephys.open_recording(recording.path), preset=preset)
    cpu_s = time.process_time() - begin
    spikes, n_units = tree["spikes"].dataset, tree["units"].sizes["unit"]
    found = Found(spikes["sample_index"].values, spikes["unit_index"].values.astype(np.int64), n_units)
    score: dict[str, Any] = {}
    compared(found, recording.truth, score)
    kept = ("accuracy", "well", "truth units", *EXTRA)
    row = {"set": name, "preset": preset, "mixed": mixed, "cpu_s": cpu_s, **{key: score[key] for key in kept}}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(row), encoding="utf-8")
    return row


def run(
    *, quick: bool, folder: Path, sets: Sequence[str] = SETS, chosen: Sequence[str] = PRESETS
) -> list[dict[str, Any]]:
    sets, chosen = (("quick:0",), chosen[:1]) if quick else (sets, chosen)
    return [
        row_of(name, preset, mixed=mixed, folder=folder)
        for preset in chosen
        for name in sets
        for mixed in (False, True)
    ]


def report(rows: list[dict[str, Any]]) -> list[str]:
    pairs = list(zip(rows[::2], rows[1::2], strict=True))
    lines = [
        (
            plain["preset"], plain["set"], f"{plain['accuracy']:.4f} → {mixed['accuracy']:.4f}",
            f"{plain['well']} → {mixed['well']} of {plain['truth units']}",
            " → ".join("/".join(str(of[extra]) for extra in EXTRA) for of in (plain, mixed)),
            f"{plain['cpu_s']:.0f} → {mixed['cpu_s']:.0f}",
        )
        for plain, mixed in pairs
    ]  # fmt: skip
    totals = []
    for preset in dict.fromkeys(plain["preset"] for plain, _ in pairs):
        changes = np.array([m["accuracy"] - p["accuracy"] for p, m in pairs if p["preset"] == preset])
        wells = [sum(of["well"] for of in side if of["preset"] == preset) for side in zip(*pairs, strict=True)]
        gains, losses = int((changes > 0.0005).sum()), int((changes < -0.0005).sum())
        totals.append((preset, len(changes), f"{changes.mean():+.4f}", gains, losses, " → ".join(map(str, wells))))
    return [
        "# The mixture in whole sorts",
        "Without → with the mixture between the first clusters and their templates. Accuracy: mean over all units;\n"
        "well detected: 0.8 or more. Gains and losses: more than 0.0005.",
        table(("preset", "sets", "mean change of accuracy", "gains", "losses", "units well detected"), totals),
        table(("preset", "set", "accuracy", "well detected", "false / redundant / overmerged", "CPU, s"), lines),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--keep", type=Path, help="folder in which recordings and rows stay")
    parser.add_argument("--sets", nargs="+")
    parser.add_argument("--presets", nargs="+")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.keep or Path(scratch)
        rows = run(quick=options.quick, folder=folder, sets=options.sets or SETS, chosen=options.presets or PRESETS)
    parts = report(rows)
    if options.quick or options.sets or options.presets:
        print("\n\n".join(parts))
    else:
        write_result("mixture_sorts", *parts)


if __name__ == "__main__":
    main()
