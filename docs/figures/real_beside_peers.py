"""The real recordings of ``real_recordings.py`` sorted by ours and by other sorters, compared unit by unit.

    python docs/figures/real_beside_peers.py ../shared/data --peers .venv-peers/bin/python [--keep FOLDER]

The peers run in an environment of their own (``make bench`` makes it). Without a truth, agreement is all that can be
said: of two units, coincident spikes (0.4 ms) over the union of both, at the best lag within 1 ms. Figures show
averages and counts, never samples.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from real_recordings import hybrid_hippocampus, open_hippocampus, open_locust, open_np_ultra
from spikeinterface import NumpySorting

import xephys
from xephys.comparison.pair import as_spikeinterface_sorting
from xephys.plot.canvas.style import INK, MUTED, paper_style

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
from contest.coincidence import near

HERE = Path(__file__).parent
PEER = HERE.parents[1] / "benchmarks" / "contest" / "peer.py"
PEERS = ("lupin", "spykingcircus2", "tridesclous2")
LIMIT_S = 1800
SAME, AGREE_MS, LAG_MS = 0.5, 0.4, 1.0
#: The extracellular spike comes so much before the intracellular one in the hippocampal file (samples at 10 kHz).
LAG = 27
REACH = 10


def peer_sorting(sorter: str, folder: Path, python: str, rate_hz: float) -> Any:
    """What a peer finds in ``folder / "recording"``, or the reason why it finds nothing; kept in the folder."""
    out = folder / sorter
    if not (out / "sorting.npz").exists() and not (out / "failure.txt").exists():
        out.mkdir(exist_ok=True)
        command = [python, str(PEER), sorter, str(folder), str(out), "1"]
        try:
            subprocess.run(command, check=True, capture_output=True, text=True, timeout=LIMIT_S)
        except subprocess.CalledProcessError as error:
            (out / "failure.txt").write_text(error.stderr, encoding="utf-8")
        except subprocess.TimeoutExpired:
            (out / "failure.txt").write_text(f"over {LIMIT_S} s", encoding="utf-8")
    if (out / "failure.txt").exists():
        return (out / "failure.txt").read_text(encoding="utf-8").strip().splitlines()[-1]
    kept = np.load(out / "sorting.npz")
    units = np.unique(kept["unit"])
    return NumpySorting.from_samples_and_labels([kept["sample"]], [kept["unit"]], rate_hz, unit_ids=units)


def agreement(a: Any, b: Any) -> np.ndarray:
    """(unit of a, unit of b) coincident spikes over the union, at the lag of the pair that makes most coincide.

    Sorters mark a spike at its trough or at its peak, which may be half a millisecond apart.
    """
    rate_hz = float(a.sampling_frequency)
    lags, reach = (
        np.arange(-round(LAG_MS * rate_hz / 1000), round(LAG_MS * rate_hz / 1000) + 1),
        AGREE_MS * rate_hz / 1000,
    )
    scores = np.zeros((len(a.unit_ids), len(b.unit_ids)))
    for i, j in np.ndindex(*scores.shape):
        first = a.get_unit_spike_train(a.unit_ids[i], segment_index=0).astype(np.int64)
        second = b.get_unit_spike_train(b.unit_ids[j], segment_index=0).astype(np.int64)
        hits = max(min(near(first, second + k, reach).sum(), near(second + k, first, reach).sum()) for k in lags)
        scores[i, j] = hits / (len(first) + len(second) - hits)
    return scores


def unit_table(ours: xr.DataTree, others: dict[str, np.ndarray]) -> str:
    """A line for each of our units: what we say of it, and its best agreement with each peer."""
    units = ours["units"].dataset
    lines = [f"{'unit':>4s} {'label':>6s} {'spikes':>6s} {'SNR':>5s} " + " ".join(f"{name:>15s}" for name in others)]
    for u in range(units.sizes["unit"]):
        best = " ".join(f"{scores[u].max(initial=0.0):15.2f}" for scores in others.values())
        label, spikes, snr = str(units["label"].values[u]), units["num_spikes"].values[u], units["snr"].values[u]
        lines.append(f"{u:4d} {label:>6s} {spikes:6d} {snr:5.1f} {best}")
    for name, scores in others.items():
        alone = int((scores.max(axis=0, initial=0.0) < SAME).sum())
        lines.append(f"{name}: {scores.shape[1]} units, {alone} of them agree with none of ours by {SAME}")
    return "\n".join(lines)


def intracellular(sorting: Any, times: np.ndarray) -> str:
    """In which unit of a sorting the intracellular spikes are, within 1 ms of the known lag."""
    best = []
    for unit in sorting.unit_ids:
        train = sorting.get_unit_spike_train(unit, segment_index=0)
        hits = sum(bool(len(train)) and int(np.abs(train - (t - LAG)).min()) <= REACH for t in times)
        best.append((hits, len(train), unit))
    if not best:
        return "no unit"
    hits, n, unit = max(best)
    return f"unit {unit} has {hits} of {len(times)} intracellular spikes, and {n - hits} others"


def agreement_figure(title: str, matrices: dict[str, np.ndarray]) -> Any:
    """A matrix for each peer: our units from top to bottom, the peer's in the order of whom they agree with."""
    with paper_style():
        figure, axes = plt.subplots(1, len(matrices), figsize=(9.0, 3.2), squeeze=False, layout="constrained")
        for ax, (name, scores) in zip(axes[0], matrices.items(), strict=True):
            order = np.argsort(scores.argmax(axis=0) - scores.max(axis=0), kind="stable")
            image = ax.imshow(scores[:, order], vmin=0, vmax=1, cmap="Greys", aspect="auto", interpolation="none")
            ax.set(xticks=range(len(order)), yticks=range(len(scores)), xlabel=f"unit of {name}")
            ax.set_xticklabels([str(k) for k in order], fontsize=6, color=MUTED)
            for row, column in zip(*np.nonzero(scores[:, order] >= 0.1), strict=True):
                value = scores[:, order][row, column]
                shade = "white" if value > SAME else INK
                ax.text(column, row, f"{value:.2f}".lstrip("0"), ha="center", va="center", fontsize=5, color=shade)
        axes[0, 0].set_ylabel("unit of ours")
        figure.colorbar(image, ax=axes[0], label="agreement", shrink=0.8)
        figure.suptitle(title, x=0.01, ha="left", fontsize=9)
    return figure


def compare_on(name: str, title: str, recording: xr.DataArray, folder: Path, python: str, say: Any) -> dict[str, Any]:
    """Sort one recording with all, say what agrees, store the figure. Returns the sortings by name."""
    place = folder / name
    if not (place / "told.json").exists():
        place.mkdir(parents=True, exist_ok=True)
        xephys.save_recording(recording, place / "recording", format="binary", overwrite=True)
        (place / "told.json").write_text(json.dumps({"bad_channels": [], "delays": False}), encoding="utf-8")
    ours = xephys.sort(recording)
    rate_hz = float(ours.attrs["sampling_frequency"])
    sortings: dict[str, Any] = {"ours": as_spikeinterface_sorting(ours)}
    matrices = {}
    say(f"\n== {title}")
    for sorter in PEERS:
        found = peer_sorting(sorter, place, python, rate_hz)
        if isinstance(found, str):
            say(f"{sorter} finds nothing: {found}")
            continue
        sortings[sorter] = found
        matrices[sorter] = agreement(sortings["ours"], found)
    say(unit_table(ours, matrices))
    if matrices and len(sortings["ours"].unit_ids):
        agreement_figure(title, matrices).savefig(HERE / f"beside_{name}.png", dpi=110)
    return sortings


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--peers", required=True, help="the Python in whose environment the peers run")
    parser.add_argument("--keep", type=Path, help="folder in which the peers' sortings stay")
    options = parser.parse_args()

    def say(text: str) -> None:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()

    with tempfile.TemporaryDirectory() as scratch:
        folder = options.keep or Path(scratch)
        hippocampus, times = open_hippocampus(options.data)
        hybrid, spikes, is_cell = hybrid_hippocampus(options.data)
        compare_on(
            "locust", "locust antennal lobe, tetrode, 20 s", open_locust(options.data), folder, options.peers, say
        )
        sortings = compare_on("hippocampus", "rat hippocampus, tetrode, 5 s", hippocampus, folder, options.peers, say)
        for name, sorting in sortings.items():
            say(f"{name}: {intracellular(sorting, times)}")
        title = "rat hippocampus, labelled waveforms in noise, 120 s"
        sortings = compare_on("hybrid", title, hybrid, folder, options.peers, say)
        truth = NumpySorting.from_samples_and_labels([spikes], [is_cell.astype(int)], 10_000.0, unit_ids=[0, 1])
        for name, sorting in sortings.items():
            say(f"{name}\n{xephys.compare(sorting, truth, delta_ms=1.0).units.to_dataframe().T}")
        compare_on("np_ultra", "Neuropixels Ultra, 0.167 s", open_np_ultra(options.data), folder, options.peers, say)


if __name__ == "__main__":
    main()
