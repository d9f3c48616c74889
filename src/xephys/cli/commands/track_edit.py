"""``xephys track-curate`` and ``xephys track-export``: correct tracks by hand, and write them for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...errors import ParameterError
from ..console import console
from ..options import Debug, Overwrite, Trust
from ..spoken import wrong_value
from .track import write_tracks

if TYPE_CHECKING:
    import xarray as xr

Tracks = Annotated[Path, typer.Argument(metavar="TRACKS", help="Folder of xephys track.")]


def track_curate(
    tracks: Tracks,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the corrected tracks.")],
    merge: Annotated[
        list[str], typer.Option("--merge", metavar="TRACK,TRACK", help="Join two tracks; can be repeated.")
    ] = [],  # noqa: B006 - Typer reads the default and never changes it
    split: Annotated[
        list[str],
        typer.Option("--split", metavar="TRACK:ROW,...", help="Split rows of units.csv (from 0) off; can be repeated."),
    ] = [],  # noqa: B006 - as above
    reject: Annotated[
        list[int], typer.Option("--reject", metavar="TRACK", help="Mark a track as rejected; can be repeated.")
    ] = [],  # noqa: B006 - as above
    undo: Annotated[int, typer.Option("--undo", help="Number of corrections to take back first, from the last.")] = 0,
    reason: Annotated[str, typer.Option("--reason", help="Kept in the log with each correction.")] = "",
    overwrite: Overwrite = False,
    debug: Debug = False,
) -> None:
    """Merge, split and reject tracks, in this order; the reasons are kept with the tracks."""
    from ...io.store.tracks import open_tracks
    from ...track.curate import merge_tracks, reject_track, split_track, undo_track_curation

    known = open_tracks(tracks)
    if undo < 0:
        raise ParameterError(f"--undo is {undo}; give how many corrections to take back")
    with wrong_value(f"--undo {undo}"):
        for _ in range(undo):
            known = undo_track_curation(known)
    for text in merge:
        first, second = _numbers(text, "--merge", n=2)
        with wrong_value(f"--merge {text}"):
            known = merge_tracks(known, first, second, reason=reason)
    for text in split:
        track, _, rows = text.partition(":")
        with wrong_value(f"--split {text}"):
            known = split_track(known, _numbers(track, "--split", n=1)[0], _numbers(rows, "--split"), reason=reason)
    for track_id in reject:
        with wrong_value(f"--reject {track_id}"):
            known = reject_track(known, track_id, reason=reason)
    write_tracks(known, out, overwrite=overwrite)


def track_export(
    tracks: Tracks,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the tables or pages.")],
    sessions: Annotated[
        list[Path],
        typer.Option("--session", metavar="SORTING", help="A tracked sorting, once for each: pages instead of tables."),
    ] = [],  # noqa: B006 - as above
    trust: Trust = False,
    overwrite: Overwrite = False,
    debug: Debug = False,
) -> None:
    """Write tables of units, tracks, pairs and labels; or, with the sortings, a page with a figure of every track."""
    from ...io.export.tracks import export_tracks
    from ...io.store.tracks import open_tracks

    known = open_tracks(tracks)
    if sessions:
        _write_pages(known, sessions, out, trust=trust, overwrite=overwrite)
    else:
        export_tracks(known, out, overwrite=overwrite)
    console().print(f"{'pages' if sessions else 'tables'}: {out}")


def _write_pages(known: xr.DataTree, sessions: list[Path], out: Path, *, trust: bool, overwrite: bool) -> None:
    import matplotlib

    from ...plot.report.tracks import export_track_pages
    from ..paths import find_sorting

    matplotlib.use("Agg")
    export_track_pages(known, [find_sorting(path, trust=trust) for path in sessions], out, overwrite=overwrite)


def _numbers(text: str, option: str, *, n: int | None = None) -> list[int]:
    """Whole numbers separated by commas."""
    parts = text.split(",")
    if not all(part.strip().isdigit() for part in parts) or (n is not None and len(parts) != n):
        raise ParameterError(
            f"{option} {text!r}: give {'numbers' if n is None else n} separated by commas, such as --merge 3,7 or "
            "--split 3:12,15"
        )
    return [int(part) for part in parts]
