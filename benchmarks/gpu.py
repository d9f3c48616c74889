"""The passes of a sort on a GPU against the CPU, in the same run.

    python benchmarks/gpu.py [--quick] [--require] [--recording FOLDER] [--duration-s 60] [--rounds 3]

The input is raw int16 samples; the output sums, events or a sorting. The CPU runs one task per core; the GPU runs one
task at a time while three others read ahead. The stages of a tile are also timed one by one, each until the device has
finished. Without a CUDA device nothing is measured or written; with ``--require`` that is an error.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from harness import in_turn, median_ratio, our_chain, recording_on_disk, table, write_result


@dataclass(frozen=True)
class Row:
    """Seconds per second of recording, and the share of events that both found."""

    name: str
    cpu: list[float]
    gpu: list[float]
    n_events: int
    same: float

    @property
    def ratio(self) -> float:
        return median_ratio(self.cpu, self.gpu)


@dataclass(frozen=True)
class Result:
    """All rows; ``difference`` is the largest difference of a second of white traces, in units of their RMS."""

    duration_s: float
    n_channels: int
    n_units: int
    device: str
    n_cores: int
    difference: float
    device_bytes: int
    rows: list[Row] = field(default_factory=list)
    stages: list[tuple[str, float]] = field(default_factory=list)


def run(
    quick: bool = False,
    *,
    device: str = "cuda",
    recording: Path | None = None,
    duration_s: float = 60.0,
    rounds: int = 3,
) -> Result:
    """Time both; ``quick`` is small enough for a test, ``recording`` the folder of an existing one."""
    import dask

    import xephys
    from xephys.kernels.lib.dispatch import namespace_of_device

    n_channels, n_units = 384, 150
    if quick:
        duration_s, n_channels, n_units, rounds = 6.0, 16, 4, 1
    xp = namespace_of_device(device)
    n_cores = len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as folder:
        if recording is None:
            here, _ = recording_on_disk(Path(folder), duration_s=duration_s, n_channels=n_channels, n_units=n_units)
        else:
            here = xephys.open_recording(recording)
            here = here.isel(time=slice(0, round(duration_s * here.attrs["sampling_frequency"])))
        n_channels = here.sizes["channel"]
        there = xephys.to_device(here, device)
        white_here = our_chain(xephys.to_uv(here))
        white_there = _same_steps(there, white_here)
        second = {"time": slice(0, round(float(here.attrs["sampling_frequency"])))}
        parts = [white.isel(second).values for white in (white_here, white_there)]
        difference = float(np.abs(parts[0] - parts[1]).max() / parts[0].std())
        steps, plans = passes(here, there, white_here, white_there)
        stages = [item for plan in plans for item in by_stage(plan, xp)]
        rows = []
        for name, on_cpu, on_gpu, keys in steps:

            def cpu(call: Callable[[], Any] = on_cpu) -> Any:
                with dask.config.set(scheduler="threads", num_workers=n_cores):
                    return call()

            def gpu(call: Callable[[], Any] = on_gpu) -> Any:
                with dask.config.set(scheduler="threads", num_workers=4):
                    return call()

            found = [keys(call()) for call in (cpu, gpu)]  # compiles
            same = len(np.intersect1d(*found)) / max(1, *map(len, found))
            times = [[t / duration_s for t in taken] for taken in in_turn([cpu, gpu], rounds=rounds)]
            rows.append(Row(name, *times, len(found[0]), same))
            print(rows[-1], flush=True)
        peak = device_bytes(xp)
        return Result(duration_s, n_channels, n_units, device_name(xp), n_cores, difference, peak, rows, stages)


def by_stage(plan: Any, xp: Any, *, repeats: int = 5) -> list[tuple[str, float]]:
    """Milliseconds that each stage of a plan takes for the second tile: the median over the repeats."""
    from xephys.graph.run import Program, _bound, visible_arrays

    program = Program.of(plan)
    calls = _bound(program, visible_arrays(plan))
    tile = program.tile_samples
    trace_calls = [(step, call) for step, call in calls if step.emits == "traces"]
    event_calls = calls[len(trace_calls) :]
    before = max((step.before for step, _ in event_calls), default=0)
    after = max((step.after for step, _ in event_calls), default=0)
    lead, tail = (sum(getattr(step, side) for step, _ in trace_calls) for side in ("before", "after"))
    samples = np.ascontiguousarray(plan.source.read(tile - lead - before, 2 * tile + tail + after))
    taken: dict[str, list[float]] = {}

    def timed(name: str, call: Callable[[], Any]) -> Any:
        begin = time.perf_counter()
        result = call()
        if hasattr(xp, "cuda"):
            xp.cuda.Device().synchronize()
        taken.setdefault(name, []).append(1e3 * (time.perf_counter() - begin))
        return result

    for _ in range(repeats + 2):
        traces, found = samples, None
        for step, call in trace_calls:
            traces = timed(
                step.func.__name__,
                lambda step=step, call=call, given=traces: call(given, before=step.before, after=step.after),
            )
        for step, call in event_calls:
            view = traces[before - step.before : len(traces) - (after - step.after)]
            given = (view,) if found is None else (view, found)
            keywords = {"before": step.before, "after": step.after, "start": tile}
            found = timed(
                step.func.__name__, lambda call=call, given=given, keywords=keywords: call(*given, **keywords)
            )
        timed("to the host", found.get if hasattr(found, "get") else lambda: None)
    return [(name, float(np.median(times[2:]))) for name, times in taken.items()]


def _same_steps(there: Any, white_here: Any) -> Any:
    """The chain of `our_chain` on a device, with the whitening that was estimated on the host."""
    from harness import BAND_HZ, ORDER

    import xephys
    from xephys.recording.stages import extend_recording, recording_plan

    filtered = xephys.bandpass_filter(xephys.to_uv(there), freq_min_hz=BAND_HZ[0], freq_max_hz=BAND_HZ[1], order=ORDER)
    referenced = xephys.common_reference(filtered, reference="global", operator="median")
    white = extend_recording(referenced, recording_plan(white_here).stages[-1], units="noise")
    white.attrs["history"] = white_here.attrs["history"]  # a stage does not know the operation that it comes from
    return white


def passes(here: Any, there: Any, white_here: Any, white_there: Any) -> tuple[list[Any], list[Any]]:
    """Name, CPU work, GPU work and key of comparison of each pass; and the plans whose stages are timed."""
    import xephys
    from xephys.recording.kept import keep_recording, on_their_device
    from xephys.recording.stages import recording_plan
    from xephys.sorter.steps.passes import WHITE_STEP

    levels = xephys.estimate_noise_levels(white_here)
    peaks = [xephys.detect_peaks(white, noise_levels=levels) for white in (white_here, white_there)]
    components = xephys.learn_components(white_here, peaks[0], n_components=3)
    features = [
        xephys.project_peaks(white, xephys.localize_peaks(white, own), components=components)
        for white, own in zip((white_here, white_there), peaks, strict=True)
    ]
    sorting = xephys.sort(here)
    spikes = np.zeros(sorting["spikes"].sizes["spike"], [("sample_index", "i8"), ("unit_index", "i8")])
    for name in spikes.dtype.names:
        spikes[name] = sorting["spikes"][name].values
    peak_channels = sorting["units"]["channel_index"].values
    templates = xephys.estimate_templates(white_here, spikes, peak_channels=peak_channels)
    kept = [
        on_their_device(keep_recording(white, step=WHITE_STEP, folder=None, place="memory"))
        for white in (white_here, white_there)
    ]
    kept_peaks = [xephys.detect_peaks(white, noise_levels=levels) for white in kept]
    matches = [xephys.match_templates(white, templates=templates, match_threshold=5.0) for white in kept]
    cleaned = [
        xephys.match_templates(white, templates=templates, match_threshold=5.0, components=components) for white in kept
    ]
    few = spikes[:: max(1, len(spikes) // 100)]

    def sums(white: Any) -> Any:
        return xephys.estimate_templates(white, few, peak_channels=peak_channels, n_nearest=4)

    def key(records: Any, name: str) -> Any:
        return records["sample_index"].astype(np.int64) * 10_000 + records[name]

    def sorted_key(tree: Any) -> Any:
        return key({n: tree["spikes"][n].values for n in ("sample_index", "unit_index")}, "unit_index")

    device = recording_plan(there).device
    plans = [features[1].plan, cleaned[1].plan]
    steps = [
        (
            "scale, band-pass, median reference, whitening (out: the sum of 100 waveforms)",
            lambda: sums(white_here),
            lambda: sums(white_there),
            lambda templates: np.concatenate(
                [10_000 * unit + np.arange(n) for unit, n in enumerate(templates["num_averaged"].values)]
            ),
        ),
        ("… detection", peaks[0].compute, peaks[1].compute, lambda records: key(records, "channel_index")),
        ("… localization, projection", features[0].compute, features[1].compute, lambda r: key(r, "channel_index")),
        ("kept traces: detection", *(p.compute for p in kept_peaks), lambda records: key(records, "channel_index")),
        ("kept traces: template matching", *(m.compute for m in matches), lambda records: key(records, "unit_index")),
        ("… with cleaned features", *(m.compute for m in cleaned), lambda records: key(records, "unit_index")),
        ("the whole sort", lambda: xephys.sort(here), lambda: xephys.sort(here, device=device), sorted_key),
    ]
    return steps, plans


def device_name(xp: Any) -> str:
    """The name that the device reports."""
    with suppress(AttributeError):
        return str(xp.cuda.runtime.getDeviceProperties(0)["name"].decode())
    return type(xp).__name__


def device_bytes(xp: Any) -> int:
    """Bytes that CuPy has allocated on the device; it keeps them for reuse, so this is the peak."""
    with suppress(AttributeError):
        return int(xp.get_default_memory_pool().total_bytes())
    return 0


def report(result: Result) -> tuple[str, ...]:
    def ms(times: list[float]) -> str:
        return f"{1e3 * float(np.median(times)):.0f}"

    rows = [
        (row.name, ms(row.cpu), ms(row.gpu), f"**{row.ratio:.1f}**", f"{row.n_events:,}", f"{100 * row.same:.3f} %")
        for row in result.rows
    ]
    return (
        "# A sort on a GPU",
        f"{result.n_channels} channels, {result.n_units} units, {result.duration_s:g} s at 30 kHz from an int16 file; "
        f"milliseconds per second of recording, median of {len(result.rows[0].cpu)} rounds made in turn. CPU: "
        f"{result.n_cores} tasks at a time; GPU: one, on {result.device}. Clustering runs on the CPU in both.",
        table(["", "CPU", "GPU", "ratio", "events", "the same"], rows),
        "The stages of one tile of a second, each awaited: "
        + ", ".join(f"{name} {ms:.2f} ms" for name, ms in result.stages)
        + ".",
        f"The white traces of a second differ by at most {result.difference:.1e} of their RMS. "
        f"{result.device_bytes / 2**20:.0f} MiB of the device's memory were taken.",
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="16 channels, six seconds, one round; writes no table")
    parser.add_argument("--require", action="store_true", help="fail where there is no CUDA device")
    parser.add_argument("--recording", type=Path, help="folder of a recording; simulated if absent")
    parser.add_argument("--duration-s", type=float, default=60.0)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    from xephys.errors import ParameterError
    from xephys.kernels.lib.dispatch import namespace_of_device

    try:
        namespace_of_device("cuda")
    except ParameterError as absent:
        if given.require:
            raise SystemExit(str(absent)) from absent
        print(f"not measured: {absent}")
        return
    parts = report(run(quick=given.quick, recording=given.recording, duration_s=given.duration_s, rounds=given.rounds))
    if given.quick or given.recording:
        print("\n\n".join(parts))
    else:
        write_result("gpu", *parts)


if __name__ == "__main__":
    main()
