"""``xephys track`` and ``xephys track-add``: follow neurons over the sortings of several sessions."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...errors import ParameterError
from ..console import console
from ..options import Debug, Overwrite, Trust
from ..spoken import wrong_value

if TYPE_CHECKING:
    import xarray as xr

#: Names of the store and the table in a folder of tracks.
STORE, TABLE = "tracks.zarr", "units.csv"


def track(
    sortings: Annotated[
        list[Path], typer.Argument(metavar="SORTING", help="One sorting per session, in order of time.")
    ],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the tracks and a table of all units.")],
    names: Annotated[
        list[str], typer.Option("--name", metavar="NAME", help="Name of a session, once for each (folder names).")
    ] = [],  # noqa: B006 - Typer reads the default and never changes it
    preset: Annotated[
        str, typer.Option("--preset", help="How units are joined: default, by probability; or dant, by clusters.")
    ] = "default",
    motion_model: Annotated[
        str, typer.Option("--motion-model", help="Motion between sessions: rigid, linear or smooth in depth.")
    ] = "linear",
    strictness: Annotated[
        str, typer.Option("--strictness", help="How strictly units are joined: liberal, intermediate or conservative.")
    ] = "intermediate",
    probability_min: Annotated[
        float, typer.Option("--probability-min", help="Pairs with a smaller probability do not join tracks.")
    ] = 0.5,
    trust: Trust = False,
    overwrite: Overwrite = False,
    debug: Debug = False,
) -> None:
    """Follow neurons over the sortings of several sessions."""
    from ...track.track import track_units
    from ..paths import find_sorting

    if names and len(names) != len(sortings):
        raise ParameterError(f"--name is given {len(names)} times for {len(sortings)} sessions; give it once for each")
    sessions = [find_sorting(path, trust=trust) for path in sortings]
    tracks = track_units(
        sessions,
        names=names or _names_of(sortings),
        preset=preset,
        motion_model=motion_model,
        strictness=strictness,
        probability_min=probability_min,
    )
    write_tracks(tracks, out, overwrite=overwrite)


def track_add(
    tracks: Annotated[Path, typer.Argument(metavar="TRACKS", help="Folder of xephys track.")],
    sorting: Annotated[Path, typer.Argument(metavar="SORTING", help="The sorting of one more session.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the tracks and a table of all units.")],
    name: Annotated[str | None, typer.Option("--name", help="Name of the session (folder name).")] = None,
    trust: Trust = False,
    overwrite: Overwrite = False,
    debug: Debug = False,
) -> None:
    """Follow known tracks into one more session; the numbers of the tracks stay the same."""
    from ...io.store.tracks import open_tracks
    from ...track.add import add_session
    from ..paths import find_sorting

    known = open_tracks(tracks)
    session = find_sorting(sorting, trust=trust)
    with nullcontext() if name is None else wrong_value(f"--name {name}"):
        added = add_session(known, session, name=name or _names_of([sorting])[0])
    write_tracks(added, out, overwrite=overwrite)


def _names_of(paths: list[Path]) -> list[str]:
    """Names of the folders; equal names are numbered."""
    names = [path.absolute().name for path in paths]
    return [name if names.count(name) == 1 else f"{name}-{k}" for k, name in enumerate(names)]


def write_tracks(tracks: xr.DataTree, out: Path, *, overwrite: bool) -> None:
    """Write the folder of tracks, and say what is in it."""
    from ...io.store.atomic import whole_or_absent
    from ...io.store.tracks import save_tracks

    table = tracks["units"].to_dataset().to_dataframe()
    table["session"] = [tracks.attrs["sessions"][k] for k in table["session"]]
    with whole_or_absent(out, overwrite=overwrite) as hidden:
        hidden.mkdir()
        save_tracks(tracks, hidden / STORE)
        table[["session", "unit_id", "track", "shank", "x", "y", "y_registered", "amplitude", "n_spikes"]].to_csv(
            hidden / TABLE, index=False
        )
    found = tracks["tracks"].to_dataset()
    several = int((found["n_units"] > 1).sum())
    console().print(
        f"{len(table)} units of {len(tracks.attrs['sessions'])} sessions: {several} tracks over several of them, "
        f"{found.sizes['track'] - several} units without a partner"
    )
    unknown = (~tracks["motion"]["known"].values).any(axis=0)
    for session in [name for name, is_unknown in zip(tracks.attrs["sessions"], unknown, strict=True) if is_unknown]:
        console().print(f"session {session}: motion of the tissue unknown, because too few units have a partner")
    console().print(f"tracks: {out}")
