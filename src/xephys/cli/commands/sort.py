"""``xephys sort``: sort a recording, after checking everything that can be refused before the work starts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ...sorter.presets import DEFAULT_PRESET, PRESETS
from ..console import console
from ..folders import PHY_NAME, SORTING_NAME, check_result_folder, sort_bytes, work_folder
from ..options import ChunkDuration, Debug, Out, Overwrite, RecordingPaths, Settings
from ..reading import Reading, with_reading
from ..settings import split_settings


@with_reading
def sort(
    paths: RecordingPaths,
    out: Out,
    preset: Annotated[str, typer.Option("--preset", metavar="|".join(PRESETS), help="Which sorter.")] = DEFAULT_PRESET,
    settings: Settings = [],  # noqa: B006 - Typer reads it and never changes it
    learned: Annotated[
        Path | None,
        typer.Option("--learned", metavar="DIR", help="Use the templates, and so the units, of an earlier sort."),
    ] = None,
    learn_s: Annotated[
        float | None,
        typer.Option(
            "--learn-s", metavar="SECONDS", help="Learn from excerpts of this total length; match everywhere."
        ),
    ] = None,
    preprocess: Annotated[
        Path | None,
        typer.Option("--preprocess", metavar="STEPS", help="Apply the steps of a TOML or JSON file first."),
    ] = None,
    *,
    reading: Reading,
    device: Annotated[str, typer.Option("--device", help="cpu, or cuda: a GPU through CuPy.")] = "cpu",
    scheduler: Annotated[
        str, typer.Option("--scheduler", metavar="threads|ADDRESS", help="Threads, or the address of a Dask scheduler.")
    ] = "threads",
    cache: Annotated[
        str,
        typer.Option(
            "--cache",
            metavar="auto|memory|disk|none",
            help="Where white traces are kept between passes; the spikes are the same.",
        ),
    ] = "auto",
    chunk_duration_s: ChunkDuration = 2.0,
    kilosort_files: Annotated[
        bool,
        typer.Option(
            "--kilosort-files",
            help="Fill DIR/phy with every file that Kilosort4 writes, principal components included (one more pass).",
        ),
    ] = False,
    discard_work: Annotated[
        bool,
        typer.Option(
            "--discard-work",
            help="Remove DIR/.work when the results are whole; while it exists, another run repeats only what changed.",
        ),
    ] = False,
    overwrite: Overwrite = False,
    debug: Debug = False,
) -> None:
    """Sort the spikes of a recording. DIR gets sorting.zarr and phy/; a stopped run is resumed.

    Several segments or paths, with the same channels, are sorted jointly: units are shared, and each spike knows its
    segment. After a change of late parameters, only the stages that depend on them run again.
    """
    from ...checks import check_choice
    from ...graph.keep.traces import PLACES
    from ...io.store.atomic import check_room
    from ...kernels.lib.dispatch import namespace_of_device
    from ...pipeline.steps import apply_pipeline, make_pipeline
    from ...sorter.presets import find_preset, read_parameters
    from ...sorter.segments import join_segments
    from ...sorter.steps.reuse import parameters_with
    from ..heap import share_one_heap
    from ..paths import find_learned, open_segments

    share_one_heap()
    given = split_settings(settings)
    earlier = None if learned is None else find_learned(learned)
    parameters = read_parameters(preset, given) if earlier is None else parameters_with(earlier, given, preset=preset)
    sorter = find_preset(preset)
    sorter.check_use(device=device, learn_s=learn_s)
    check_choice("device", device, ("cpu", "cuda"))
    check_choice("cache", cache, PLACES)
    if device != "cpu":
        namespace_of_device(device)
    pipeline = make_pipeline(preprocess or [])
    check_result_folder(out, (SORTING_NAME, PHY_NAME), overwrite=overwrite)
    opened = open_segments(paths, chunk_duration_s=chunk_duration_s, **reading)
    opened = apply_pipeline(opened, pipeline)
    recording = join_segments(opened)
    sorter.check_recording(recording, parameters)
    duration_s = recording.sizes["time"] / float(recording.attrs["sampling_frequency"])
    check_room(out, n_bytes=sort_bytes(recording.sizes["channel"], duration_s))

    from ...graph.scheduler import connect
    from ...io.store.sorting import save_sorting
    from ...sorter.progress import shown_progress
    from ...sorter.rehearse import compiling_ahead
    from ...sorter.run import expected_passes, sort_with
    from ...sorter.segments import sorting_of_segments

    exports_features = kilosort_files or "kilosort" in sorter.exports
    n_passes = expected_passes(parameters, learned=earlier, learn_s=learn_s) + exports_features
    with (
        connect(scheduler),
        compiling_ahead(),
        work_folder(out, discard=discard_work) as work,
        shown_progress(console(stderr=True).is_terminal, n_passes=n_passes) as progress,
    ):
        joint = sort_with(
            recording, sorter, parameters, learned=earlier, learn_s=learn_s, device=device, folder=work, cache=cache,
            progress=progress,
        )  # fmt: skip
        sorting = sorting_of_segments(joint, opened, recording)
        save_sorting(sorting, out / SORTING_NAME, overwrite=True)
        if exports_features and sorting["units"].sizes["unit"]:
            # Its files have one time axis, along which segments follow each other.
            _export_features(joint, out, recording, keeps_features="kilosort" in sorter.exports, progress=progress)
        else:
            from ...io.export.phy import export_phy

            export_phy(sorting, out / PHY_NAME, recording=opened, overwrite=True)
    _print_sorting(sorting, out)


def _export_features(joint: Any, out: Path, recording: Any, *, keeps_features: bool, progress: Any) -> None:
    """Write every file of Kilosort; features that the sorting does not keep are computed."""
    from ...io.export.kilosort import export_kilosort
    from ...sorter.steps.reuse import whiten_like

    export_kilosort(
        joint,
        out / PHY_NAME,
        recording=recording,
        whitened=None if keeps_features else whiten_like(recording, learned=joint),
        progress=None if progress is None else lambda done, total: progress("features", done, total),
        overwrite=True,
    )


def _print_sorting(sorting: Any, out: Path) -> None:
    labels = sorting["units"]["label"].values.astype(str)
    kinds = ", ".join(f"{int((labels == kind).sum())} {kind}" for kind in ("good", "mua", "noise"))
    screen = console()
    screen.print(f"{len(labels)} units ({kinds}), {sorting['spikes'].sizes['spike']:,} spikes")
    if not len(labels):
        screen.print(
            "no units: too few spikes cross detect_threshold; the recording is silent, short, or needs a lower one"
        )
    screen.print(f"{out / SORTING_NAME}\n{out / PHY_NAME}")
