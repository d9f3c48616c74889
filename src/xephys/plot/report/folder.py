"""Write a folder with figures and a table of a sorting, to be read in a browser."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ...analysis.results import current_results
from ...io.export.complete import columns_by_unit, text_of, with_templates
from ...io.store.atomic import whole_or_absent
from ...sorting import unit_ids_of
from ...typing import PathLike
from ..canvas.chosen import chosen_units

#: Columns shown in the table on the page, if available; the CSV file has all columns.
_SHOWN = (
    "label",
    "num_spikes",
    "firing_rate",
    "snr",
    "presence_ratio",
    "isi_violations_ratio",
    "amplitude_median",
    "y",
)
STYLE = (
    "body{font:14px/1.45 system-ui,sans-serif;color:#222;margin:2em auto;max-width:70em;padding:0 1em}"
    "img{max-width:100%}table{border-collapse:collapse;font-size:13px}th,td{padding:.25em .8em;text-align:right}"
    "th{border-bottom:1px solid #999;font-weight:600}tr:nth-child(even){background:#f5f5f5}a{color:#0072B2}"
)


def export_report(
    sorting: xr.DataTree,
    folder: PathLike,
    *,
    recording: xr.DataArray | xr.DataTree | None = None,
    n_units_max: int = 100,
    dpi: float = 110.0,
    overwrite: bool = False,
) -> None:
    """Write a report: ``index.html``, ``units.csv`` with one row per unit, and the figures in ``figures``.

    Parameters
    ----------
    sorting
        A sorting with templates, or with analyzed templates and the recording. The figures show what
        :func:`xephys.analyze` has computed.
    folder
        The folder to write.
    recording
        The sorted recording; needed only if the sorting has no templates of its own.
    n_units_max
        Largest number of units with a figure of their own: those with the most spikes.
    dpi
        Resolution of the figures, in dots per inch.
    overwrite
        Replace an existing folder once the new one is complete.

    Raises
    ------
    ParameterError
        If there are no templates.
    OutputError
        If the folder exists and ``overwrite`` is false.

    Examples
    --------
    >>> import tempfile
    >>> from xephys.simulation.sorting import truth_sorting
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=4, n_channels=8, n_units=2, seed=0)
    >>> with tempfile.TemporaryDirectory() as place:
    ...     export_report(truth_sorting(recording, truth), place + "/report")
    ...     sorted(path.name for path in Path(place + "/report").iterdir())
    ['figures', 'index.html', 'units.csv']
    """
    tree, _ = with_templates(sorting, recording, what="a report")
    units = chosen_units(tree, None, n_units_max)
    ids = np.asarray(unit_ids_of(tree))
    with whole_or_absent(folder, overwrite=overwrite) as hidden:
        figures = hidden / "figures"
        figures.mkdir(parents=True)
        overview = [name for name, draw in _overview(tree) if drawn(figures / f"{name}.png", draw, dpi)]
        pages = {int(unit): f"unit_{_file_name(ids[unit])}.png" for unit in units}
        from ..units.unit import plot_unit_summary

        for unit, name in pages.items():
            drawn(figures / name, lambda unit=unit: plot_unit_summary(tree, ids[unit]), dpi)
        table = xr.Dataset({"unit_id": ("unit", ids)}).assign(
            {name: ("unit", column.values) for name, column in columns_by_unit(tree["units"].dataset).items()}
        )
        table.to_dataframe().to_csv(hidden / "units.csv", index=False)
        (hidden / "index.html").write_text(_page(tree, overview, pages), encoding="utf8")


def _overview(tree: xr.DataTree) -> Iterable[tuple[str, Any]]:
    """Names and functions of the figures of all units, limited to those whose results are available."""
    from ..motion import raster
    from ..units import amplitudes, places, trains

    results, spikes = current_results(tree), tree["spikes"].dataset
    if "y" in spikes and "y" in tree["units"].dataset:
        yield "drift_raster", lambda: raster.plot_drift_raster(tree)
    if "y" in tree["units"].dataset and "x" in tree["units"].dataset:
        yield "unit_locations", lambda: places.plot_unit_locations(tree)
    if "amplitude" in spikes:
        yield "amplitude_distributions", lambda: amplitudes.plot_amplitude_distributions(tree)
        if "y" in tree["units"].dataset:
            yield "unit_depths", lambda: amplitudes.plot_unit_depths(tree)
    if "correlograms" in results:
        yield "crosscorrelograms", lambda: trains.plot_crosscorrelograms(tree)


def drawn(path: Path, draw: Any, dpi: float) -> bool:
    """Save a figure and close it; otherwise pyplot would keep a hundred of them open."""
    import matplotlib.pyplot as plt

    figure = draw().figure
    figure.savefig(path, dpi=dpi)
    plt.close(figure)
    return True


def _file_name(unit_id: Any) -> str:
    """The name of a unit without characters that a file name may not contain.

    Examples
    --------
    >>> _file_name("a/b 1")
    'a-b-1'
    """
    return re.sub(r"[^A-Za-z0-9._-]+", "-", str(unit_id))


def _page(tree: xr.DataTree, overview: list[str], pages: dict[int, str]) -> str:
    units = tree["units"].dataset
    shown = [name for name in _SHOWN if name in units]
    columns = [_cells(units[name]) for name in shown]
    rows = []
    for unit, name in enumerate(text_of(unit_ids_of(tree))):
        first = f'<a href="figures/{escape(pages[unit])}">{escape(name)}</a>' if unit in pages else escape(name)
        rows.append(
            f"<tr><td>{first}</td>" + "".join(f"<td>{escape(column[unit])}</td>" for column in columns) + "</tr>"
        )
    heads = "".join(f"<th>{escape(_head(units[name]))}</th>" for name in shown)
    pictures = "".join(
        f'<h2>{escape(name.replace("_", " ").capitalize())}</h2><img src="figures/{name}.png" alt="{name}">'
        for name in overview
    )
    n_spikes = tree["spikes"].sizes.get("spike", 0)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f"<title>Sorting</title><style>{STYLE}</style></head>"
        f"<body><h1>{len(rows)} units, {n_spikes:,} spikes</h1>{pictures}<h2>Units</h2>"
        f'<p>All columns: <a href="units.csv">units.csv</a></p><table><thead><tr><th>unit</th>{heads}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></body></html>\n"
    )


def _cells(column: xr.DataArray) -> list[str]:
    values = column.values
    return [f"{value:.4g}" if values.dtype.kind == "f" else str(value) for value in values]


def _head(column: xr.DataArray) -> str:
    unit = str(column.attrs.get("units", "")).replace("um", "µm").replace("uV", "µV")
    name = "depth" if column.name == "y" else str(column.name).replace("_", " ")
    return f"{name} ({unit})" if unit else name
