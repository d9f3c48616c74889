"""Our sorter and the internal sorters of SpikeInterface on the same files in the same run: accuracy, time, memory.

    python benchmarks/sorters.py [--quick] [--peers PYTHON] [--sets easy:5 hard:5 ...] [--sorters default lupin ...]

Every sorter is a process of its own on two cores, with its own defaults; the peers run in the environment of PYTHON,
which needs SpikeInterface and what they need (torch, hdbscan). One that cannot run there is listed as absent, one that
fails or takes longer than the limit as such; without any peer no table is written. On the hard setting, where channels
are dead or noisy and are sampled one after the other, the peers are told the bad channels from the truth and read
samples with the delays corrected; ours finds out by itself.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from harness import Process, run_process, table, write_result, xephys_command

OURS = "default"
PEERS = ("lupin", "spykingcircus2", "tridesclous2")
SETS = ("easy:5", "hard:5", "hard:6", "static:3", "dense:3", "background:7")
LIMIT_S = 240.0
WELL_DETECTED = 0.8
#: A unit of a background-only recording counts as active when a person would look at it.
ACTIVE_HZ = 1.0
GAIN_UV = 0.195
TIMED_OUT = "ended with status -14"
#: An alarm outlives exec and ends the program itself, so that its memory is accounted for without a process between.
WITHIN = (
    "import os, pathlib, signal, sys; os.setpgrp(); pathlib.Path(sys.argv[1]).write_text(str(os.getpid()));"
    "signal.alarm(int(sys.argv[2])); os.execvp(sys.argv[3], sys.argv[3:])"
)


class Recorded(NamedTuple):
    """A recording on disk with what is known of it; ``bad_channels`` are for the peers."""

    name: str
    path: Path
    truth: Any
    bad_channels: list[int]


class Generated(NamedTuple):
    """Parameters of a set made by SpikeInterface's generator."""

    n_units: int
    amplitudes_uv: tuple[float, float]
    amplitude_sd: float
    minimum_distance_um: float
    maximum_z_um: float
    noise_uv: float


GENERATED = {
    "static": Generated(40, (30.0, 150.0), 0.05, 15.0, 40.0, 10.0),
    "dense": Generated(120, (18.0, 110.0), 0.15, 8.0, 40.0, 5.0),
}


@dataclass(frozen=True)
class Run:
    """One sorter on one recording; without ``process`` it has no result, and ``state`` says why."""

    recording: str
    sorter: str
    state: str
    process: Process | None = None
    n_units: int = 0
    n_active: int = 0
    n_good: int | None = None
    score: dict[str, float] | None = None
    load: float = 0.0


def run(
    *,
    sets: Sequence[str] = SETS,
    sorters: Sequence[str] = (OURS, *PEERS),
    peers: str = sys.executable,
    limit_s: float = LIMIT_S,
    quick: bool = False,
) -> list[Run]:
    """Sort every set with every sorter, one after the other; ``quick`` is one small recording."""
    here = [name for name in sorters if name == OURS or installed(name, peers)]
    runs: list[Run] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        compiled(folder)
        for wanted in ["quick:0"] if quick else sets:
            kind, seed = wanted.split(":")
            recorded = made(folder, kind, int(seed))
            for sorter in sorters:
                runs.append(
                    sorted_by(sorter, recorded, peers=peers, limit_s=limit_s)
                    if sorter in here
                    else Run(recorded.name, sorter, "absent")
                )
    return runs


def installed(sorter: str, python: str) -> bool:
    """Whether a peer can run in that environment."""
    code = f"from spikeinterface.sorters import sorter_dict as s; raise SystemExit(not s[{sorter!r}].is_installed())"
    return subprocess.run([python, "-c", code], capture_output=True, check=False).returncode == 0


def compiled(folder: Path) -> None:
    """Compile our kernels into a cache of this run, so that no sort pays for it."""
    recorded = made(folder, "quick", 1)
    run_process(xephys_command("sort", recorded.path, "--out", folder / "compiled"), NUMBA_CACHE_DIR=_cache(folder))


def made(folder: Path, kind: str, seed: int) -> Recorded:
    """The recording of a kind and seed, saved as int16.

    Raises
    ------
    ValueError
        If there is no such kind.
    """
    size = {"duration_s": 60.0, "n_channels": 128}
    small = {"duration_s": 10.0, "n_channels": 16, "n_units": 4, "amplitude_range_uv": (80.0, 150.0)}
    ours: dict[str, dict[str, Any]] = {
        "easy": {"preset": "easy", "n_units": 40, "amplitude_range_uv": (30.0, 150.0), **size},
        "hard": {"preset": "hard", "n_units": 80, **size},
        "background": {"preset": "hard", "n_units": 0, **size},
        "quick": {"preset": "easy", **small},
    }
    path = folder / f"{kind}{seed}" / "recording"
    if kind in GENERATED:
        return generated(path, kind, seed)
    if kind in ours:
        return simulated(path, kind, seed, **ours[kind])
    raise ValueError(f"There is no set {kind!r}; the sets are {', '.join([*ours, *GENERATED])}.")


def simulated(path: Path, kind: str, seed: int, **parameters: Any) -> Recorded:
    """A recording of our simulator."""
    from xephys.io.save import save_recording
    from xephys.testing import simulate_recording

    recording, truth = simulate_recording(seed=seed, **parameters)
    save_recording(recording, path, format="binary")
    bad = sorted({*truth.dead_channels.tolist(), *truth.noisy_channels.tolist()})
    return Recorded(f"{kind}, seed {seed}", path, truth.to_spikeinterface(), bad)


def generated(path: Path, kind: str, seed: int, *, duration_s: float = 60.0) -> Recorded:
    """A recording of SpikeInterface's generator: 4 × 32 contacts 20 µm apart, white noise, log-uniform amplitudes."""
    import spikeinterface.preprocessing as preprocessing
    from spikeinterface.core.generate import (
        InjectTemplatesRecording,
        generate_multi_columns_probe,
        generate_sorting,
        generate_templates,
        generate_unit_locations,
    )
    from spikeinterface.generation.noise_tools import NoiseGeneratorRecording

    setting, rate, upsampling = GENERATED[kind], 30_000.0, 5
    rng = np.random.default_rng(seed)
    probe = generate_multi_columns_probe(
        num_columns=4,
        num_contact_per_column=[32] * 4,
        xpitch=20,
        ypitch=20,
        contact_shapes="circle",
        contact_shape_params={"radius": 6},
    )
    probe.set_device_channel_indices(np.arange(128))
    truth = generate_sorting(
        num_units=setting.n_units,
        sampling_frequency=rate,
        durations=[duration_s],
        firing_rates=(3.0, 12.0),
        refractory_period_ms=4.0,
        seed=seed,
    )
    places = generate_unit_locations(
        setting.n_units,
        probe.contact_positions,
        margin_um=10,
        minimum_z=5,
        maximum_z=setting.maximum_z_um,
        minimum_distance=setting.minimum_distance_um,
        seed=seed,
    )
    templates = generate_templates(
        probe.contact_positions, places, rate, 1.5, 2.5, seed=seed, upsample_factor=upsampling
    )
    wanted = np.exp(rng.uniform(*np.log(setting.amplitudes_uv), setting.n_units))
    templates = templates * (wanted / np.abs(templates.mean(axis=3)).max(axis=(1, 2)))[:, None, None, None]
    n_spikes = len(truth.to_spike_vector())
    noise = NoiseGeneratorRecording(
        num_channels=128,
        sampling_frequency=rate,
        durations=[duration_s],
        dtype="float32",
        seed=seed,
        noise_levels=setting.noise_uv,
        strategy="on_the_fly",
        noise_block_size=int(rate),
    )
    factors = np.clip(1 + setting.amplitude_sd * rng.standard_normal(n_spikes), 0.4, 1.8)
    recording = InjectTemplatesRecording(
        truth,
        templates.astype(np.float32),
        nbefore=45,
        amplitude_factor=factors.astype(np.float32),
        parent_recording=noise,
        upsample_vector=rng.integers(0, upsampling, n_spikes),
    )
    recording.set_probe(probe)
    scaled = preprocessing.scale(recording, gain=1 / GAIN_UV, dtype="float32")
    counts = preprocessing.astype(scaled, "int16", round=True)
    counts.set_channel_gains(GAIN_UV)
    counts.set_channel_offsets(0.0)
    path.parent.mkdir(parents=True)
    counts.save(folder=path, format="binary", progress_bar=False)
    return Recorded(f"SpikeInterface {kind}, seed {seed}", path, truth, [])


def sorted_by(sorter: str, recorded: Recorded, *, peers: str, limit_s: float) -> Run:
    """One sorter on one recording, within the limit, compared with the truth."""
    out, group = recorded.path.parent / sorter, recorded.path.parent / f"{sorter}.pid"
    if sorter == OURS:
        command = xephys_command("sort", recorded.path, "--out", out)
    else:
        bad = ",".join(map(str, recorded.bad_channels))
        command = [peers, __file__, "--as-peer", sorter, str(recorded.path), str(out), bad]
    load = _busy_cores(1.0)
    try:
        within = [sys.executable, "-c", WITHIN, str(group), str(round(limit_s)), *command]
        process = run_process(within, NUMBA_CACHE_DIR=_cache(recorded.path.parents[1]))
    except RuntimeError as error:
        with suppress(ProcessLookupError):
            os.killpg(int(group.read_text(encoding="ascii")), signal.SIGKILL)  # workers outlive the one that ended
        slow = TIMED_OUT in str(error)
        why = f"over {limit_s:g} s" if slow else str(error).strip().splitlines()[-1]
        return Run(recorded.name, sorter, why, load=load)
    tested, n_good = opened(sorter, out)
    rates = np.array(list(tested.count_num_spikes_per_unit().values())) / _duration_s(recorded.path)
    return Run(
        recorded.name,
        sorter,
        "done",
        process,
        n_units=len(rates),
        n_active=int((rates >= ACTIVE_HZ).sum()),
        n_good=n_good,
        score=scored(tested, recorded.truth),
        load=load,
    )


def opened(sorter: str, out: Path) -> tuple[Any, int | None]:
    """The result as SpikeInterface's sorting, and how many units are labelled good where there are labels."""
    from spikeinterface import NumpySorting, load

    if sorter != OURS:
        return load(out / "sorting"), None
    from xephys import open_sorting

    tree = open_sorting(out / "sorting.zarr")
    spikes, units = tree["spikes"], tree["units"]
    tested = NumpySorting.from_samples_and_labels(
        [spikes["sample_index"].values],
        [spikes["unit_index"].values],
        tree.attrs["sampling_frequency"],
        unit_ids=np.arange(units.sizes["unit"]),
    )
    return tested, int((units["label"].values == "good").sum())


def scored(tested: Any, truth: Any) -> dict[str, float] | None:
    """SpikeInterface's comparison with an exhaustive truth; None when the truth holds no unit."""
    from spikeinterface.comparison import compare_sorter_to_ground_truth

    n = len(truth.unit_ids)
    if n == 0:
        return None
    if len(tested.unit_ids) == 0:
        counts = ("well", "false positive", "redundant", "overmerged")
        return {"units": n, "accuracy": 0.0} | dict.fromkeys(counts, 0)
    comparison = compare_sorter_to_ground_truth(truth, tested, exhaustive_gt=True)
    return {
        "units": n,
        "accuracy": float(comparison.get_performance()["accuracy"].astype(float).mean()),
        "well": comparison.count_well_detected_units(WELL_DETECTED),
        "false positive": comparison.count_false_positive_units(),
        "redundant": comparison.count_redundant_units(),
        "overmerged": comparison.count_overmerged_units(),
    }


def sort_as_peer(sorter: str, recording: str, out: str, bad_channels: str) -> None:
    """What the peer's process does: bad channels left out, samples shifted, the sorter with its defaults."""
    import spikeinterface.preprocessing as preprocessing
    from spikeinterface import load, set_global_job_kwargs
    from spikeinterface.sorters import run_sorter

    set_global_job_kwargs(n_jobs=2, progress_bar=False)
    loaded = load(recording)
    if bad_channels:
        bad = [int(channel) for channel in bad_channels.split(",")]
        loaded = loaded.remove_channels(loaded.channel_ids[bad])
    shift = loaded.get_property("inter_sample_shift")
    if shift is not None and np.any(shift):
        loaded = preprocessing.phase_shift(loaded)
    found = run_sorter(sorter, loaded, folder=Path(out) / "run", verbose=False)
    found.save(folder=Path(out) / "sorting")


def report(runs: Sequence[Run]) -> tuple[str, ...]:
    rows, background = [], []
    for item in runs:
        if item.process is None:
            rows.append((item.recording, item.sorter, item.state, *["–"] * 5))
            continue
        cost = f"{item.process.wall_s:.0f}", f"{item.process.cpu_s:.0f}", f"{item.process.peak_bytes / 2**30:.1f}"
        if item.score is None:
            good = "no labels" if item.n_good is None else item.n_good
            background.append((item.recording, item.sorter, item.n_units, item.n_active, good, *cost))
            continue
        s = item.score
        extra = f"{s['false positive']:.0f} / {s['redundant']:.0f} / {s['overmerged']:.0f}"
        found = f"{s['well']:.0f} of {s['units']:.0f}"
        rows.append((item.recording, item.sorter, f"{s['accuracy']:.3f}", found, extra, *cost))
    times = "wall, s", "CPU, s", "peak, GiB"
    parts = [
        "# Sorters side by side",
        "128 channels × 60 s at 30 kHz; the same int16 files, two cores, no GPU, each sorter once per set in a "
        "process of its own (times are those of the process, imports included; ours also writes its Phy folder; "
        "memory is the largest resident size of the process that is started, without the two workers that the peers "
        "start). Accuracy by"
        " SpikeInterface's `compare_sorter_to_ground_truth(exhaustive_gt=True)`, zero for units that are not found;"
        " well detected: accuracy of at least 0.8; extra units: false positive / redundant / overmerged. `default` "
        "is ours. All sorters run with their defaults (SpykingCircus2's include motion correction). Our kernels are"
        " compiled beforehand; what the peers compile is part of their time. On the hard and background sets the "
        "peers get the recording without its dead and noisy channels, which they are told, and with sampling delays"
        " corrected; ours gets the file.",
        table(("recording", "sorter", "mean accuracy", "well detected", "extra units", *times), rows),
    ]
    if background:
        header = "recording", "sorter", "units", f"of these ≥ {ACTIVE_HZ:g} spike/s", "labelled good", *times
        parts += [
            "Background only: far units, field and artefacts of the hard setting, and no unit to find:",
            table(header, background),
        ]
    busy = max((item.load for item in runs), default=0.0)
    return (
        *parts,
        "One run per cell and few seeds: differences of one or two units say little. The default seeds were not "
        "used to choose parameters of ours, but the easy, hard and background sets come from our own simulator. "
        f"Other processes kept at most {busy:.1f} cores busy in the second before a sorter began.",
    )


def _busy_cores(seconds: float) -> float:
    """How many cores work, measured while this process sleeps; 0 where the system does not tell."""
    before = _busy_ticks()
    time.sleep(seconds)
    after = _busy_ticks()
    return (after - before) / seconds / 100


def _busy_ticks() -> float:
    stat = Path("/proc/stat")
    if not stat.exists():
        return 0.0
    user, nice, system = map(int, stat.read_text(encoding="ascii").split(maxsplit=4)[1:4])
    return user + nice + system


def _cache(folder: Path) -> str:
    return str(folder / "numba")


def _duration_s(path: Path) -> float:
    from spikeinterface import load

    return float(load(path).get_total_duration())


def main() -> None:
    if sys.argv[1:2] == ["--as-peer"]:
        sort_as_peer(*sys.argv[2:])
        return
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one recording of 16 channels × 10 s; writes no table")
    parser.add_argument("--peers", default=sys.executable, help="the Python in whose environment the peers run")
    parser.add_argument("--sets", nargs="+", default=SETS, help="kind:seed of each recording")
    parser.add_argument("--sorters", nargs="+", default=(OURS, *PEERS), choices=(OURS, *PEERS))
    parser.add_argument("--limit-s", type=float, default=LIMIT_S, help="time limit of one sort")
    options = parser.parse_args()
    given = {"sets": options.sets, "sorters": options.sorters, "peers": options.peers, "limit_s": options.limit_s}
    runs = run(quick=options.quick, **given)
    if options.quick or all(item.process is None for item in runs if item.sorter != OURS):
        print("\n\n".join(report(runs)))
    else:
        write_result("sorters", *report(runs))


if __name__ == "__main__":
    main()
