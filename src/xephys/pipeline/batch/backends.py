"""The table of back-ends: each loads a recording, sorts it and extracts waveforms; a class of your own can be added."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import xarray as xr

from ...checks import hint_for
from ...errors import ParameterError
from ...recording.segments import tree_of
from ..apart import call_apart
from ..classified import ModelLoadingError
from ..config.config import SortingPipelineConfig
from ..sorters import OWN, Sorter, available_sorters, find_sorter
from .loading import load_segments
from .units import UnitTable, measure_units


def nothing() -> None:
    """Nothing is to be ended."""


def check_model(sorter: str, model_path: str | None) -> None:
    """Refuse a model that cannot be read.

    Raises
    ------
    ModelLoadingError
        If the file does not exist, is damaged, or holds something else.
    """
    from ...detect.weights import read_network

    try:
        if model_path is not None:
            read_network(model_path)
    except ParameterError as error:
        raise ModelLoadingError(str(error), sorter=sorter, model_path=str(model_path)) from error


def run_delegated(
    name: str, recording: xr.DataArray | xr.DataTree, folder: Path, given: Mapping[str, Any]
) -> xr.DataTree:
    """A delegated sorter's sorting; called in the sorter's own process."""
    return find_sorter(name).run(recording, folder, given).load()


class SorterBackend:
    """Interface of a back-end, and what all of them share; a back-end of your own overrides what differs.

    Parameters
    ----------
    config
        The configuration of the batch.

    Attributes
    ----------
    name
        Name of the sorter that runs, in every record.
    end
        Ends a sorter that runs in a process of its own; those of this process end at their next chunk.
    """

    name: ClassVar[str] = ""
    end: Callable[[], None]

    def __init__(self, config: SortingPipelineConfig) -> None:
        self.config = config
        self.end = nothing

    @property
    def sorter(self) -> Sorter:
        """The row of the table of sorters that runs."""
        return find_sorter(self.name)

    @property
    def parameters(self) -> dict[str, Any]:
        """Parameters of the sorter: those of its group, its container if one is wanted, and what is given by name."""
        given: dict[str, Any] = {"docker_image": True} if self.config.sorter.use_docker else {}
        own = self.config.rt_sort
        if self.name == _SHORT["rt_sort"]:
            fields = {"probe": own.probe, "detection_window_s": own.detection_window_s, "model_path": own.model_path}
            given |= {name: value for name, value in fields.items() if value is not None} | dict(own.params or {})
        return {**given, **(self.config.sorter.sorter_params or {})}

    def load_recording(self, rec_path: Any, *, chunk_duration_s: float = 2.0) -> list[xr.DataArray]:
        """The segments of one recording, lazily, with epochs, scale and orientation of the configuration."""
        return load_segments(rec_path, self.config.recording, chunk_duration_s=chunk_duration_s)

    def sort(
        self,
        recording: xr.DataArray | xr.DataTree,
        rec_path: Any = None,
        recording_dat_path: Any = None,
        output_folder: Path | None = None,
        *,
        progress: Any = False,
    ) -> xr.DataTree:
        """The sorting of a recording. Computes.

        ``rec_path`` and ``recording_dat_path`` are for sorters that read a file of their own; ours read the recording.
        """
        given = dict(self.parameters)
        if self.name.startswith(OWN):
            from ...sorter.run import sort

            check_model(self.name, given.get("model_path"))
            return sort(recording, preset=self.name.removeprefix(OWN), folder=output_folder, progress=progress, **given)
        run = partial(run_delegated, self.name, recording, (output_folder or Path()).absolute(), given)
        return call_apart(run, started=self._started)

    def _started(self, end: Callable[[], None]) -> None:
        self.end = end

    def extract_waveforms(
        self,
        recording: xr.DataArray | xr.DataTree,
        sorting: xr.DataTree,
        waveforms_folder: Any = None,
        curation_folder: Any = None,
        rec_path: Any = None,
        rng: Any = None,
    ) -> UnitTable:
        """Templates and metrics of all units, from one pass over the recording. Computes; writes nothing."""
        return measure_units(sorting, recording, self.config)


#: Back-ends of our own by the names that configurations use; every other name is one of ``xephys.available_sorters``.
_SHORT = {"default": "xephys_default", "rt_sort": "xephys_rt_sort", "dartsort": "xephys_dartsort"}
#: Back-ends that were added.
_ADDED: dict[str, type[SorterBackend]] = {}


def list_sorters() -> list[str]:
    """Names of all back-ends: ours by short names, those that were added, and all that SpikeInterface wraps.

    Examples
    --------
    >>> names = list_sorters()
    >>> names[0], "kilosort2" in names, "kilosort4" in names
    ('default', True, True)
    """
    known = available_sorters()
    return [*(short for short, name in _SHORT.items() if name in known), *_ADDED, *known]


def get_backend_class(sorter_name: str) -> type[SorterBackend]:
    """The class of a back-end.

    Raises
    ------
    ParameterError
        If there is none of this name; the nearest one is suggested.

    Examples
    --------
    >>> get_backend_class("default").name, get_backend_class("kilosort4").name
    ('xephys_default', 'kilosort4')
    """
    if sorter_name in _ADDED:
        return _ADDED[sorter_name]
    known = list_sorters()
    if sorter_name not in known:
        raise ParameterError(
            f"there is no back-end {sorter_name!r}; xephys.pipeline.list_sorters() lists them"
            f"{hint_for(sorter_name, known)}"
        )
    return type("SorterBackend", (SorterBackend,), {"name": _SHORT.get(sorter_name, sorter_name)})


def add_backend(backend: type[SorterBackend]) -> type[SorterBackend]:
    """Add a back-end under its ``name``, for this process; usable as a decorator of the class.

    Raises
    ------
    ParameterError
        If it is not a subclass of :class:`SorterBackend`, or its name is taken.

    Examples
    --------
    >>> @add_backend
    ... class Silent(SorterBackend):
    ...     name = "silent"
    >>> get_backend_class("silent") is Silent
    True
    """
    if not (isinstance(backend, type) and issubclass(backend, SorterBackend)):
        raise ParameterError(f"{backend!r:.60} is not a subclass of SorterBackend")
    if not backend.name or (backend.name in list_sorters() and backend.name not in _ADDED):
        raise ParameterError(f"a back-end cannot have the name {backend.name!r}; give it a name that is free")
    _ADDED[backend.name] = backend
    return backend


def backend_of(config: SortingPipelineConfig) -> SorterBackend:
    """The back-end of a configuration, after a check of the sorter's parameters.

    Raises
    ------
    ParameterError
        If the back-end or one of the sorter's parameters does not exist.
    """
    backend = get_backend_class(config.sorter.sorter_name)(config)
    if type(backend).sort is SorterBackend.sort:
        backend.sorter.check(dict(backend.parameters))
    return backend


def recording_of(segments: list[xr.DataArray]) -> xr.DataArray | xr.DataTree:
    """Segments as what every operation takes: a single one, or a tree."""
    return segments[0] if len(segments) == 1 else tree_of(segments)
