"""Classify the failure of a delegated sorter by the text of its error and of its log, the only evidence it leaves."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from ..errors import GPU_MEMORY_GAVE_OUT
from ..typing import PathLike
from .classified import (
    DockerEnvironmentError,
    GPUOutOfMemoryError,
    HDF5PluginMissingError,
    InsufficientActivityError,
    ModelLoadingError,
    NoGoodChannelsError,
    SpikeSortingClassifiedError,
)

#: A recording with fewer crossings, units or spikes than these is silent, whatever the sorter complains about.
FEW_CROSSINGS, FEW_UNITS, FEW_SPIKES = 20_000, 5, 5
#: Endings of a log that are read: more than any sorter writes after the line that matters.
LOG_BYTES_MAX = 4_000_000
_PLUGIN = re.compile(r"hdf5_plugin_path|hdf5 filter|can't open directory|libcompression|can't synchronously read", re.I)
_PLUGIN_SURE = re.compile(r"hdf5_plugin_path|filter|compression|can't open directory \(.*verify its existence", re.I)
#: Reasons why containers do not run, in the order in which they are looked for.
_DOCKER = (
    ("client_missing", re.compile(r"no module named '?docker|docker(-py)? (is )?not installed|spython", re.I)),
    ("permission_denied", re.compile(r"permission denied.*docker|docker\.sock.*permission denied", re.I | re.S)),
    (
        "daemon_down",
        re.compile(
            r"cannot connect to the docker daemon|is the docker daemon running|error while fetching server api version"
            r"|docker.*connection refused",
            re.I | re.S,
        ),
    ),
    (
        "image_pull_failed",
        re.compile(r"manifest (unknown|for .* not found)|pull access denied|image.*no such host|name resolution", re.I),
    ),
)


class Evidence(NamedTuple):
    """The texts of an error and its causes, the sorter's log, and the log's path."""

    said: str
    log: str
    log_path: str | None

    @property
    def text(self) -> str:
        return f"{self.said}\n{self.log}"


def classify_ks2_failure(output_folder: PathLike, exc: BaseException) -> SpikeSortingClassifiedError | None:
    """Why Kilosort2 failed.

    Parameters
    ----------
    output_folder
        Folder with its ``kilosort2.log``, or with a ``sorter_output`` that has one.
    exc
        The error that it ended with.

    Returns
    -------
    The classified failure; None if the evidence does not tell.

    Examples
    --------
    >>> classify_ks2_failure("/nowhere", RuntimeError("CUDA out of memory")).sorter
    'kilosort2'
    """
    return _classified(gather_evidence(output_folder, exc, log_name="kilosort2.log"), "kilosort2", _silent_in_ks2)


def classify_ks4_failure(output_folder: PathLike, exc: BaseException) -> SpikeSortingClassifiedError | None:
    """Why Kilosort4 failed.

    Parameters
    ----------
    output_folder
        Folder with its ``kilosort4.log``, or with a ``sorter_output`` that has one.
    exc
        The error that it ended with.

    Returns
    -------
    The classified failure; None if the evidence does not tell.

    Examples
    --------
    >>> error = ValueError("n_samples=3 should be >= n_clusters=6.")
    >>> classify_ks4_failure("/nowhere", error).nspks_at_failure
    3
    """
    return _classified(gather_evidence(output_folder, exc, log_name="kilosort4.log"), "kilosort4", _silent_in_ks4)


def classify_rt_sort_failure(output_folder: PathLike, exc: BaseException) -> SpikeSortingClassifiedError | None:
    """Why RT-Sort failed.

    Parameters
    ----------
    output_folder
        Folder with its ``rt_sort.log``, or with a ``sorter_output`` that has one.
    exc
        The error that it ended with.

    Returns
    -------
    The classified failure; None if the evidence does not tell.

    Examples
    --------
    >>> type(classify_rt_sort_failure("/nowhere", RuntimeError("no sequences were detected"))).__name__
    'InsufficientActivityError'
    """
    return _classified(gather_evidence(output_folder, exc, log_name="rt_sort.log"), "rt_sort", _silent_in_rt_sort)


def classify_failure(sorter: str, output_folder: PathLike, exc: BaseException) -> SpikeSortingClassifiedError | None:
    """Why a delegated sorter failed; of sorters without a row, only environment and memory are told.

    Examples
    --------
    >>> classify_failure("simple", "/nowhere", RuntimeError("CUDA out of memory")).sorter
    'simple'
    """
    if sorter in _CLASSIFIERS:
        return _CLASSIFIERS[sorter](output_folder, exc)
    return _classified(gather_evidence(output_folder, exc, log_name=f"{sorter}.log"), sorter, lambda evidence: None)


def gather_evidence(output_folder: PathLike, exc: BaseException, *, log_name: str) -> Evidence:
    """The texts of an error and its causes, and the end of the sorter's log if there is one."""
    said = "\n".join(f"{type(error).__module__}.{type(error).__name__}: {error}" for error in _chain(exc))
    for place in (Path(output_folder), Path(output_folder) / "sorter_output"):
        path = place / log_name
        if path.is_file():
            with path.open("rb") as file:
                file.seek(max(0, path.stat().st_size - LOG_BYTES_MAX))
                return Evidence(said, file.read().decode("utf-8", "replace"), str(path))
    return Evidence(said, "", None)


def _chain(exc: BaseException) -> Iterator[BaseException]:
    error: BaseException | None = exc
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _classified(
    evidence: Evidence, sorter: str, silent: Callable[[Evidence], SpikeSortingClassifiedError | None]
) -> SpikeSortingClassifiedError | None:
    """Environment first, then resources, then the recording: a missing library may look like silence."""
    if _PLUGIN.search(evidence.text) and _PLUGIN_SURE.search(evidence.text):
        return HDF5PluginMissingError(
            "the file is compressed by an HDF5 filter that was not found; give its folder as hdf5_plugin_path"
        )
    for reason, pattern in _DOCKER:
        if pattern.search(evidence.said):
            line = next(line for line in evidence.said.splitlines() if line.strip())
            return DockerEnvironmentError(f"the container of {sorter} cannot run ({reason}): {line}", reason=reason)
    if re.search(r"no module named '?torch|error\(s\) in loading state_dict", evidence.text, re.I):
        return ModelLoadingError(f"the model of {sorter} cannot be loaded: torch is missing, or the file does not fit",
                                 sorter=sorter)  # fmt: skip
    if GPU_MEMORY_GAVE_OUT.search(evidence.text):
        return GPUOutOfMemoryError(
            f"{sorter} ran out of the GPU's memory; give it a smaller batch", sorter=sorter, log_path=evidence.log_path
        )
    return silent(evidence)


def _silent_in_ks2(evidence: Evidence) -> SpikeSortingClassifiedError | None:
    total, bad = _number(r"(\d+) channels", evidence.log), _number(r"found (\d+) bad channels", evidence.log)
    good = _number(r"found (\d+) good channels", evidence.text)
    if good == 0 or (total is not None and bad is not None and bad >= total):
        return NoGoodChannelsError(
            f"kilosort2 found no good channels{'' if total is None else f' among {total}'}; look at the recording",
            sorter="kilosort2", total_channels=total, bad_channels=total if good == 0 else bad,
            log_path=evidence.log_path,
        )  # fmt: skip
    crossings = _number(r"found (\d+) threshold crossings", evidence.log)
    progress = re.findall(r"(\d+)\s*/\s*\d+ batches, (\d+) units, nspks: ([\d.]+)", evidence.log)
    units, spikes = (int(progress[-1][1]), int(float(progress[-1][2]))) if progress else (None, None)
    few = (
        (crossings is not None and crossings < FEW_CROSSINGS)
        or (units is not None and units <= FEW_UNITS)
        or (spikes is not None and spikes <= FEW_SPIKES)
    )
    if "invalid configuration argument" not in evidence.text or not few:
        return None
    return InsufficientActivityError(
        f"kilosort2 found too few spikes ({crossings} crossings of the threshold); the recording is silent or short",
        sorter="kilosort2", threshold_crossings=crossings, units_at_failure=units, nspks_at_failure=spikes,
        log_path=evidence.log_path,
    )  # fmt: skip


def _silent_in_ks4(evidence: Evidence) -> SpikeSortingClassifiedError | None:
    found = _number(r"n_samples=(\d+) should be >= n_clusters=\d+", evidence.text)
    if found is None:
        found = _number(r"number of samples \((\d+)\) .*number of clusters", evidence.text)
    if found is None and re.search(r"0 sample\(s\).*minimum of \d+ is required.*TruncatedSVD", evidence.text, re.S):
        found = 0
    if found is None:
        return None
    return InsufficientActivityError(
        f"kilosort4 found {found} spikes, fewer than it makes clusters of; the recording is silent or short",
        sorter="kilosort4", nspks_at_failure=found, log_path=evidence.log_path,
    )  # fmt: skip


def _silent_in_rt_sort(evidence: Evidence) -> SpikeSortingClassifiedError | None:
    if not re.search(
        r"no (propagation )?sequences?\b|'NoneType' object has no attribute 'sort_offline'", evidence.said
    ):
        return None
    return InsufficientActivityError(
        "rt_sort found no sequence of electrodes; the recording is silent, or its electrodes are too far apart",
        sorter="rt_sort", log_path=evidence.log_path,
    )  # fmt: skip


def _number(pattern: str, text: str) -> int | None:
    found = re.findall(pattern, text)
    return int(found[-1]) if found else None


#: The classifier of each sorter that has words of its own.
_CLASSIFIERS = {
    "kilosort2": classify_ks2_failure,
    "kilosort4": classify_ks4_failure,
    "rt-sort": classify_rt_sort_failure,
}
