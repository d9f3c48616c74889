"""RT-Sort of this project on simulated recordings: accuracy offline, time to learn, drift, and latency of live blocks.

python -m benchmarks.realtime accuracy --probe neuropixels-1 --channels 384 --units 250 --duration 300
python -m benchmarks.realtime live --channels 384 --minutes 10
python -m benchmarks.realtime paced --channels 384 --duration 15 --minutes 10 --out blocks.npz

``live`` computes block after block; with ``paced`` a second thread writes a block each 5 ms, as acquisition does.
``picture --out blocks.npz --page benchmarks/results/realtime.md`` draws the file of ``paced`` and writes its figures
into the page; ``table --out runs.jsonl --page …`` writes the lines that ``accuracy`` printed, gathered in a file.
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import time
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Any

import numpy as np

import xephys
from xephys.errors import ResourceError
from xephys.realtime import RingBuffer, detect_sequences, sort_offline, stream
from xephys.simulation.sorting import truth_sorting
from xephys.testing import simulate_recording


def simulated(given: argparse.Namespace) -> Any:
    """A recording saved as int16, so that reading it costs no more than reading a real one, and its truth."""
    more: dict[str, Any] = {"drift": given.drift, "drift_um": given.drift_um} if given.drift != "none" else {}
    if given.rate is not None:
        more["sampling_frequency"] = given.rate
    if given.preset == "hard":
        more["stimulation_period_s"] = 0.0
    return simulate_recording(
        duration_s=given.duration, n_channels=given.channels, n_units=given.units, probe=given.probe,
        preset=given.preset, seed=given.seed, **more,
    )  # fmt: skip


def accuracy(given: argparse.Namespace) -> dict[str, Any]:
    """Learn and sort; how many units are found, and how long each part took."""
    recording, truth = simulated(given)
    parameters = json.loads(given.parameters)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "recording.zarr"
        xephys.save_recording(recording, path)
        recording = xephys.open_recording(path)
        began, cpu = time.monotonic(), time.process_time()
        sequences = detect_sequences(recording, folder=folder, **parameters)
        learned, learned_cpu = time.monotonic() - began, time.process_time() - cpu
        stored = sum(f.stat().st_size for f in Path(folder).rglob("chunk_*.npy"))
        began, cpu = time.monotonic(), time.process_time()
        sorting = sort_offline(recording, sequences, folder=folder)
        sorted_s = time.monotonic() - began
        found = xephys.compare(sorting, truth_sorting(recording, truth))
        best = np.sort(found.units["accuracy"].values)[::-1]
    return {
        "units": sequences.sizes["sequence"], "true": given.units, "at least 0.8": int((best >= 0.8).sum()),
        "at least 0.5": int((best >= 0.5).sum()), "mean": round(float(best.mean()), 3), "learn s": round(learned, 1),
        "learn cpu s": round(learned_cpu, 1), "assign s": round(sorted_s, 1), "MB on disk": round(stored / 1e6, 1),
        "peak GB": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 2),
        "log": json.loads(sequences.attrs["log"]),
    }  # fmt: skip


def live(given: argparse.Namespace) -> dict[str, Any]:
    """Computation per block of 5 ms, and whether the spikes are those found offline."""
    recording, _ = simulated(given)
    rate = float(recording.attrs["sampling_frequency"])
    samples = recording.values
    sequences = detect_sequences(recording)
    running = stream(sequences)
    size = round(0.005 * rate)
    blocks = [samples[start : start + size] for start in range(0, len(samples), size)]
    for block in blocks[:40]:
        running.push(block)
    running.reset()
    wall, cpu, found = [], [], []
    n_blocks = round(given.minutes * 60 / 0.005)
    for number in range(n_blocks):
        block = blocks[number % len(blocks)]
        began, began_cpu = time.perf_counter(), time.thread_time()
        spikes = running.push(block)
        wall.append(time.perf_counter() - began)
        cpu.append(time.thread_time() - began_cpu)
        if number < len(blocks):
            found.append(spikes)
    ms = {"wall": np.array(wall) * 1e3, "cpu": np.array(cpu) * 1e3}
    if given.out:
        np.savez_compressed(given.out, **{name: values.astype(np.float32) for name, values in ms.items()})
    offline = sort_offline(recording, sequences)["spikes"]["sample_index"].values
    mine = np.sort(np.concatenate(found)["sample_index"])
    both = min(offline.max(), mine.max()) - 1000
    return {
        "sequences": sequences.sizes["sequence"], "blocks": n_blocks,
        **{
            f"{name} p50 p99 p99.9 max ms": [round(float(v), 3) for v in (*np.percentile(of, [50, 99, 99.9]), of.max())]
            for name, of in ms.items()
        },
        "identical to offline": bool(np.array_equal(offline[offline < both], mine[mine < both])),
        "latency ms": round(running.latency_samples / rate * 1e3, 2),
    }  # fmt: skip


def paced(given: argparse.Namespace) -> dict[str, Any]:
    """Blocks that another thread writes every 5 ms: time from a block to its spikes, and whether all are read."""
    recording, _ = simulated(given)
    rate = float(recording.attrs["sampling_frequency"])
    samples = recording.values
    sequences = detect_sequences(recording)
    running, size = stream(sequences), round(0.005 * rate)
    blocks = [samples[start : start + size] for start in range(0, len(samples) - size + 1, size)]
    for block in blocks[:40]:
        running.push(block)
    running.reset()
    n_blocks = round(given.minutes * 60 / 0.005)
    written, wall, cpu = (np.zeros(n_blocks) for _ in range(3))
    buffer = RingBuffer(n_samples=round(given.buffer_s * rate), n_channels=given.channels)
    began = time.perf_counter() + 0.1

    def acquire() -> None:
        for number in range(n_blocks):
            time.sleep(max(0.0, began + 0.005 * number - time.perf_counter()))
            written[number] = time.perf_counter()
            buffer.write(blocks[number % len(blocks)])
        buffer.close()

    thread = Thread(target=acquire)
    thread.start()
    n_read, n_spikes = 0, 0
    with suppress(ResourceError):  # blocks that were overwritten before they were read: the rest counts as lost
        for block in buffer.blocks(size):
            before = time.thread_time()
            n_spikes += len(running.push(block))
            cpu[n_read] = time.thread_time() - before
            wall[n_read] = time.perf_counter() - written[n_read]
            n_read += 1
    thread.join()
    ms = {"wall": wall[:n_read] * 1e3, "cpu": cpu[:n_read] * 1e3}
    about = {"channels": given.channels, "sequences": sequences.sizes["sequence"], "blocks": n_blocks, "read": n_read}
    if given.out:
        stored = {name: values.astype(np.float32) for name, values in ms.items()}
        np.savez_compressed(given.out, **stored, about=np.array(json.dumps(about)))
    return {
        **about, "spikes": n_spikes,
        **{
            f"{name} p50 p99 p99.9 max ms": [round(float(v), 3) for v in (*np.percentile(of, [50, 99, 99.9]), of.max())]
            for name, of in ms.items()
        },
        "longest delay of a writer's block ms": round(float(np.diff(written).max() * 1e3), 2),
    }  # fmt: skip


def picture(given: argparse.Namespace) -> dict[str, Any]:
    """Histogram of the computation per block, beside the file of ``live`` or ``paced``, whose figures go to a page."""
    import matplotlib.pyplot as plt

    with np.load(given.out) as stored:
        ms = {name: stored[name] for name in ("cpu", "wall")}
        about = json.loads(str(stored["about"])) if "about" in stored else {}
    fig, ax = plt.subplots(figsize=(6, 3), layout="constrained")
    bins = np.linspace(0, 10, 201)
    for name, text in (("cpu", "CPU time"), ("wall", "wall time")):
        p99 = np.percentile(ms[name], 99)
        ax.hist(np.clip(ms[name], 0, 10), bins, histtype="step", label=f"{text}: 99 of 100 within {p99:.2f} ms")
    ax.axvline(5, color="0.6", lw=1, ls="--")
    ax.set(yscale="log", xlabel="computation per block of 5 ms (ms; longer ones at 10)", ylabel="blocks")
    ax.legend(fontsize="small")
    path = Path(given.out).with_suffix(".png")
    fig.savefig(path, dpi=120)
    if given.page:
        fig.savefig(Path(given.page).parent / "realtime_blocks.png", dpi=120)
        write_into(Path(given.page), "live", live_table(ms, about))
    plt.close(fig)
    return {"blocks": len(ms["cpu"]), "picture": str(path)}


def live_table(ms: dict[str, Any], about: dict[str, Any]) -> str:
    """What the page says of a file of ``paced``."""
    lines = [
        f"A second thread writes a block of {about['channels']} channels every 5 ms, as acquisition does, and this one "
        f"sorts it by {about['sequences']} sequences: {about['blocks']:,} blocks ({about['blocks'] * 0.005 / 60:.1f} "
        f"minutes), of which {about['blocks'] - about['read']} were lost.",
        "",
        "| per block, ms | median | 99 of 100 | 999 of 1000 | longest |",
        "|---|---|---|---|---|",
    ]
    for name, text in (("cpu", "CPU time"), ("wall", "from the block's last sample to its spikes")):
        p50, p99, p999 = np.percentile(ms[name].astype(float), [50, 99, 99.9])
        lines.append(f"| {text} | {p50:.2f} | **{p99:.2f}** | {p999:.2f} | {ms[name].max():.1f} |")
    return "\n".join(lines) + "\n"


def write_into(page: Path, mark: str, lines: str) -> None:
    """Replace what stands between two marks of a page."""
    marked = re.compile(rf"(<!-- {mark} -->\n).*?(<!-- end -->)", re.DOTALL)
    text = page.read_text(encoding="utf-8")
    page.write_text(marked.sub(lambda found: found[1] + lines + found[2], text), encoding="utf-8")


def table(given: argparse.Namespace) -> dict[str, Any]:
    """Write the lines of ``accuracy`` as a table, a row for each kind of recording."""
    runs = [json.loads(line) for line in Path(given.out).read_text(encoding="utf-8").splitlines() if line]
    lines = runs_table(runs)
    if given.page:
        write_into(Path(given.page), "accuracy", lines)
    return {"runs": len(runs)}


#: Columns of which the mean over seeds is shown.
_AVERAGED = ("mean", "units", "learn cpu s", "MB on disk")


def runs_table(runs: list[dict[str, Any]]) -> str:
    """Rows by kind of recording, in the order of their first runs; numbers are means over the seeds."""
    kinds: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for run in runs:
        kinds.setdefault(
            tuple(run[k] for k in ("probe", "preset", "channels", "true", "duration", "drift")), []
        ).append(run)
    lines = [
        "| recording | seeds | found, by seed | mean accuracy | sequences | learning, CPU s | of the duration | MB of "
        "detections an hour | GB at most |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for (probe, preset, channels, true, duration, drift), own in kinds.items():
        moving = "" if drift == "none" else f", tissue moves ({drift}, {own[0]['drift_um']:g} µm)"
        name = f"{probe}, `{preset}`, {channels:,} channels, {true} units, {duration:g} s{moving}"
        mean = {key: float(np.mean([run[key] for run in own])) for key in _AVERAGED}
        seeds, found = (", ".join(str(run[key]) for run in own) for key in ("seed", "at least 0.8"))
        lines.append(
            f"| {name} | {seeds} | {found} of {true} | {mean['mean']:.3f} | {mean['units']:.0f} "
            f"| {mean['learn cpu s']:.1f} | {mean['learn cpu s'] / duration:.2f} "
            f"| {mean['MB on disk'] * 3600 / duration:.0f} | {max(run['peak GB'] for run in own):.1f} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("accuracy", "live", "paced", "picture", "table"))
    parser.add_argument("--probe", default="neuropixels-1")
    parser.add_argument("--preset", default="easy")
    parser.add_argument("--channels", type=int, default=384)
    parser.add_argument("--units", type=int, default=250)
    parser.add_argument("--duration", type=float, default=300.0)
    parser.add_argument("--rate", type=float)
    parser.add_argument("--drift", default="none")
    parser.add_argument("--drift-um", type=float, default=20.0)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--parameters", default="{}")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--buffer-s", type=float, default=1.0, help="what the buffer of paced blocks holds")
    parser.add_argument("--out")
    parser.add_argument("--page", help="page of results whose table is written")
    given = parser.parse_args()
    print(json.dumps({**vars(given), **globals()[given.what](given)}), flush=True)


if __name__ == "__main__":
    main()
