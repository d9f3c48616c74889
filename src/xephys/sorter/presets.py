"""The presets, one row each: ``sort`` and the command line know a preset only through its row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

from ..checks import check_positive, hint_for
from ..errors import ParameterError

if TYPE_CHECKING:
    import xarray as xr
    from pydantic import BaseModel

    from .steps.passes import Run

DEFAULT_PRESET = "default"


class Parameters(Protocol):
    """What the parameters of every preset provide, besides their own values."""

    def model_dump(self) -> dict[str, Any]:
        """All values by name, for the sorting's provenance."""

    @property
    def n_passes(self) -> int:
        """Number of passes over the recording that collect events, for the progress bar."""

    @property
    def band_hz(self) -> tuple[float, float]:
        """Corner frequencies of the band in which spikes are sorted."""

    def template_window(self, sampling_frequency: float) -> tuple[int, int]:
        """Number of samples of a template before its spike, and in total."""


class Sorter(Protocol):
    """A function that sorts one segment, or raises ``NoUnits``."""

    def __call__(self, recording: xr.DataArray, parameters: Any, run: Run) -> xr.DataTree: ...


@dataclass(frozen=True)
class Preset:
    """One sorter: its parameters, its steps and its capabilities.

    ``parameters``, ``sort`` and ``check`` are given as ``"module:name"`` below ``xephys.sorter`` and imported on first
    use.

    Attributes
    ----------
    name
        Name in ``sort(recording, preset=name)``.
    parameters
        Pydantic model of the parameters.
    sort
        Function that sorts one segment: ``(recording, parameters, run)``.
    check
        Function that refuses a recording that the preset cannot sort, before any work: ``(recording, parameters)``.
    devices
        Whether passes over the recording can run on a device other than the CPU.
    reusable
        Whether its results can be used to sort another recording (``learned``, ``learn_s``).
    skips_filter
        Whether its filter is left out for traces whose band is as narrow already.
    exports
        What the command line writes besides ``sorting.zarr``: ``"phy"``, or ``"kilosort"`` if the sorting keeps the
        features of its spikes.
    """

    name: str
    parameters: str
    sort: str
    check: str
    devices: bool = False
    reusable: bool = False
    skips_filter: bool = True
    exports: tuple[str, ...] = ("phy",)

    @cached_property
    def model(self) -> type[BaseModel]:
        model: type[BaseModel] = _object_at(self.parameters)
        return model

    @cached_property
    def sorter(self) -> Sorter:
        sorter: Sorter = _object_at(self.sort)
        return sorter

    def check_recording(self, recording: xr.DataArray, parameters: Parameters) -> None:
        """Refuse a recording that cannot be sorted with these parameters; nothing is computed.

        Raises
        ------
        ParameterError
            If a parameter does not suit the recording, such as a corner frequency that is too high for its rate.
        RecordingError
            If channels have no positions, the recording is shorter than the filter's halo, or it is already white.
        """
        from .steps.filtered_before import check_not_filtered_away

        check_not_filtered_away(recording, parameters.band_hz)
        check: Callable[[xr.DataArray, Parameters], None] = _object_at(self.check)
        check(recording, parameters)

    def check_use(self, *, device: str = "cpu", learn_s: float | None = None) -> None:
        """Refuse a use that this preset does not support.

        Raises
        ------
        ParameterError
            Names the presets that support it, or the limit of a number.
        """
        if learn_s is not None:
            check_positive(learn_s=learn_s)
            _check_capable(self, f"learn_s is {learn_s:g}", lambda preset: preset.reusable)
        if device != "cpu":
            _check_capable(self, f"device is {device!r}", lambda preset: preset.devices)


_ROWS = (
    Preset(
        DEFAULT_PRESET,
        parameters="default.parameters:DefaultParameters",
        sort="default.sort:sort_default",
        check="default.prepare:check_default",
        devices=True,
        reusable=True,
    ),
    Preset(
        "kilosort4",
        parameters="kilosort4.parameters:Kilosort4Parameters",
        sort="kilosort4.sort:sort_kilosort4",
        check="kilosort4.prepare:check_kilosort4",
        exports=("kilosort",),
    ),
    Preset(
        "rt_sort",
        parameters="rt_sort.parameters:RTSortParameters",
        sort="rt_sort.sort:sort_rt_sort",
        check="rt_sort.prepare:check_rt_sort",
        skips_filter=False,
    ),
    Preset(
        "dartsort",
        parameters="dartsort.parameters:DARTsortParameters",
        sort="dartsort.sort:sort_dartsort",
        check="dartsort.prepare:check_dartsort",
    ),
)
PRESETS: Mapping[str, Preset] = {preset.name: preset for preset in _ROWS}


def find_preset(name: str) -> Preset:
    """The preset with this name.

    Raises
    ------
    ParameterError
        If there is none; the nearest name is suggested.
    """
    if name not in PRESETS:
        raise ParameterError(f"preset {name!r} does not exist; there is {', '.join(PRESETS)}{hint_for(name, PRESETS)}")
    return PRESETS[name]


def read_parameters(preset: str, given: Mapping[str, Any], *, beside: Iterable[str] = ()) -> Any:
    """The parameters of a preset, with the given values and otherwise the defaults.

    For a name that does not exist, the nearest one is suggested, also among the caller's own parameters ``beside``.

    Raises
    ------
    ParameterError
        If the preset or a name does not exist (the nearest is suggested), or a value is outside its limits.

    Examples
    --------
    >>> read_parameters("default", {"detect_threshold": "6"}).detect_threshold
    6.0
    """
    from pydantic import ValidationError

    model = find_preset(preset).model
    for name in given:
        if name not in model.model_fields:
            others = [other for other in PRESETS if name in find_preset(other).model.model_fields]
            owner = f"; preset {others[0]!r} has it" if others else ""
            raise ParameterError(
                f"preset {preset!r} has no parameter {name!r}{owner}; xephys.parameters({preset!r}) lists those it has"
                f"{hint_for(name, [*model.model_fields, *beside])}"
            )
        if isinstance(given[name], bool) and "bool" not in str(model.model_fields[name].annotation):
            raise ParameterError(
                f"{name} is {given[name]}, a truth value; xephys.parameters({preset!r}) lists what it may be"
            )
    try:
        return model(**given)
    except ValidationError as error:
        faults = "; ".join(_fault(e) for e in error.errors())
        raise ParameterError(f"{faults}; xephys.parameters({preset!r}) lists the limits") from error


def presets_that(can: Callable[[Preset], bool]) -> Iterator[str]:
    """Names of the presets with some capability."""
    return (preset.name for preset in PRESETS.values() if can(preset))


def _check_capable(preset: Preset, what: str, can: Callable[[Preset], bool]) -> None:
    if not can(preset):
        others = " or ".join(map(repr, presets_that(can)))
        raise ParameterError(
            f"{what}, which preset {preset.name!r} cannot do yet; use preset {others}, or leave it out"
        )


def _object_at(path: str) -> Any:
    module, name = path.split(":")
    return getattr(import_module(f".{module}", __package__), name)


def _fault(error: Any) -> str:
    """Text for one validation error.

    An error is about one parameter and its value, or about several that contradict each other.
    """
    said = str(error["msg"]).removeprefix("Value error, ")  # Pydantic's, before a sentence of ours
    return f"{error['loc'][0]} is {error['input']!r}: {said}" if error["loc"] else said
