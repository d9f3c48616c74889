"""Everything after a sort, against SpikeInterface's analyzer in the same run.

    python benchmarks/analysis.py [--quick]

128 channels for 300 s with 60 units from one int16 file: every extension and every metric of both sides, except the
metric of single pairs ``nn_advanced``, for the same spikes, channels and number of waveforms. Each side is a process of
its own on two cores and analyzes two seconds first, so that compilation is not timed. SpikeInterface is tried with one
worker, two processes and two threads on an excerpt, with each thread's own heap and with one for all, and timed with
the fastest. Last come 300 waveforms of each of 400 units on 1,000 channels, beside one read per spike, as stored and
through a filter.
"""

import argparse
import json
import resource
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from harness import Process, recording_on_disk, run_process, table, write_result

#: Our extensions; the others follow from them.
OURS = [
    "noise_levels", "waveforms", "templates", "spike_amplitudes", "spike_locations", "amplitude_scalings",
    "unit_locations", "template_similarity", "correlograms", "auto_correlograms", "acgs_3d", "isi_histograms",
    "principal_components", "template_metrics", "quality_metrics", "valid_unit_periods",
]  # fmt: skip
#: Theirs, in an order in which they can be computed together.
THEIRS = {
    "random_spikes": {}, "waveforms": {}, "templates": {}, "noise_levels": {}, "spike_amplitudes": {},
    "spike_locations": {}, "amplitude_scalings": {}, "unit_locations": {}, "template_similarity": {},
    "correlograms": {}, "auto_correlograms": {}, "acgs_3d": {}, "isi_histograms": {}, "principal_components": {},
    "template_metrics": {"include_multi_channel_metrics": True}, "quality_metrics": {},
    "valid_unit_periods": {},
}  # fmt: skip
#: Length of the excerpt on which SpikeInterface is tried, and its ways to use two cores.
EXCERPT_S = 30.0
WAYS: dict[str, dict[str, Any]] = {
    "one worker": {"n_jobs": 1},
    "two processes": {"n_jobs": 2, "pool_engine": "process"},
    "two threads": {"n_jobs": 2, "pool_engine": "thread"},
    "one worker, one heap": {"n_jobs": 1},
    "two threads, one heap": {"n_jobs": 2, "pool_engine": "thread"},
}
#: One heap for all threads, as the command line's own processes have it (``xephys.cli.heap``); the peer is tried with
#: it too.
ONE_HEAP = {
    "MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_MAX_": "0", "MALLOC_TOP_PAD_": str(256 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(1 << 30),
}  # fmt: skip
#: How many spikes are read one by one; the time of all follows.
READS = 300
#: Columns that follow from the spikes alone and have to be equal.
EQUAL = (
    "num_spikes", "firing_rate", "presence_ratio", "isi_violations_count", "rp_violations", "sliding_rp_violation",
    "sync_spike_2", "firing_range",
)  # fmt: skip


@dataclass(frozen=True)
class Result:
    """Cost of both sides' processes, how often the samples were read, the large case, and how well both agree."""

    duration_s: float
    n_channels: int
    n_units: int
    ours: Process
    theirs: Process
    tried: dict[str, float]
    passes: int
    seconds: tuple[float, float]
    cpu_s: tuple[float, float]
    best: str
    unequal: list[str]
    many: Process
    many_what: str

    @property
    def ratio(self) -> float:
        return self.seconds[1] / self.seconds[0]


def run(quick: bool = False, *, with_peer: bool = True) -> Result:
    """Time both sides; ``quick`` is small enough for a test, and fast also without the peer."""
    duration_s, n_channels, n_units = (6.0, 16, 4) if quick else (300.0, 128, 60)
    many = (20, 64, 30, 3.0) if quick else (400, 1000, 300, 30.0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        recording_on_disk(folder, duration_s=duration_s, n_channels=n_channels, n_units=n_units, seed=10)
        arguments = json.dumps({"duration_s": duration_s, "n_channels": n_channels, "n_units": n_units, "seed": 10})
        excerpt_s = min(duration_s, EXCERPT_S)
        if not quick:
            _side("ours", folder, arguments, "", excerpt_s)  # compiles; the first seconds do not need every kernel
        ours, mine = _side("ours", folder, arguments, "", duration_s)
        large, said = _side("many", folder, json.dumps(many), "", 0.0)
        ways = () if quick or not with_peer else WAYS
        tried = {way: _side("theirs", folder, arguments, way, excerpt_s)[1]["seconds"] for way in ways}
        best = min(tried, key=lambda way: tried[way]) if tried else "one worker"
        theirs, peer = _side("theirs", folder, arguments, best, duration_s) if with_peer else (ours, mine)
        unequal = [
            column for column in EQUAL
            if not np.allclose(mine["metrics"][column], peer["metrics"][column], equal_nan=True)
        ]  # fmt: skip
    return Result(
        duration_s, n_channels, n_units, ours, theirs, tried, mine["passes"], (mine["seconds"], peer["seconds"]),
        (mine["cpu_s"], peer["cpu_s"]), best, unequal, large,
        f"{many[2]} waveforms of each of {many[0]} units on {many[1]:,} channels: {said['what']}",
    )  # fmt: skip


def _side(side: str, folder: Path, arguments: str, way: str, duration_s: float) -> tuple[Process, Any]:
    """Run one side in a process of its own and parse the JSON that it prints last."""
    command = [sys.executable, __file__, "--side", side, str(folder), arguments, way, str(duration_s)]
    process = run_process(command, **(ONE_HEAP if side != "theirs" or way.endswith("one heap") else {}))
    said = json.loads(process.output.strip().splitlines()[-1])
    told = {name: value for name, value in said.items() if name != "metrics"}
    print(side, way, duration_s, told, process[:3], file=sys.stderr, flush=True)
    return process, said


def _cpu_s() -> float:
    """CPU time of this process and of its children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def _truth(arguments: dict[str, Any], recording: Any, duration_s: float) -> Any:
    """The true sorting of the recording, or of its first seconds."""
    from xephys.sorting import build_sorting
    from xephys.testing import simulate_recording

    _, truth = simulate_recording(**arguments)
    stop = int(duration_s * 30_000)
    spikes = truth.spikes[(truth.spikes["sample_index"] < stop)]
    return build_sorting(
        recording,
        spikes={"sample_index": spikes["sample_index"], "unit_index": spikes["unit_index"]},
        units={"label": np.full(len(truth.peak_channels), "good"), "channel_index": truth.peak_channels},
        templates=truth.templates,
        nbefore=truth.nbefore,
    )


def ours(folder: Path, arguments: dict[str, Any], way: str, duration_s: float) -> dict[str, Any]:
    """Every extension and metric in one pass over the recording."""
    import time

    import xephys
    from xephys.analysis import reading
    from xephys.analysis import run as module

    recording = xephys.open_recording(folder / "recording")
    sorting = _truth(arguments, recording, duration_s)
    short = xephys.time_slice(recording, start_s=0.0, stop_s=2.0)
    first = sorting["spikes"]["sample_index"].values < 60_000
    warm = _truth(arguments, recording, 2.0) if first.any() else sorting
    xephys.analyze(warm, short, OURS)
    passes = []
    original = reading.read_spikes
    module.read_spikes = lambda *given: (passes.append(1), original(*given))[1]
    begin, used = time.perf_counter(), _cpu_s()
    analyzed = xephys.analyze(sorting, recording, OURS)
    taken, cpu_s = time.perf_counter() - begin, _cpu_s() - used
    metrics = {column: analyzed["analysis/quality_metrics"][column].values.tolist() for column in EQUAL}
    return {"seconds": taken, "cpu_s": cpu_s, "passes": len(passes), "metrics": metrics}


def theirs(folder: Path, arguments: dict[str, Any], way: str, duration_s: float) -> dict[str, Any]:
    """The analyzer with the same spikes and channels, kept on disk, which two workers need for waveforms."""
    import time
    import warnings

    import spikeinterface.full as si

    import xephys

    warnings.simplefilter("ignore")
    recording = si.load(folder / "recording")
    recording = recording.frame_slice(0, int(duration_s * recording.sampling_frequency))
    tree = _truth(arguments, xephys.open_recording(folder / "recording"), duration_s)
    sorting = xephys.to_spikeinterface(tree)
    jobs = {**WAYS[way], "chunk_duration": "1s", "progress_bar": False}

    def analyzed(seconds: float, **where: Any) -> Any:
        stop = int(seconds * recording.sampling_frequency)
        analyzer = si.create_sorting_analyzer(
            sorting.frame_slice(0, stop), recording.frame_slice(0, stop),
            main_channel_indices=tree["units"]["channel_index"].values,
            sparsity_kwargs={"method": "radius", "radius_um": 100.0}, return_in_uV=True, **where,
        )  # fmt: skip
        analyzer.compute(THEIRS, verbose=False, **jobs)
        return analyzer

    analyzed(min(duration_s, 2.0))
    begin, used = time.perf_counter(), _cpu_s()
    place = folder / f"analyzer_{way.replace(' ', '_')}_{duration_s:g}"
    analyzer = analyzed(duration_s, format="binary_folder", folder=place)
    taken, cpu_s = time.perf_counter() - begin, _cpu_s() - used
    metrics = analyzer.get_extension("quality_metrics").get_data()
    return {
        "seconds": taken,
        "cpu_s": cpu_s,
        "metrics": {column: metrics[column].astype(float).tolist() for column in EQUAL},
    }


def many(folder: Path, given: tuple[int, int, int, float], way: str, duration_s: float) -> dict[str, Any]:
    """Waveforms of many units of a wide recording, chunk by chunk, and their templates."""
    import time

    import xephys
    from xephys.sorting import build_sorting

    n_units, n_channels, n_waveforms, length_s = given
    n_samples = int(length_s * 30_000)
    rng = np.random.default_rng(0)
    file = folder / "wide.raw"
    with file.open("wb") as out:
        for _ in range(0, n_samples, 30_000):
            rng.integers(-50, 50, (30_000, n_channels), dtype=np.int16).tofile(out)
    columns = np.arange(n_channels)
    recording = xephys.open_recording(
        file, sampling_frequency=30_000.0, n_channels=n_channels, dtype="int16", gain_to_uv=0.2
    ).assign_coords(x=("channel", columns % 4 * 16.0), y=("channel", columns // 4 * 20.0))
    sorting = build_sorting(
        recording,
        spikes={
            "sample_index": rng.integers(0, n_samples, n_units * n_waveforms),
            "unit_index": np.repeat(np.arange(n_units), n_waveforms),
        },
        units={"label": np.full(n_units, "good"), "channel_index": rng.integers(0, n_channels, n_units)},
    )
    said = []
    for name, traces in (("as stored", recording), ("through a band-pass", xephys.bandpass_filter(recording))):
        xephys.extract_waveforms(sorting, traces)[0].data.blocks[0].compute()  # compiles
        begin = time.perf_counter()
        lazy, channels = xephys.extract_waveforms(sorting, traces, n_spikes_max=n_waveforms)
        total = 0
        for number in range(lazy.n_chunks):
            total += len(lazy.data.blocks[number].compute())
        taken = time.perf_counter() - begin
        alone = total * _seconds_per_read(file, sorting, channels.values, filtered=traces is not recording)
        said.append(
            f"{name}, {total:,} waveforms on up to {channels.sizes['slot']} channels one chunk at a time in "
            f"{taken:.1f} s, {alone / taken:.1f} × faster than a read per spike ({alone:.0f} s, from {READS} of them)"
        )
    analyzed = xephys.analyze(sorting, recording, ["templates"], n_spikes_max=n_waveforms)
    averaged = int(analyzed["analysis/templates"]["num_averaged"].values.sum())
    return {"what": f"{'; '.join(said)}; templates of {averaged:,} in a pass of their own"}


def _seconds_per_read(file: Path, sorting: Any, channels: Any, *, filtered: bool) -> float:
    """Seconds of one read per spike, through SpikeInterface's filter if the traces are filtered."""
    import time

    import spikeinterface.full as si

    n_channels = int(channels.max()) + 1
    recording = si.read_binary(file, 30_000.0, "int16", n_channels, gain_to_uV=0.2, offset_to_uV=0.0)
    if filtered:
        recording = si.bandpass_filter(recording, dtype="float32")
    spikes = np.linspace(0, sorting["spikes"].sizes["spike"] - 1, READS).astype(int)
    samples = sorting["spikes"]["sample_index"].values[spikes]
    owners = sorting["spikes"]["unit_index"].values[spikes]
    begin = time.perf_counter()
    for sample, unit in zip(samples.tolist(), owners.tolist(), strict=True):
        names = recording.channel_ids[channels[unit][channels[unit] >= 0]]
        recording.get_traces(
            start_frame=max(0, sample - 30), end_frame=sample + 60, channel_ids=names, return_in_uV=True
        )
    return (time.perf_counter() - begin) / READS


SIDES = {"ours": ours, "theirs": theirs, "many": many}


def report(result: Result) -> tuple[str, ...]:
    """The page with the results."""

    def row(name: str, process: Process, seconds: float, cpu_s: float) -> tuple[str, ...]:
        return name, f"{seconds:.1f}", f"{cpu_s:.1f}", f"{process.peak_bytes / 2**30:.2f}"

    rows = [
        row("xephys", result.ours, result.seconds[0], result.cpu_s[0]),
        row(f"SpikeInterface, {result.best}", result.theirs, result.seconds[1], result.cpu_s[1]),
        ("ratio", f"**{result.ratio:.1f}**", f"{result.cpu_s[1] / result.cpu_s[0]:.1f}", ""),
    ]
    tried = ", ".join(f"{way} {seconds:.1f} s" for way, seconds in result.tried.items())
    agreement = "equal" if not result.unequal else f"equal but for {', '.join(result.unequal)}"
    return (
        "# Everything after a sort",
        f"{result.n_channels} channels, {result.duration_s:g} s, {result.n_units} units with their true spikes, from "
        "an int16 file: waveforms, templates, amplitudes, locations, scales, correlograms, similarity, components, "
        "template metrics, valid periods and all quality metrics but nn_advanced.",
        table(["", "seconds", "CPU seconds", "peak GiB"], rows),
        f"xephys read the recording {result.passes} time{'s' * (result.passes != 1)}. Columns that follow from spike "
        f"times are {agreement}. The seconds are those of the analysis; memory is that of the whole process, "
        "with imports and the making of the sorting. xephys has one heap for all threads, as its commands do.",
        *([f"SpikeInterface on {EXCERPT_S:g} s: {tried}."] if tried else []),
        f"{result.many_what}; peak {result.many.peak_bytes / 2**30:.2f} GiB.",
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="16 channels, six seconds; writes no table")
    parser.add_argument("--side", nargs=5, metavar=("NAME", "FOLDER", "JSON", "WAY", "SECONDS"), help="one process")
    given = parser.parse_args()
    if given.side:
        name, folder, arguments, way, duration_s = given.side
        print(json.dumps(SIDES[name](Path(folder), json.loads(arguments), way, float(duration_s))))
        return
    parts = report(run(quick=given.quick))
    if given.quick:
        print("\n\n".join(parts))
    else:
        write_result("analysis", *parts)


if __name__ == "__main__":
    main()
