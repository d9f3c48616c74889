"""``xephys export``: write a sorting as the files of another system."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from ...checks import check_choice
from ...errors import ParameterError
from ..console import console
from ..options import Debug, FreqMin, Overwrite, Settings
from ..reading import Reading, with_reading

if TYPE_CHECKING:
    import xarray as xr


class Exporter(NamedTuple):
    """One row of the table: the function (module within the package, and name) and what it needs.

    ``recording`` says which traces the function gets: ``"raw"``, as they are in the file; ``"filtered"``, as they were
    analyzed; or ``""``, none. ``extensions`` are computed first if a recording is given and the sorting lacks them.
    """

    function: str
    recording: str = ""
    extensions: tuple[str, ...] = ()


_TEMPLATES = ("templates", "spike_amplitudes", "unit_locations")
#: The exporters by the names that ``--to`` accepts.
EXPORTERS = {
    "phy": Exporter(
        "io.export.phy:export_phy",
        "raw",
        (*_TEMPLATES, "principal_components", "template_similarity", "quality_metrics"),
    ),
    "kilosort": Exporter("cli.commands.export:write_kilosort", "raw"),
    "nwb": Exporter("io.export.nwb:export_nwb", "filtered", (*_TEMPLATES, "quality_metrics")),
    "alf": Exporter("io.export.alf:export_alf", "filtered", (*_TEMPLATES, "spike_locations", "quality_metrics")),
    "cell-explorer": Exporter(
        "io.export.cell_explorer:export_cell_explorer", "filtered", (*_TEMPLATES, "quality_metrics")
    ),
    "pynapple-npz": Exporter("io.export.pynapple:export_pynapple", "", ("quality_metrics",)),
    "analyzer": Exporter(
        "cli.commands.export:write_analyzer",
        "filtered",
        (*_TEMPLATES, "waveforms", "principal_components", "template_similarity", "correlograms", "quality_metrics"),
    ),
    "report": Exporter(
        "plot.report.folder:export_report",
        "filtered",
        (*_TEMPLATES, "waveforms", "spike_locations", "correlograms", "isi_histograms", "quality_metrics"),
    ),
    "npz": Exporter("io.export.arrays:export_npz", "filtered"),
    "mat": Exporter("io.export.arrays:export_mat", "filtered"),
}


@with_reading
def export(
    sorting: Annotated[Path, typer.Argument(metavar="SORTING", help="A sorting, or the folder of xephys sort.")],
    to: Annotated[str, typer.Option("--to", metavar="|".join(EXPORTERS), help="What to write.")],
    out: Annotated[Path, typer.Option("--out", metavar="PATH", help="The file or folder to write.")],
    recordings: Annotated[
        list[Path],
        typer.Option(
            "--recording",
            metavar="PATH",
            help="What was sorted, for waveforms and metrics; can be repeated: several are segments.",
        ),
    ] = [],  # noqa: B006 - Typer reads the default and never changes it
    settings: Settings = [],  # noqa: B006
    freq_min_hz: FreqMin = 300.0,
    *,
    reading: Reading,
    overwrite: Overwrite = False,
    debug: Debug = False,
) -> None:
    """Write a sorting as files of phy, Kilosort, NWB, ALF, CellExplorer, pynapple, SpikeInterface or MATLAB.

    If a recording is given, the templates, features and metrics that the files can hold are computed first, unless the
    sorting already has them. --set passes arguments to the function, such as session_start=2026-11-27T10:30 for NWB.
    """
    write_export(
        sorting,
        to,
        out,
        recordings=recordings,
        settings=settings,
        freq_min_hz=freq_min_hz,
        reading=reading,
        overwrite=overwrite,
    )


def write_export(
    sorting: Path,
    to: str,
    out: Path,
    *,
    recordings: list[Path],
    settings: list[str],
    freq_min_hz: float,
    reading: Reading,
    overwrite: bool,
) -> None:
    """Open a sorting and what was sorted, analyze what the exporter of this name needs, and write it."""
    from ...io.store.atomic import check_output
    from ..paths import filtered, find_sorting, open_segments
    from ..settings import literal, split_settings

    check_choice("--to", to, EXPORTERS)
    row = EXPORTERS[to]
    check_output(out, overwrite=overwrite)
    tree = find_sorting(sorting, trust=reading["trust"])
    given = {key: literal(text) for key, text in split_settings(settings).items()}
    if recordings:
        raw = open_segments(recordings, **reading)
        clean = filtered(raw, freq_min_hz=freq_min_hz)
        tree = _analyzed(tree, clean, row.extensions)
        if row.recording:
            given["recording"] = raw if row.recording == "raw" else clean
    _call(row, tree, out, {**given, "overwrite": overwrite})
    console().print(f"{to}: {out}")


def _analyzed(tree: xr.DataTree, recording: Any, extensions: tuple[str, ...]) -> xr.DataTree:
    from ...analysis.run import analyze

    return analyze(tree, recording, extensions) if extensions and tree["units"].sizes["unit"] else tree


def _call(row: Exporter, tree: xr.DataTree, out: Path, arguments: dict[str, Any]) -> None:
    from inspect import signature

    module, _, name = row.function.partition(":")
    function = getattr(import_module(f"...{module}", __package__), name)
    known = signature(function).parameters
    unknown = [key for key in arguments if key not in known]
    if unknown:
        raise ParameterError(f"{name} has no argument {unknown[0]!r}; it has {', '.join(list(known)[2:])}")
    for key, parameter in known.items():
        if parameter.kind is parameter.KEYWORD_ONLY and parameter.default is parameter.empty and key not in arguments:
            option = "--recording PATH" if key == "recording" else f"--set {key}=VALUE"
            raise ParameterError(f"{name} needs {key}; give it as {option}")
    function(tree, out, **arguments)


def write_kilosort(
    sorting: xr.DataTree,
    folder: Path,
    *,
    recording: Any = None,
    nearest_chans: int = 10,
    pictures: bool = True,
    overwrite: bool = False,
) -> None:
    """:func:`xephys.export_kilosort`, with the whitened traces of the recording if one is given."""
    from ...io.export.kilosort import export_kilosort
    from ...sorter.steps.reuse import whiten_like

    white = None if recording is None or "learned" not in sorting.children else whiten_like(recording, learned=sorting)
    export_kilosort(
        sorting,
        folder,
        recording=recording,
        whitened=white,
        nearest_chans=nearest_chans,
        pictures=pictures,
        overwrite=overwrite,
    )


def write_analyzer(sorting: xr.DataTree, folder: Path, *, recording: Any, overwrite: bool = False) -> None:
    """:func:`xephys.to_spikeinterface_analyzer` as a folder, or as a Zarr store if the name ends in ``.zarr``."""
    from ...io.bridge.analyzer import to_spikeinterface_analyzer

    format = "zarr" if folder.suffix == ".zarr" else "binary_folder"
    to_spikeinterface_analyzer(sorting, recording, format=format, folder=folder, overwrite=overwrite)
