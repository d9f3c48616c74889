"""Write a folder with a page of tracks: each neuron over its sessions, to be looked through in a browser."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import Any

import numpy as np
import xarray as xr

from ...checks import check_positive
from ...errors import ParameterError
from ...io.store.atomic import whole_or_absent
from ...io.store.tracks import checked
from ...typing import PathLike
from ..track.motion import plot_track_motion
from ..track.presence import plot_presence
from ..track.survival import plot_survival
from ..track.track import plot_track
from .folder import STYLE, drawn


def export_track_pages(
    tracks: xr.DataTree,
    sessions: Sequence[xr.DataTree | xr.Dataset],
    folder: PathLike,
    *,
    n_units_min: int = 2,
    n_tracks_max: int = 200,
    dpi: float = 110.0,
    overwrite: bool = False,
) -> None:
    """Write ``index.html`` with a table of the tracks, and the figures of each in ``figures``.

    Parameters
    ----------
    tracks
        From :func:`xephys.track_units`.
    sessions
        The sessions that were tracked, in the same order.
    folder
        The folder to write.
    n_units_min
        Fewest units of a track with a figure of its own.
    n_tracks_max
        Largest number of such tracks: those with the most units.
    dpi
        Resolution of the figures, in dots per inch.
    overwrite
        Replace an existing folder once the new one is complete.

    Raises
    ------
    ParameterError
        If the sessions are not those that were tracked.
    TypeError
        If these are not tracks.
    OutputError
        If the folder exists and ``overwrite`` is false.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from xephys import track_units
    >>> from xephys.testing import simulate_sessions
    >>> sessions, _ = simulate_sessions(n_sessions=2, n_neurons=8, n_channels=32, dropout=0.0, seed=1)
    >>> with tempfile.TemporaryDirectory() as place:
    ...     export_track_pages(track_units(sessions), sessions, place + "/pages", n_tracks_max=1)
    ...     sorted(path.name for path in Path(place + "/pages").iterdir())
    ['figures', 'index.html']
    """
    checked(tracks)
    check_positive(n_units_min=n_units_min, n_tracks_max=n_tracks_max, dpi=dpi)
    names = [str(name) for name in tracks.attrs["sessions"]]
    if len(sessions) != len(names):
        raise ParameterError(f"{len(sessions)} sessions for tracks of {len(names)}; give those that were tracked")
    table = tracks["tracks"].to_dataset()
    shown = np.flatnonzero(table["n_units"].values >= n_units_min)
    shown = shown[np.argsort(-table["n_units"].values[shown], kind="stable")][:n_tracks_max]
    chosen = np.sort(table["track"].values[shown]).tolist()
    overview: dict[str, Callable[[], Any]] = {
        "presence": lambda: plot_presence(tracks),
        "motion": lambda: plot_track_motion(tracks),
        "survival": lambda: plot_survival(tracks),
    }
    with whole_or_absent(folder, overwrite=overwrite) as hidden:
        figures = hidden / "figures"
        figures.mkdir(parents=True)
        for name, draw in overview.items():
            drawn(figures / f"{name}.png", draw, dpi)
        for track in chosen:
            drawn(figures / f"track_{track}.png", lambda track=track: plot_track(tracks, sessions, track), dpi)
        (hidden / "index.html").write_text(_page(tracks, list(overview), set(chosen)), encoding="utf-8")


def _page(tracks: xr.DataTree, overview: list[str], chosen: set[int]) -> str:
    """The page: pictures of all tracks, a table with a link for each track, and the figure of each."""
    names = [escape(str(name)) for name in tracks.attrs["sessions"]]
    units, table = tracks["units"].to_dataset().to_dataframe(), tracks["tracks"].to_dataset().to_dataframe()
    seen = units.groupby("track")["session"].unique()
    rows = "".join(
        f"<tr><td>{_link(int(track), chosen)}</td><td>{row.n_units}</td>"
        f"<td>{', '.join(names[k] for k in sorted(seen[track]))}</td>"
        f"<td>{'' if np.isnan(row.probability) else f'{row.probability:.3f}'}</td>"
        f"<td>{'rejected' if getattr(row, 'rejected', False) else ''}</td></tr>"
        for track, row in table.iterrows()
    )
    pictures = "".join(f'<p><img src="figures/{name}.png" alt="{name}"></p>' for name in overview)
    each = "".join(
        f'<p id="t{track}"><img src="figures/track_{track}.png" alt="track {track}"></p>' for track in sorted(chosen)
    )
    several = int((table["n_units"] > 1).sum())
    return (
        f"<!doctype html><html><head><meta charset='utf-8'><title>Tracks</title><style>{STYLE}</style></head><body>"
        f"<h1>Tracks of {len(units)} units in {len(names)} sessions</h1>"
        f"<p>{several} tracks over several units, {len(table) - several} units without a partner.</p>{pictures}"
        "<table><tr><th>track</th><th>units</th><th>sessions</th><th>mean probability</th><th></th></tr>"
        f"{rows}</table>{each}</body></html>"
    )


def _link(track: int, chosen: set[int]) -> str:
    return f'<a href="#t{track}">{track}</a>' if track in chosen else str(track)
