"""Checks before anything runs: folders, disk, memory, sampling rate, and whether the sorter can run here."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import xarray as xr

from ...errors import OutputError, ParameterError, RecordingError, warn_user
from ...graph.keep.room import disk_free_bytes, memory_free_bytes
from ..classified import DiskExhaustionError, DockerEnvironmentError, EnvironmentSortFailure, HostMemoryWatchdogError
from ..config.config import SortingPipelineConfig
from ..sorter_logs import classify_failure
from ..sorters import OWN, installed_sorters
from .backends import SorterBackend
from .guards import gpu_states
from .sources import Group


class Finding(NamedTuple):
    """One finding: the failure that it means, and whether it ends the run or only warns."""

    error: Exception
    fatal: bool


#: Seconds in which Docker has to answer; files and processes that a batch may need.
DOCKER_S, OPEN_FILES_MIN, PROCESSES_MIN = 20, 4096, 256
#: Sampling rates that sorters are made for, and sorters that compute on a GPU.
RATES_HZ = {
    **dict.fromkeys(("kilosort", "kilosort2", "kilosort2_5", "kilosort3", "kilosort4"), (10_000.0, 50_000.0)),
    "rt_sort": (10_000.0, 60_000.0),
}
NEED_GPU = ("kilosort", "kilosort2", "kilosort2_5", "kilosort3", "kilosort4")

Check = Callable[[Group, SortingPipelineConfig, SorterBackend], Iterator[Finding]]


def check_group(group: Group, config: SortingPipelineConfig, backend: SorterBackend) -> None:
    """Raise the first finding that ends the run, and warn about the others; nothing is read of the recordings.

    Raises
    ------
    Exception
        The failure that the finding means. With ``preflight_strict``, warnings are failures.
    """
    if not config.execution.preflight:
        return
    for finding in preflight(group, config, backend):
        if finding.fatal or config.execution.preflight_strict:
            raise finding.error
        warn_user(str(finding.error))


def preflight(group: Group, config: SortingPipelineConfig, backend: SorterBackend) -> list[Finding]:
    """All findings about a group."""
    return [finding for check in CHECKS for finding in check(group, config, backend)]


def _files(group: Group, config: SortingPipelineConfig, backend: SorterBackend) -> Iterator[Finding]:
    """A missing file fails alone when it is opened; that all are missing is known before."""
    paths = [part.given for part in group.parts if isinstance(part.given, Path)]
    if paths and len(paths) == len(group.parts) and not any(path.exists() for path in paths):
        yield Finding(RecordingError(f"{paths[0]} does not exist; check the path"), True)


def _folders(group: Group, config: SortingPipelineConfig, backend: SorterBackend) -> Iterator[Finding]:
    for folder in (group.intermediate, group.results):
        place = folder
        while not place.exists():
            place = place.parent
        if not place.is_dir() or not os.access(place, os.W_OK):
            yield Finding(OutputError(f"{folder} cannot be written to; choose another folder"), True)


def _disk(group: Group, config: SortingPipelineConfig, backend: SorterBackend) -> Iterator[Finding]:
    execution = config.execution
    for folder, wanted, name in (
        (group.intermediate, execution.preflight_min_free_inter_gb, "preflight_min_free_inter_gb"),
        (group.results, execution.preflight_min_free_results_gb, "preflight_min_free_results_gb"),
    ):
        free = disk_free_bytes(folder) / 1e9
        if free < wanted:
            yield Finding(
                DiskExhaustionError(
                    f"the disk of {folder} has {free:.3g} GB free and {name} is {wanted:g} GB; free some, or lower it",
                    folder=str(folder), free_gb_at_trip=free, abort_threshold_gb=wanted,
                ),
                False,
            )  # fmt: skip


def _memory(group: Group, config: SortingPipelineConfig, backend: SorterBackend) -> Iterator[Finding]:
    free, wanted = memory_free_bytes() / 1e9, config.execution.preflight_min_available_ram_gb
    if free < wanted:
        error = HostMemoryWatchdogError(
            f"{free:.3g} GB of memory are free and preflight_min_available_ram_gb is {wanted:g} GB; end other programs",
            percent_at_trip=float("nan"), abort_pct=config.execution.host_ram_abort_pct,
        )  # fmt: skip
        yield Finding(error, False)


def _sorter(group: Group, config: SortingPipelineConfig, backend: SorterBackend) -> Iterator[Finding]:
    if type(backend).sort is not SorterBackend.sort or backend.name.startswith(OWN):
        return
    if config.sorter.use_docker:
        trouble = docker_trouble(backend.name)
        if trouble is not None:
            yield Finding(trouble, True)
    elif backend.name not in installed_sorters():
        yield Finding(
            EnvironmentSortFailure(
                f"sorter {backend.name!r} is not installed here; install it, run it with use_docker=True, or use "
                "one of ours, such as sorter='default'"
            ),
            True,
        )


def docker_trouble(sorter: str) -> Exception | None:
    """Why no container can run here, as Docker itself says it; None if one can."""
    try:
        said = subprocess.run(["docker", "info"], capture_output=True, text=True, timeout=DOCKER_S, check=False)
    except FileNotFoundError:
        return DockerEnvironmentError(
            f"the container of {sorter} needs Docker, which is not installed here", reason="client_missing"
        )
    except subprocess.TimeoutExpired:
        return DockerEnvironmentError(
            f"the container of {sorter} needs Docker, which has not answered for {DOCKER_S} s; start it again",
            reason="daemon_down",
        )
    if not said.returncode:
        return None
    text = said.stderr.strip() or said.stdout.strip()
    return classify_failure(sorter, "", RuntimeError(text)) or DockerEnvironmentError(
        f"the container of {sorter} cannot run: {text}", reason="other"
    )


def _limits(group: Group, config: SortingPipelineConfig, backend: SorterBackend) -> Iterator[Finding]:
    """A batch opens the files of all chunks that it keeps, and delegated sorters start processes."""
    if os.name != "posix":
        return
    import resource

    for kind, least, name in (
        (resource.RLIMIT_NOFILE, OPEN_FILES_MIN, "open files (ulimit -n)"),
        (resource.RLIMIT_NPROC, PROCESSES_MIN, "processes (ulimit -u)"),
    ):
        allowed = resource.getrlimit(kind)[0]
        if allowed != resource.RLIM_INFINITY and allowed < least:
            error = EnvironmentSortFailure(f"only {allowed} {name} are allowed here; raise the limit to {least}")
            yield Finding(error, False)


def _rate(group: Group, config: SortingPipelineConfig, backend: SorterBackend) -> Iterator[Finding]:
    """Recordings at hand say their rate; files are asked when they are opened."""
    low, high = RATES_HZ.get(backend.name.removeprefix(OWN), (0.0, float("inf")))
    for part in group.parts:
        if isinstance(part.given, xr.DataArray):
            rate = float(part.given.attrs["sampling_frequency"])
            if not low <= rate <= high:
                error = RecordingError(
                    f"{part.name} has {rate:g} Hz, and {backend.name} is made for {low:g} to {high:g} Hz; resample it"
                )
                yield Finding(error, False)


def _gpu(group: Group, config: SortingPipelineConfig, backend: SorterBackend) -> Iterator[Finding]:
    here = backend.name in NEED_GPU and not config.sorter.use_docker and backend.name in installed_sorters()
    if here and not gpu_states():
        yield Finding(
            EnvironmentSortFailure(f"{backend.name} needs a GPU, and none is seen here; it may be slow, or fail"), False
        )


def _parameters(group: Group, config: SortingPipelineConfig, backend: SorterBackend) -> Iterator[Finding]:
    if config.sorter.sorter_path is not None and not Path(config.sorter.sorter_path).is_dir():
        yield Finding(ParameterError(f"sorter_path is {config.sorter.sorter_path!r}, and no such folder exists"), True)


#: All checks, the quick ones first.
CHECKS: tuple[Check, ...] = (_files, _folders, _disk, _memory, _limits, _parameters, _rate, _sorter, _gpu)
