"""Run the sorters that SpikeInterface wraps on our recordings: their parameters, results and errors."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ..checks import hint_for
from ..errors import GPU_MEMORY_GAVE_OUT, ParameterError, ResourceError, SorterError
from ..recording.axes import SegmentAxes
from ..sorter.segments import join_segments, sorting_of_segments
from ..sorting import build_sorting
from .sorter_logs import classify_failure

#: Arguments by which SpikeInterface runs a sorter in a container.
CONTAINERS = ("docker_image", "singularity_image", "delete_container_files")
#: Endings of error names in the traceback lines that say what went wrong.
_ERRORS = ("Error", "Exception", "Interrupt")


def wrappers() -> dict[str, Any]:
    """SpikeInterface's sorter classes by name.

    Examples
    --------
    >>> "kilosort4" in wrappers()
    True
    """
    from spikeinterface.sorters.sorterlist import sorter_dict

    return dict(sorter_dict)


def default_parameters(name: str) -> dict[str, Any]:
    """Defaults of a sorter's parameters by name; empty if the sorter has to be installed to know them.

    Examples
    --------
    >>> default_parameters("simple")["detect_threshold"]
    5.0
    """
    try:
        return dict(wrappers()[name].default_params())
    except ImportError:
        return {}


def check_wrapped(name: str, given: Mapping[str, Any]) -> None:
    """Refuse parameters that a sorter does not have.

    Raises
    ------
    ParameterError
        Suggests the nearest name.
    """
    known = default_parameters(name)
    for key in given if known else ():
        if key not in known and key not in CONTAINERS:
            raise ParameterError(
                f"sorter {name!r} has no parameter {key!r}; xephys.sorter_parameters({name!r}) lists those it has"
                f"{hint_for(key, known)}"
            )


def run_wrapped(
    name: str, recording: xr.DataArray | xr.DataTree, folder: Path, given: Mapping[str, Any]
) -> xr.DataTree:
    """Run a sorter through SpikeInterface. Several segments are passed one after the other, as one recording.

    Parameters
    ----------
    name
        One of :func:`wrappers`.
    recording
        The recording, which the sorter reads through the bridge; nothing is copied unless the sorter does so.
    folder
        Parent directory; what the sorter writes goes into ``folder/spikeinterface``.
    given
        Its parameters by name, and ``docker_image`` or ``singularity_image`` (True, or the name of an image).

    Raises
    ------
    ImportError
        If the sorter, or what runs its container, is not installed.
    ResourceError
        If it ran out of memory.
    SpikeSortingClassifiedError
        If its words tell why it failed: no spikes, no good channels, containers, the GPU's memory, a missing filter.
    SorterError
        If it failed for another reason.
    """
    from spikeinterface.sorters import run_sorter

    from ..io.bridge.spikeinterface import to_spikeinterface

    wrapper = wrappers()[name]
    contained = bool(given.get("docker_image") or given.get("singularity_image"))
    if not contained and not wrapper.is_installed():
        raise ImportError(f"sorter {name!r} is not installed here{_how_to_install(wrapper.installation_mesg)}")
    whole = join_segments(recording)  # even for sorters that accept several, since not all keep them apart
    try:
        with warnings.catch_warnings():
            # A recording in memory has no provenance that SpikeInterface could save beside the sorter's own files.
            warnings.filterwarnings("ignore", "The extractor is not serializable")
            found = run_sorter(
                name,
                to_spikeinterface(whole),
                folder=folder / "spikeinterface",
                remove_existing_folder=True,
                verbose=False,
                **_without_bars(name, given),
            )
    except Exception as error:
        raise classify_failure(name, folder / "spikeinterface", error) or explained(name, error) from error
    tree = _tree_of(found, whole, name=name, given=given, version=str(wrapper.get_sorter_version()))
    return sorting_of_segments(tree, recording, whole)


def explained(name: str, error: Exception) -> Exception:
    """Convert a failure within a sorter to one of our errors, by the last line of the sorter's own traceback.

    Examples
    --------
    >>> explained("simple", RuntimeError("Traceback:\\nModuleNotFoundError: No module named 'b'\\nFailed."))
    ImportError("sorter 'simple' failed: ModuleNotFoundError: No module named 'b'")
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    own = [line for line in lines if " " not in line.split(":")[0] and line.split(":")[0].endswith(_ERRORS)]
    said = (own or lines or [type(error).__name__])[-1 if own else 0]
    text, kind = f"sorter {name!r} failed: {said}", said.split(":")[0].split(".")[-1]
    if kind in ("ModuleNotFoundError", "ImportError") or "not installed" in said or "must be installed" in said:
        return ImportError(text)
    if kind in ("MemoryError", "OutOfMemoryError") or "out of memory" in said.lower():
        return ResourceError(text, resource="GPU memory" if GPU_MEMORY_GAVE_OUT.search(said) else "memory")
    return SorterError(text)


def _tree_of(found: Any, recording: xr.DataArray, *, name: str, given: Mapping[str, Any], version: str) -> xr.DataTree:
    """A SpikeInterface sorting with the clock, channels and provenance of its recording."""
    from ..io.bridge.si_sorting import sorting_tree_of

    tree, axes = sorting_tree_of(found), SegmentAxes.of(recording)
    spikes, units = tree["spikes"].dataset, tree["units"].dataset
    segment = spikes["segment_index"].values
    samples = spikes["sample_index"].values + np.asarray(axes.first_sample, np.int64)[segment]
    columns = {str(key): column.values for key, column in units.data_vars.items() if column.dims == ("unit",)}
    columns.pop("num_spikes")
    return build_sorting(
        axes,
        spikes={"sample_index": samples, "unit_index": spikes["unit_index"].values, "segment_index": segment},
        units=columns,
        unit_ids=units.coords["unit_id"].values,
        preset=name,
        parameters=json.loads(json.dumps(dict(given), default=str)),
        log=[{"step": "run_sorter", "sorter": name, "version": version}],
    )


def _without_bars(name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters, with progress bars switched off if the sorter has them."""
    known, quiet = default_parameters(name), {"progress_bar": False}
    if "progress_bar" in known:
        return {**quiet, **given}
    if isinstance(known.get("job_kwargs"), dict):
        return {**given, "job_kwargs": {**known["job_kwargs"], **quiet, **given.get("job_kwargs", {})}}
    return dict(given)


def _how_to_install(text: str) -> str:
    """The line of SpikeInterface's advice that is a command."""
    lines = [line.strip().removeprefix(">>>").strip() for line in text.splitlines()]
    command = next((line for line in lines if line.startswith(("pip install", "git clone"))), None)
    return f": {command}" if command else "; see its own page"
