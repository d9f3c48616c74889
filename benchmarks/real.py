"""Real recordings sorted by the ordinary command: what both presets find, and what they refuse.

    XEPHYS_SHARED_DATA=FOLDER python benchmarks/real.py [--only NAME]

The files are not part of the repository; ``FOLDER`` holds them. Each is given to ``xephys sort`` as it lies there, with
the options that a user would give. Two come as NumPy or gzip files, and are saved as recordings first. Few have a
truth: one neuron of the tetrode in hippocampus was recorded from inside. Violations are intervals of a unit's spikes
below 1.5 ms, of all intervals.
"""

import argparse
import gzip
import os
import shlex
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from harness import table, write_result, xephys_command

PRESETS = ("default", "kilosort4")
VIOLATION_MS = 1.5
#: Spikes of the truth and of a unit that are at most this far apart, at one lag for all, are the same.
WITHIN_MS = 1.0
LAG_MS_MAX = 6.0


@dataclass(frozen=True)
class File:
    """A file or folder below the folder of the data, and how it is read.

    ``prepare`` saves what no reader opens, and returns its path and the samples of true spikes, or None.
    """

    name: str
    path: str
    options: str = ""
    prepare: Callable[[Path, Path], tuple[Path, Any]] | None = None


@dataclass(frozen=True)
class Row:
    """What one preset made of one file; ``refused`` is its sentence instead of a sorting."""

    file: File
    preset: str
    n_units: int = 0
    n_good: int = 0
    n_spikes: int = 0
    violations: float = 0.0
    accuracy: float | None = None
    refused: str = ""


def hippocampus(data: Path, folder: Path) -> tuple[Path, Any]:
    """Rat hippocampus (CRCNS hc-1, d533101): 5 s of a tetrode, and the spikes of one neuron recorded from inside."""
    with np.load(data / "hc1_tetrode_gt" / "raw_5s.npz") as file:
        traces, truth = file["data"], file["gt_times"]
    return saved(traces, 10_000.0, folder), truth


def locust(data: Path, folder: Path) -> tuple[Path, Any]:
    """Antennal lobe of a locust (C. Pouzat): 20 s of a tetrode, band-passed before they were stored."""
    names = [data / "locust_tetrode" / f"Locust_{k}.dat.gz" for k in range(1, 5)]
    channels = [np.frombuffer(gzip.decompress(name.read_bytes()), "<f8") for name in names]
    return saved(np.stack(channels, axis=1).astype(np.float32), 15_000.0, folder), None


def saved(traces: Any, sampling_frequency: float, folder: Path) -> Path:
    from xephys import save_recording
    from xephys.schema import make_recording

    save_recording(make_recording(traces, sampling_frequency=sampling_frequency), folder / "recording")
    return folder / "recording"


PROBE_B = "--stream-id 'Record Node 101#Neuropix-PXI-100.ProbeB' --reader experiment_name=experiment1"
FILES = (
    File("hippocampus, tetrode", "hc1_tetrode_gt", "--probe together", hippocampus),
    File("locust, tetrode", "locust_tetrode", "--probe together", locust),
    File("Neuralynx, 5 channels", "neuralynx_5ch", "--probe apart"),
    File("Neuralynx, as one group", "neuralynx_5ch", "--probe together"),
    File("Neuropixels, 10 contacts", "neuropixels_10ch_yass/neuropixel.bin",
         "--n-channels 10 --sampling-frequency 30000 --probe together"),
    File("Open Ephys binary, 16 channels", "openephys_cortex16/binary", "--probe tetrodes"),
    File("Open Ephys legacy, 16 channels", "openephys_cortex16/legacy", "--probe tetrodes"),
    File("Open Ephys, Neuropixels", "openephys_np_multistream", PROBE_B),
    File("Intan .rhd, 32 channels", "intan/sampledata_v1_5_32ch.rhd", "--probe apart"),
    File("Intan, a file per channel", "intan/one_file_per_channel", "--probe apart"),
    File("White Matter, 64 channels", "whitematter_64ch", "--probe apart"),
    File("BioCam, 36 electrodes", "mea/biocam_hw3.0_fw1.6.brw"),
    File("MCS, 8 equal channels", "mea/mcs_8ch_rawdata_spikes.h5", "--probe apart"),
    File("MaxTwo", "mea/maxtwo_activity_scan.raw.h5", "--stream-id well000 --reader rec_name=rec0000"),
    File("MEArec, without traces", "mearec/mearec_smaller_data.h5"),
    File("SpikeGLX, NP2 four shanks", "spikeglx/np2_4shank_real"),
    File("SpikeGLX, NP Ultra", "spikeglx/np_ultra"),
    File("SpikeGLX, NP1, 39 ms", "spikeglx/np1"),
    File("Blackrock, 1 kHz", "blackrock/l101210-001.ns2", "--probe apart"),
    File("Plexon, 1 kHz", "plexon/File_plexon_3.plx", "--probe apart"),
    File("NWB, written by a tutorial", "nwb/ecephys_tutorial_v2.5.0.nwb", "--stream-id acquisition/ElectricalSeries"),
)  # fmt: skip


def run(data: Path, *, files: tuple[File, ...] = FILES, presets: tuple[str, ...] = PRESETS) -> list[Row]:
    """Sort all files that are there."""
    rows = []
    for file in files:
        if (data / file.path).exists():
            with tempfile.TemporaryDirectory() as name:
                path, truth = (data / file.path, None) if file.prepare is None else file.prepare(data, Path(name))
                rows += [sorted_by(preset, file, path, truth, Path(name) / preset) for preset in presets]
    return rows


def sorted_by(preset: str, file: File, path: Path, truth: Any, out: Path) -> Row:
    """What the command makes of a file."""
    from xephys import open_sorting

    command = xephys_command("sort", path, "--out", out, "--preset", preset, *shlex.split(file.options))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.startswith("error: ")] or [done.stderr[-200:]]
        return Row(file, preset, refused=said[0].removeprefix("error: ").replace(f"{path}", path.name))
    sorting: Any = open_sorting(out)
    rate = float(sorting.attrs["sampling_frequency"])
    spikes, units = sorting["spikes"].dataset, sorting["units"].dataset
    keys = [spikes[name].values for name in ("unit_index", "segment_index", "sample_index")]
    trains = [keys[2][(keys[0] == unit) & (keys[1] == segment)]
              for unit in range(units.sizes["unit"]) for segment in np.unique(keys[1])]  # fmt: skip
    intervals = np.concatenate([np.diff(train) for train in trains] or [np.zeros(0)])
    violations = float((intervals < VIOLATION_MS * 1e-3 * rate).mean()) if intervals.size else 0.0
    best = None if truth is None else max((accuracy(train, truth, rate) for train in trains), default=0.0)
    n_good = int((units["label"].values == "good").sum())
    return Row(file, preset, units.sizes["unit"], n_good, spikes.sizes["spike"], violations, best)


def accuracy(train: Any, truth: Any, rate: float) -> float:
    """Accuracy of a unit at its best lag: a spike inside a cell does not peak when it does outside."""
    window = WITHIN_MS * 1e-3 * rate
    lags = np.arange(-LAG_MS_MAX, LAG_MS_MAX, WITHIN_MS / 4) * 1e-3 * rate
    hits = [sum(np.abs(train - (spike + lag)).min(initial=np.inf) <= window for spike in truth) for lag in lags]
    found = min(max(hits), len(train))
    return found / (len(train) + len(truth) - found)


def report(rows: list[Row]) -> tuple[str, ...]:
    lines = []
    for row in rows:
        options = f"`{row.file.options}`" if row.file.options else ""
        if row.refused:
            lines.append((row.file.name, options, row.preset, "–", "–", "–", "–", row.refused))
            continue
        known = "" if row.accuracy is None else f"neuron recorded from inside: accuracy {row.accuracy:.2f}"
        figures = row.n_units, row.n_good, f"{row.n_spikes:,}", f"{100 * row.violations:.1f} %"
        lines.append((row.file.name, options, row.preset, *figures, known))
    header = ("file", "options", "preset", "units", "good", "spikes", "violations", "truth, or why it is refused")
    return (
        "# Real recordings by the ordinary command",
        "`xephys sort FILE --out DIR` with these options, and nothing else. The signals of Open Ephys, Intan and MCS "
        "are test signals of their makers; several files are a second long or less, which is too short for most units. "
        f"Violations: intervals below {VIOLATION_MS:g} ms, of all intervals within units.",
        table(header, lines),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", metavar="NAME", help="files whose name contains this; writes no table")
    given = parser.parse_args()
    place = os.environ.get("XEPHYS_SHARED_DATA", "")
    if not Path(place).is_dir() or not place:
        raise SystemExit("set XEPHYS_SHARED_DATA to the folder of the recordings")
    parts = report(run(Path(place), files=tuple(file for file in FILES if given.only in file.name)))
    if given.only:
        print("\n\n".join(parts))
    else:
        write_result("real", *parts)


if __name__ == "__main__":
    main()
