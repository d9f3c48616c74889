"""The table of sorters that can be run: our presets and those that SpikeInterface wraps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import xarray as xr

from ..checks import hint_for
from ..errors import ParameterError
from ..sorter.parameters import ParameterRow, ParameterTable, parameters
from ..sorter.presets import PRESETS, read_parameters
from ..sorter.run import sort
from .wrapped import check_wrapped, default_parameters, run_wrapped, wrappers

Recording: TypeAlias = xr.DataArray | xr.DataTree
#: A function that sorts a recording, given a folder for its work and the parameters by name.
RunSorter: TypeAlias = Callable[[Recording, Path, Mapping[str, Any]], xr.DataTree]

#: Prefix of the names of our presets in the table; ``kilosort4`` is the original.
OWN = "xephys_"
#: Arguments of ``sort`` that are not parameters of a preset.
_SORT_ARGUMENTS = ("learned", "learn_s", "device", "cache", "cache_bytes_max")


@dataclass(frozen=True)
class Sorter:
    """One sorter.

    Attributes
    ----------
    name
        Name in ``run_sorter(name, recording)``.
    run
        Function that sorts: ``(recording, folder, parameters)``.
    check
        Function that refuses unknown parameters.
    version
        Text that distinguishes its versions.
    """

    name: str
    run: RunSorter
    check: Callable[[Mapping[str, Any]], None] = field(default=lambda given: None)
    version: Callable[[], str] = field(default=lambda: "")


def available_sorters() -> list[str]:
    """Names of all sorters that :func:`xephys.run_sorter` knows, whether or not they are installed.

    Returns
    -------
    Our presets, as ``"xephys_default"``, then the sorters that SpikeInterface wraps, under their names there.

    Examples
    --------
    >>> names = available_sorters()
    >>> names[:2], "kilosort4" in names, "spykingcircus2" in names
    (['xephys_default', 'xephys_kilosort4'], True, True)
    """
    return [*(OWN + preset for preset in PRESETS), *sorted(wrappers())]


def installed_sorters() -> list[str]:
    """Names of the sorters that can run in this environment without a container.

    Examples
    --------
    >>> installed_sorters()[0]
    'xephys_default'
    """
    return [name for name in available_sorters() if name.startswith(OWN) or wrappers()[name].is_installed()]


def sorter_versions() -> dict[str, str]:
    """Versions of the installed sorters by name.

    Examples
    --------
    >>> sorter_versions()["xephys_default"]
    '0.1.0'
    """
    return {name: find_sorter(name).version() for name in installed_sorters()}


def sorter_parameters(name: str) -> ParameterTable:
    """The parameters of a sorter: names, defaults, limits if known, and what they do.

    Parameters
    ----------
    name
        One of :func:`xephys.available_sorters`.

    Returns
    -------
    A table, displayed as such in terminals and notebooks; ``table["freq_min"].default`` is one default as text.

    Raises
    ------
    ParameterError
        If the sorter does not exist; the nearest name is suggested.

    Examples
    --------
    >>> sorter_parameters("tridesclous2")["apply_preprocessing"].default
    'True'
    """
    find_sorter(name)
    if name.startswith(OWN):
        return parameters(name.removeprefix(OWN))
    defaults = default_parameters(name)
    described = wrappers()[name].params_description() if defaults else {}
    rows = [ParameterRow(key, str(value), "", "", str(described.get(key, ""))) for key, value in defaults.items()]
    return ParameterTable(name, tuple(rows))


def sorter_description(name: str) -> str:
    """A description of a sorter in a few sentences.

    Raises
    ------
    ParameterError
        If the sorter does not exist; the nearest name is suggested.

    Examples
    --------
    >>> "Matching Pursuit" in sorter_description("spykingcircus2")
    True
    """
    find_sorter(name)
    if name.startswith(OWN):
        return f"xephys.sort(recording, preset={name.removeprefix(OWN)!r})"
    return " ".join(wrappers()[name].sorter_description.split())


def find_sorter(sorter: str | Callable[..., xr.DataTree]) -> Sorter:
    """A row of the table by name, or one made for a function ``(recording, **parameters)`` that sorts.

    Raises
    ------
    ParameterError
        If the sorter does not exist; the nearest name is suggested.

    Examples
    --------
    >>> find_sorter("xephys_default").name
    'xephys_default'
    """
    if callable(sorter):
        return Sorter(getattr(sorter, "__name__", "own"), partial(_run_function, sorter))
    if not isinstance(sorter, str):
        raise ParameterError(
            f"a sorter is a {type(sorter).__name__}; give a name, from available_sorters, or a function"
        )
    if sorter.startswith(OWN) and sorter.removeprefix(OWN) in PRESETS:
        preset = sorter.removeprefix(OWN)
        return Sorter(sorter, partial(_run_preset, preset), partial(_check_preset, preset), _own_version)
    if sorter not in wrappers():
        known = available_sorters()
        meant = f"; did you mean {OWN + sorter!r}?" if sorter in PRESETS else hint_for(sorter, known)
        raise ParameterError(f"there is no sorter {sorter!r}; xephys.available_sorters() lists them{meant}")
    wrapper = wrappers()[sorter]
    return Sorter(sorter, partial(run_wrapped, sorter), partial(check_wrapped, sorter), wrapper.get_sorter_version)


def _run_preset(preset: str, recording: Recording, folder: Path, given: Mapping[str, Any]) -> xr.DataTree:
    return sort(recording, preset=preset, folder=folder, progress=False, **given)


def _check_preset(preset: str, given: Mapping[str, Any]) -> None:
    own = {name: value for name, value in given.items() if name not in _SORT_ARGUMENTS}
    read_parameters(preset, own, beside=_SORT_ARGUMENTS)


def _own_version() -> str:
    from .. import __version__

    return __version__


def _run_function(
    function: Callable[..., xr.DataTree], recording: Recording, folder: Path, given: Mapping[str, Any]
) -> xr.DataTree:
    return function(recording, **given)
