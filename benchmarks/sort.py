"""The whole ``xephys sort`` process: how long it takes on two cores, and how accurate the sorting is.

    python benchmarks/sort.py [--quick] [--hard-only]

128 channels × 60 s with 40 units at 30–150 µV, made by our easy simulator and by SpikeInterface's, several seeds each;
and our hard setting, made to resemble a real recording and scored by stratum. Times are those of the process, import
and export included; the first run starts with an empty cache of compiled kernels.
"""

import argparse
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from contest.generated import save
from contest.kinds import KINDS
from harness import Process, run_process, table, write_result, xephys_command

AMPLITUDES_UV = (30.0, 150.0)
WELL_DETECTED = 0.8
SNR_LIMITS = (0, 4, 6, 10, np.inf)


@dataclass(frozen=True)
class Run:
    """One sorted recording; ``units`` describes the true units and is empty for SpikeInterface's."""

    name: str
    cache: str
    process: Process
    comparison: Any
    units: list[dict[str, Any]]


def run(quick: bool = False, hard_only: bool = False, kernels: Path | None = None) -> list[Run]:
    """Sort everything; ``quick`` is one small recording, ``kernels`` a folder of kernels that are already compiled."""
    runs: list[Run] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cache = folder / "numba"
        if kernels is not None:
            shutil.copytree(kernels, cache)
        for label, recording, truth, units in recordings(folder, quick=quick, hard_only=hard_only):
            for state in ["warm"] if runs else ["cold", "warm"]:
                out = folder / f"{recording.parent.name}-{state}"
                process = run_process(xephys_command("sort", recording, "--out", out), NUMBA_CACHE_DIR=str(cache))
                runs.append(Run(label, state, process, compared(out, truth), units))
    return runs


def recordings(folder: Path, *, quick: bool, hard_only: bool) -> Iterator[tuple[str, Path, Any, list[dict[str, Any]]]]:
    """Name, path, truth and unit descriptions of each recording, made one at a time."""
    if quick:
        yield simulated(folder, "easy", 0, duration_s=10.0, n_channels=16, n_units=4, amplitude_range_uv=(80.0, 150.0))
        return
    if not hard_only:
        for seed in range(3):
            yield simulated(
                folder, "easy", seed, duration_s=60.0, n_channels=128, n_units=40, amplitude_range_uv=AMPLITUDES_UV
            )
        for seed in range(3):
            yield generated(folder, seed)
    for seed in range(2):
        yield simulated(folder, "hard", seed, duration_s=60.0, n_channels=128, n_units=80)


def simulated(folder: Path, preset: str, seed: int, **parameters: Any) -> tuple[str, Path, Any, list[dict[str, Any]]]:
    """A recording made by our simulator."""
    from xephys.io.store.save import save_recording
    from xephys.testing import simulate_recording

    recording, truth = simulate_recording(preset=preset, seed=seed, **parameters)
    path = folder / f"{preset}{seed}" / "recording"
    save_recording(recording, path, format="binary")
    return f"xephys, {preset}, seed {seed}", path, truth, truth.units_info()


def generated(folder: Path, seed: int) -> tuple[str, Path, Any, list[dict[str, Any]]]:
    """A recording made by SpikeInterface's generator: the set ``static`` of the comparison with other sorters."""
    kind = KINDS["static"]
    assert kind.generator is not None
    made = kind.generator.generate(seed=seed, duration_s=kind.duration_s)
    path = folder / f"generated{seed}" / "recording"
    save(made.recording, path)
    return f"SpikeInterface, seed {seed}", path, made.truth, []


def compared(out: Path, truth: Any) -> Any:
    """SpikeInterface's comparison with an exhaustive truth."""
    from xephys import compare, open_sorting

    return compare(open_sorting(out / "sorting.zarr"), truth)


def strata(units: list[dict[str, Any]]) -> dict[str, np.ndarray[Any, Any]]:
    """The units of each stratum."""
    snr = np.array([unit["snr"] for unit in units])
    masks = {"all": np.ones(len(units), bool)}
    for low, high in pairwise(SNR_LIMITS):
        name = f"SNR {low}–{high}" if np.isfinite(high) else f"SNR above {low}"
        masks[name] = (snr >= low) & (snr < high)
    for kind in ("bursting", "partial", "positive"):
        masks[kind] = np.array([unit[kind] for unit in units], bool)
    return masks


def report(runs: list[Run]) -> tuple[str, ...]:
    rows = []
    for item in runs:
        s = item.comparison.summary
        found = f"{s['num_well_detected']:.0f} of {s['num_truth_units']:.0f}"
        extra = f"{s['num_redundant']:.0f} / {s['num_overmerged']:.0f} / {s['num_false_positive']:.0f}"
        times = f"{item.process.wall_s:.1f}", f"{item.process.cpu_s:.1f}", f"{item.process.peak_bytes / 2**30:.2f}"
        rows.append((item.name, item.cache, *times, f"{s['accuracy']:.3f}", found, extra))
    header = ("recording", "kernels", "wall, s", "CPU, s", "peak, GiB", "mean accuracy", "well detected", "extra units")
    parts = [
        "# The whole `xephys sort`",
        "128 channels × 60 s at 30 kHz on two cores, no GPU; times of the whole process. Accuracy by SpikeInterface's "
        "`compare_sorter_to_ground_truth(exhaustive_gt=True)`, zero for units that are not found; well detected: "
        "accuracy of at least 0.8; extra units: redundant / overmerged / false positive. Cold: empty cache of compiled "
        "kernels.",
        table(header, rows),
    ]
    hard = [item for item in runs if "hard" in item.name]
    if hard:
        parts += [
            "The hard setting by stratum, both seeds together (SNR: largest peak over the noise of its channel, 300 to "
            "6000 Hz):",
            table(("stratum", "units", "mean accuracy", "mean recall", "well detected"), _stratum_rows(hard)),
        ]
    return tuple(parts)


def _stratum_rows(runs: list[Run]) -> list[tuple[object, ...]]:
    accuracy = np.concatenate([item.comparison.units["accuracy"].values for item in runs])
    recall = np.concatenate([item.comparison.units["recall"].values for item in runs])
    rows: list[tuple[object, ...]] = []
    for name, mask in strata([unit for item in runs for unit in item.units]).items():
        if mask.any():
            well = f"{(accuracy[mask] >= WELL_DETECTED).sum()}"
            rows.append((name, mask.sum(), f"{accuracy[mask].mean():.3f}", f"{recall[mask].mean():.3f}", well))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one recording of 16 channels × 10 s; writes no table")
    parser.add_argument("--hard-only", action="store_true", help="only the hard setting; writes no table")
    options = parser.parse_args()
    parts = report(run(quick=options.quick, hard_only=options.hard_only))
    if options.quick or options.hard_only:
        print("\n\n".join(parts))
    else:
        write_result("sort", *parts)


if __name__ == "__main__":
    main()
