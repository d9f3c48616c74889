"""Check tables of templates as users make them, and fill in what is optional."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from ..checks import check_number, check_positive
from ..errors import ParameterError

#: Half width of the autocorrelograms in ms.
LAGS_MS = 300
#: What a table may have along its units and channels, and what must be numbers.
DIMS = {
    "x": ("channel",), "y": ("channel",), "shank": ("channel",), "unit_id": ("unit",), "n_spikes": ("unit",),
    "autocorrelogram": ("unit", "lag"), "peth": ("unit", "bin"),
}  # fmt: skip
NUMBERS = ("templates", "x", "y", "n_spikes", "autocorrelogram", "peth")
#: A probe is larger than this, a spike is larger and a template shorter: other values are in other units.
EXTENT_MIN_UM, SIZE_MIN_UV, DURATION_MAX_S = 1.0, 0.01, 0.1


def completed(session: Any) -> xr.Dataset:
    """A table of templates with names, numbers of spikes and autocorrelograms of its units.

    Raises
    ------
    TypeError
        If it is no dataset.
    ParameterError
        If something is missing.
    """
    if not isinstance(session, xr.Dataset):
        raise TypeError(
            f"a session is a sorting (xarray.DataTree) or a table of templates (xarray.Dataset), got "
            f"{type(session).__name__}; open files with open_sorting"
        )
    missing = [name for name in ("templates", "x", "y") if name not in session.variables]
    if missing or session["templates"].dims != ("unit", "sample", "channel"):
        raise ParameterError(
            f"a table of templates needs templates (unit, sample, channel) and x, y along channel; it lacks "
            f"{', '.join(missing) or 'these dims'}"
        )
    for name in ("sampling_frequency", "nbefore"):
        if name not in session.attrs:
            raise ParameterError(f"the table of templates has no attribute {name!r}; set session.attrs[{name!r}]")
    n_units = session.sizes["unit"]
    table = session.copy()
    if "unit_id" not in table.coords:
        table = table.assign_coords(unit_id=("unit", np.arange(n_units)))
    if "n_spikes" not in table:
        table["n_spikes"] = ("unit", np.zeros(n_units, np.int64))
    if "autocorrelogram" not in table:
        table["autocorrelogram"] = (("unit", "lag"), np.zeros((n_units, LAGS_MS), np.float32))
    return table


def check_table(table: xr.Dataset) -> None:
    """Check that the parts of a table fit together and are in the right units.

    Raises
    ------
    ParameterError
        If dims, kinds or sizes are wrong, or a value is not finite.
    """
    for name, dims in DIMS.items():
        if name in table.variables and table[name].dims != dims:
            raise ParameterError(f"{name} has dims {table[name].dims}; give {dims}")
    for name in NUMBERS:
        if name in table.variables and table[name].dtype.kind not in "fiu":
            raise ParameterError(f"{name} are {table[name].dtype}; give real numbers")
    _check_time(table)
    _check_contacts(table)
    if table.sizes["lag"] != LAGS_MS:
        raise ParameterError(f"autocorrelograms have {table.sizes['lag']} lags; give {LAGS_MS} of one millisecond")
    _check_finite(table, "templates", "template", "leave the unit out, or fill the channels with 0")
    _check_finite(table, "autocorrelogram", "autocorrelogram", "fill it with 0 to ignore it")
    if "peth" in table and np.isinf(np.asarray(table["peth"])).any():
        raise ParameterError("responses (peth) are infinite in some bins; set unknown ones to NaN")
    largest = float(np.abs(np.asarray(table["templates"])).max(initial=0.0))
    if 0.0 < largest < SIZE_MIN_UV:
        raise ParameterError(f"the largest template reaches {largest:.2g} µV; give µV, not volts")


def _check_time(table: xr.Dataset) -> None:
    rate, nbefore, n_samples = table.attrs["sampling_frequency"], table.attrs["nbefore"], table.sizes["sample"]
    check_positive(sampling_frequency=rate)
    check_number(nbefore=nbefore)
    if not 0 <= nbefore < n_samples:
        raise ParameterError(
            f"nbefore is {nbefore!r} for templates of {n_samples} samples; give the sample of the trough"
        )
    if n_samples < 2:
        raise ParameterError("templates have one sample; give the waveforms of the units")
    if n_samples / rate > DURATION_MAX_S:
        raise ParameterError(
            f"templates of {n_samples} samples at {rate:g} Hz last {n_samples / rate:.2g} s; give sampling_frequency "
            "in Hz"
        )


def _check_contacts(table: xr.Dataset) -> None:
    positions = np.column_stack([np.asarray(table[name], np.float64) for name in ("x", "y")])
    if not len(positions):
        raise ParameterError("templates have no channel; give those of the probe")
    if not np.isfinite(positions).all():
        channel = int(np.flatnonzero(~np.isfinite(positions).all(axis=1))[0])
        raise ParameterError(f"x or y of channel {channel} is not finite; give the place of every contact in µm")
    extent = float(np.ptp(positions, axis=0).max())
    if len(positions) > 1 and extent < EXTENT_MIN_UM:
        raise ParameterError(f"all contacts are within {extent:.2g} µm; give the place of each in x and y, in µm")
    shank = np.asarray(table["shank"]) if "shank" in table.coords else np.zeros(len(positions))
    if shank.dtype.kind == "f" and not np.isfinite(shank).all():
        channel = int(np.flatnonzero(~np.isfinite(shank))[0])
        raise ParameterError(f"the shank of channel {channel} is not finite; give each channel its shank")


def _check_finite(table: xr.Dataset, name: str, what: str, instead: str) -> None:
    values = np.asarray(table[name])
    finite = np.isfinite(values).all(axis=tuple(range(1, values.ndim)))
    if not finite.all():
        unit = np.asarray(table["unit_id"])[~finite].tolist()[0]
        raise ParameterError(f"the {what} of unit {unit!r} is not finite; {instead}")
