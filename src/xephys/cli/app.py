"""The command line: sort, info, simulate, compare. Everything that can be refused is refused before work starts."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from ..errors import ParameterError
from ..sorter.presets import DEFAULT_PRESET
from . import console as ui

app = typer.Typer(
    name="xephys",
    help="Spike sorting as a lazy dataflow on chunked, labelled arrays.",
    epilog=ui.STATUS_HELP,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

RecordingPath = Annotated[
    Path, typer.Argument(metavar="PATH", help="A recording: a file or a folder of any known format.")
]
Out = Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder of the results.")]
Settings = Annotated[list[str], typer.Option("--set", metavar="KEY=VALUE", help="Set one parameter; can be repeated.")]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace results that are there, once the new ones are whole.")
]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error, and all warnings.")]

ProbeFile = Annotated[Path | None, typer.Option("--probe", metavar="FILE", help="ProbeInterface JSON (or .prb) file.")]
StreamId = Annotated[str | None, typer.Option("--stream-id", help="Which stream, where a file holds several.")]
Segment = Annotated[
    int | None, typer.Option("--segment", help="Which segment, where a recording has several (from 0).")
]
Channels = Annotated[int | None, typer.Option("--n-channels", help="Channels of a raw binary file.")]
Rate = Annotated[float | None, typer.Option("--sampling-frequency", help="Rate of a raw binary file, in hertz.")]
SampleType = Annotated[str | None, typer.Option("--dtype", help="Type of a sample of a raw binary file (int16).")]
ReaderOptions = Annotated[
    list[str],
    typer.Option(
        "--reader",
        metavar="KEY=VALUE",
        help="Any other argument of open_recording, or of the format's reader; can be repeated.",
    ),
]
Gain = Annotated[float | None, typer.Option("--gain-to-uv", help="Microvolts per count.")]
Trust = Annotated[
    bool, typer.Option("--trust", help="Open files even if that runs code of whoever wrote them (pickles).")
]
ChunkDuration = Annotated[float, typer.Option("--chunk-duration-s", help="Seconds that one task works on.")]


@app.command()
@ui.reported
def sort(
    path: RecordingPath,
    out: Out,
    preset: Annotated[str, typer.Option("--preset", help="Which sorter.")] = DEFAULT_PRESET,
    settings: Settings = [],  # noqa: B006 - Typer reads it and never changes it
    learned: Annotated[
        Path | None,
        typer.Option(
            "--learned", metavar="DIR", help="Use the templates of an earlier sort; units are those of that one."
        ),
    ] = None,
    learn_s: Annotated[
        float | None,
        typer.Option(
            "--learn-s", metavar="SECONDS", help="Learn from excerpts of this total length; match everywhere."
        ),
    ] = None,
    probe: ProbeFile = None,
    stream_id: StreamId = None,
    segment: Segment = None,
    n_channels: Channels = None,
    sampling_frequency: Rate = None,
    dtype: SampleType = None,
    gain_to_uv: Gain = None,
    reader: ReaderOptions = [],  # noqa: B006 - Typer reads it and never changes it
    trust: Trust = False,
    device: Annotated[str, typer.Option("--device", help="cpu, or cuda: a GPU through CuPy.")] = "cpu",
    scheduler: Annotated[
        str, typer.Option("--scheduler", metavar="threads|ADDRESS", help="Threads, or the address of a Dask scheduler.")
    ] = "threads",
    cache: Annotated[
        str,
        typer.Option(
            "--cache", metavar="auto|memory|disk|none", help="Where white traces are kept between passes; same spikes."
        ),
    ] = "auto",
    chunk_duration_s: ChunkDuration = 2.0,
    kilosort_files: Annotated[
        bool,
        typer.Option(
            "--kilosort-files",
            help="Fill DIR/phy with every file that Kilosort4 writes, principal components included (one pass more).",
        ),
    ] = False,
    discard_work: Annotated[
        bool,
        typer.Option(
            "--discard-work",
            help="Remove DIR/.work when the results are whole; with it there, another run repeats only what changed.",
        ),
    ] = False,
    overwrite: Overwrite = False,
    debug: Debug = False,
) -> None:
    """Sort the spikes of a recording. DIR gets sorting.zarr and phy/; a stopped run goes on where it was.

    With other late parameters only the stages after them run again.
    """
    from ..checks import check_choice
    from ..graph.kept import PLACES
    from ..io.store.atomic import check_room
    from ..kernels.lib.dispatch import namespace_of_device
    from ..sorter.presets import find_preset, read_parameters
    from ..sorter.steps.reuse import parameters_with
    from .heap import share_one_heap
    from .paths import find_learned, one_segment

    share_one_heap()
    given = ui.split_settings(settings)
    earlier = None if learned is None else find_learned(learned)
    parameters = read_parameters(preset, given) if earlier is None else parameters_with(earlier, given, preset=preset)
    sorter = find_preset(preset)
    sorter.check_use(device=device, learn_s=learn_s)
    check_choice("device", device, ("cpu", "cuda"))
    check_choice("cache", cache, PLACES)
    if device != "cpu":
        namespace_of_device(device)
    ui.check_result_folder(out, (ui.SORTING_NAME, ui.PHY_NAME), overwrite=overwrite)
    recording = one_segment(
        path,
        segment=segment,
        probe=probe,
        stream_id=stream_id,
        n_channels=n_channels,
        sampling_frequency=sampling_frequency,
        dtype=dtype,
        gain_to_uv=gain_to_uv,
        trust=trust,
        chunk_duration_s=chunk_duration_s,
        **ui.reader_options(reader),
    )
    sorter.check_recording(recording, parameters)
    duration_s = recording.sizes["time"] / float(recording.attrs["sampling_frequency"])
    check_room(out, n_bytes=ui.sort_bytes(recording.sizes["channel"], duration_s))

    from ..graph.scheduler import connect
    from ..io.export.kilosort import export_kilosort
    from ..io.export.phy import export_phy
    from ..io.store.sorting import save_sorting
    from ..sorter.run import sort_with
    from ..sorter.steps.reuse import whiten_like

    with connect(scheduler), ui.work_folder(out, discard=discard_work) as work, ui.progress_bar() as progress:
        sorting = sort_with(
            recording,
            sorter,
            parameters,
            learned=earlier,
            learn_s=learn_s,
            device=device,
            folder=work,
            cache=cache,
            progress=progress,
        )
        save_sorting(sorting, out / ui.SORTING_NAME, overwrite=True)
        keeps_features = "kilosort" in sorter.exports
        if (kilosort_files or keeps_features) and sorting["units"].sizes["unit"]:
            export_kilosort(
                sorting,
                out / ui.PHY_NAME,
                recording=recording,
                whitened=None if keeps_features else whiten_like(recording, learned=sorting),
                progress=lambda done, total: progress("features", done, total),
                overwrite=True,
            )
        else:
            export_phy(sorting, out / ui.PHY_NAME, recording=recording, overwrite=True)
    _print_sorting(sorting, out)


@app.command()
@ui.reported
def info(
    path: RecordingPath,
    probe: ProbeFile = None,
    stream_id: StreamId = None,
    segment: Segment = None,
    n_channels: Channels = None,
    sampling_frequency: Rate = None,
    dtype: SampleType = None,
    gain_to_uv: Gain = None,
    reader: ReaderOptions = [],  # noqa: B006 - Typer reads it and never changes it
    trust: Trust = False,
    debug: Debug = False,
) -> None:
    """Say what a recording holds; reads headers only."""
    from ..io.read.open import open_recording
    from ..recording.facts import recording_facts
    from ..recording.segments import segments_of

    opened = open_recording(
        path,
        probe=probe,
        stream_id=stream_id,
        segment=segment,
        n_channels=n_channels,
        sampling_frequency=sampling_frequency,
        dtype=dtype,
        gain_to_uv=gain_to_uv,
        trust=trust,
        **ui.reader_options(reader),
    )
    pieces = segments_of(opened)
    for number, piece in enumerate(pieces):
        if len(pieces) > 1:
            ui.console().print(f"[bold]segment {number}[/]")
        _print_facts(recording_facts(piece))


@app.command()
@ui.reported
def simulate(
    out: Out,
    preset: Annotated[str, typer.Option("--preset", help="easy, or hard: like a real recording.")] = "easy",
    duration_s: Annotated[float, typer.Option("--duration-s", help="Length in seconds.")] = 60.0,
    n_channels: Annotated[int, typer.Option("--n-channels", help="Channels of the probe.")] = 32,
    n_units: Annotated[
        int | None, typer.Option("--n-units", help="Units to be found; follows the channels if absent.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Everything random follows from it.")] = 0,
    settings: Settings = [],  # noqa: B006 - Typer reads it and never changes it
    file_format: Annotated[str, typer.Option("--format", help="binary or zarr.")] = "binary",
    overwrite: Overwrite = False,
    debug: Debug = False,
) -> None:
    """Write a simulated recording and its truth. DIR gets recording/ (or recording.zarr) and truth.zarr."""
    from ..checks import check_choice

    check_choice("--format", file_format, ("binary", "zarr"))
    name = "recording" if file_format == "binary" else "recording.zarr"
    given = {key: _literal(value) for key, value in ui.split_settings(settings).items()}
    ui.check_result_folder(out, (name, "truth.zarr"), overwrite=overwrite)

    from ..io.store.save import save_recording
    from ..io.store.sorting import save_sorting
    from ..simulation.sorting import truth_sorting
    from ..testing import simulate_recording

    recording, truth = simulate_recording(
        duration_s=duration_s, n_channels=n_channels, n_units=n_units, preset=preset, seed=seed, **given
    )
    with ui.console(stderr=True).status("writing the recording"):
        save_recording(recording, out / name, format=file_format, overwrite=overwrite)
        save_sorting(truth_sorting(recording, truth), out / "truth.zarr", overwrite=overwrite)
        truth.write_score_files(out)
    screen = ui.console()
    screen.print(f"{out / name}: {n_channels} channels, {duration_s:g} s")
    screen.print(f"{out / 'truth.zarr'}: {truth.n_units} units, {len(truth.spikes)} spikes")


@app.command()
@ui.reported
def compare(
    tested: Annotated[Path, typer.Argument(metavar="TESTED", help="A sorting, or the folder of xephys sort.")],
    truth: Annotated[Path, typer.Argument(metavar="TRUTH", help="The true sorting, or the folder of xephys simulate.")],
    delta_ms: Annotated[
        float, typer.Option("--delta-ms", help="Largest distance of two spikes that are the same.")
    ] = 0.4,
    figure: Annotated[
        Path | None, typer.Option("--figure", metavar="FILE", help="Also draw a report (PNG, PDF or SVG).")
    ] = None,
    trust: Trust = False,
    overwrite: Overwrite = False,
    debug: Debug = False,
) -> None:
    """Compare a sorting with the truth, unit by unit."""
    from ..comparison.pair import compare as run_compare
    from ..io.store.atomic import check_output, whole_or_absent
    from .paths import find_sorting

    if figure is not None:
        if figure.suffix not in (".png", ".pdf", ".svg"):
            raise ParameterError(f"--figure {figure} is no .png, .pdf or .svg file; choose one of these")
        check_output(figure, overwrite=overwrite)
    sortings = [find_sorting(tested, trust=trust), find_sorting(truth, truth=True, trust=trust)]
    result = run_compare(*sortings, delta_ms=delta_ms)
    _print_comparison(result)
    if figure is not None:
        from ..plot.report import plot_report

        drawn = plot_report(sortings[0], comparison=result)
        with whole_or_absent(figure, overwrite=overwrite) as hidden:
            drawn.savefig(hidden, format=figure.suffix[1:])
        ui.console().print(f"figure: {figure}")


def _literal(text: str) -> Any:
    """A number, a tuple or a name, as it would be written in Python."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def _print_facts(facts: list[tuple[str, str]]) -> None:
    width = max(len(name) for name, _ in facts)
    for name, text in facts:
        ui.console().print(f"[bold]{name:<{width}}[/]  {escape(text)}")


def _print_sorting(sorting: Any, out: Path) -> None:
    labels = sorting["units"]["label"].values.astype(str)
    kinds = ", ".join(f"{int((labels == kind).sum())} {kind}" for kind in ("good", "mua", "noise"))
    screen = ui.console()
    screen.print(f"{len(labels)} units ({kinds}), {sorting['spikes'].sizes['spike']:,} spikes")
    if not len(labels):
        screen.print(
            "no units: too few spikes cross detect_threshold; the recording is silent, short, or needs a lower one"
        )
    screen.print(f"{out / ui.SORTING_NAME}\n{out / ui.PHY_NAME}")


def _print_comparison(result: Any) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for heading in ("true unit", "found as", "accuracy", "recall", "precision", "spikes", "found", "missed", "false"):
        table.add_column(heading, justify="right")
    units = result.units
    counts = ("num_truth", "num_matched", "num_missed", "num_false")
    for k, unit in enumerate(units.truth_unit.values):
        scores = [f"{float(units[name][k]):.3f}" for name in ("accuracy", "recall", "precision")]
        table.add_row(
            str(unit), str(units["match"].values[k]) or "–", *scores, *(str(int(units[name][k])) for name in counts)
        )
    screen = ui.console()
    screen.print(table)
    s = result.summary
    screen.print(
        f"\nmean accuracy {s['accuracy']:.3f}, recall {s['recall']:.3f}, precision {s['precision']:.3f} of all true "
        f"units; precision {s['precision_matched']:.3f} of the {s['num_matched_units']} matched\n"
        f"{s['num_truth_units']} true and {s['num_tested_units']} tested units: "
        f"{s['num_well_detected']} well detected, {s['num_redundant']} redundant, {s['num_overmerged']} overmerged, "
        f"{s['num_false_positive']} false positive"
    )


def main() -> None:
    """Entry point of the command ``xephys``."""
    app()
