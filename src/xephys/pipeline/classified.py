"""Failures by what has to be done about them: skip the recording, mend the environment, or retry with less.

Each class carries the numbers and places that led to it, as attributes, and survives being sent between processes.
"""

from __future__ import annotations

from typing import Any, ClassVar


class SpikeSortingClassifiedError(RuntimeError):
    """A failure whose cause is known.

    Attributes
    ----------
    kind
        As in ``xephys.pipeline.failures.Failure``.
    policy
        What helps: ``"skip"`` the recording, ``"stop"`` the batch, or ``"retry"`` with less at a time.
    status
        Status of the recording in a table of results.
    """

    kind: ClassVar[str] = "unexpected"
    policy: ClassVar[str] = "stop"
    status: ClassVar[str] = "failed"

    def __init__(self, message: str) -> None:
        super().__init__(message)

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (type(self), str(self), dict(self.__dict__))

    @property
    def attributes(self) -> dict[str, Any]:
        """What led to the failure, by name."""
        return {name: value for name, value in self.__dict__.items() if not name.startswith("_")}


def _restored(kind: type[SpikeSortingClassifiedError], message: str, state: dict[str, Any]) -> Any:
    error = kind.__new__(kind, message)
    error.args = (message,)
    error.__dict__.update(state)
    return error


class BiologicalSortFailure(SpikeSortingClassifiedError):
    """The recording itself cannot be sorted; others can."""

    kind, policy = "recording", "skip"


class EnvironmentSortFailure(SpikeSortingClassifiedError):
    """Something is missing or in the way on this machine; other recordings meet it too."""

    kind, policy = "installation", "stop"


class ResourceSortFailure(SpikeSortingClassifiedError):
    """Memory, disk or time gave out; less at a time may do. ``resource`` says what, as in ``Failure``."""

    kind, policy = "resource", "retry"
    resource: ClassVar[str] = ""


class InsufficientActivityError(BiologicalSortFailure):
    """Too few spikes to find units."""

    def __init__(
        self,
        message: str,
        *,
        sorter: str,
        threshold_crossings: int | None = None,
        units_at_failure: int | None = None,
        nspks_at_failure: int | None = None,
        log_path: str | None = None,
    ) -> None:
        super().__init__(message)
        self.sorter, self.threshold_crossings = sorter, threshold_crossings
        self.units_at_failure, self.nspks_at_failure, self.log_path = units_at_failure, nspks_at_failure, log_path


class NoGoodChannelsError(BiologicalSortFailure):
    """Every channel is flat, bad or left out."""

    def __init__(
        self,
        message: str,
        *,
        sorter: str,
        total_channels: int | None = None,
        bad_channels: int | None = None,
        log_path: str | None = None,
    ) -> None:
        super().__init__(message)
        self.sorter, self.total_channels, self.bad_channels = sorter, total_channels, bad_channels
        self.log_path = log_path


class SaturatedSignalError(BiologicalSortFailure):
    """Most channels stay at the ends of the converter's range."""

    def __init__(
        self, message: str, *, channels_saturated: int | None = None, total_channels: int | None = None
    ) -> None:
        super().__init__(message)
        self.channels_saturated, self.total_channels = channels_saturated, total_channels


class EmptyWaveformMetricsError(BiologicalSortFailure, ValueError):
    """A metric was asked of units without waveforms."""

    def __init__(self, message: str, *, metric_name: str | None = None) -> None:
        super().__init__(message)
        self.metric_name = metric_name


class HDF5PluginMissingError(EnvironmentSortFailure):
    """The file is compressed by a filter that HDF5 cannot find."""

    def __init__(self, message: str, *, configured_path: str | None = None) -> None:
        super().__init__(message)
        self.configured_path = configured_path


class DockerEnvironmentError(EnvironmentSortFailure):
    """Containers cannot be run here.

    ``reason`` is ``"daemon_down"``, ``"client_missing"``, ``"image_pull_failed"``, ``"permission_denied"`` or
    ``"other"``.
    """

    def __init__(self, message: str, *, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class ModelLoadingError(EnvironmentSortFailure):
    """The detector's model cannot be loaded."""

    def __init__(self, message: str, *, sorter: str = "rt_sort", model_path: str | None = None) -> None:
        super().__init__(message)
        self.sorter, self.model_path = sorter, model_path


class ConcurrentSortError(EnvironmentSortFailure):
    """Another process is sorting into the same folder."""

    status = "concurrent_sort"

    def __init__(
        self,
        message: str,
        *,
        lock_path: str,
        holder_pid: int | None = None,
        holder_hostname: str | None = None,
        started_at: str | None = None,
    ) -> None:
        super().__init__(message)
        self.lock_path, self.holder_pid = lock_path, holder_pid
        self.holder_hostname, self.started_at = holder_hostname, started_at


class GPUOutOfMemoryError(ResourceSortFailure):
    """The GPU's memory gave out."""

    status, resource = "oom_gpu", "GPU memory"

    def __init__(self, message: str, *, sorter: str, log_path: str | None = None) -> None:
        super().__init__(message)
        self.sorter, self.log_path = sorter, log_path


class SorterTimeoutError(ResourceSortFailure):
    """The sorter was silent for too long."""

    status, resource = "sorter_timeout", "time"

    def __init__(self, message: str, *, sorter: str, inactivity_s: float, log_path: str | None = None) -> None:
        super().__init__(message)
        self.sorter, self.inactivity_s, self.log_path = sorter, inactivity_s, log_path


class DiskExhaustionError(ResourceSortFailure):
    """The disk is full, or nearly so."""

    status, resource = "disk_exhausted", "disk"

    def __init__(
        self,
        message: str,
        *,
        folder: str,
        free_gb_at_trip: float | None = None,
        abort_threshold_gb: float | None = None,
        report: str | None = None,
    ) -> None:
        super().__init__(message)
        self.folder, self.free_gb_at_trip = folder, free_gb_at_trip
        self.abort_threshold_gb, self.report = abort_threshold_gb, report


class GpuMemoryWatchdogError(ResourceSortFailure):
    """The GPU's memory is nearly full."""

    status, resource = "oom_gpu", "GPU memory"

    def __init__(self, message: str, *, device_index: int, used_pct: float, abort_pct: float) -> None:
        super().__init__(message)
        self.device_index, self.used_pct, self.abort_pct = device_index, used_pct, abort_pct


class GpuThermalWatchdogError(ResourceSortFailure):
    """The GPU is too hot."""

    status, resource = "gpu_thermal", "GPU"

    def __init__(self, message: str, *, device_index: int, temperature_c: float, abort_temp_c: float) -> None:
        super().__init__(message)
        self.device_index, self.temperature_c, self.abort_temp_c = device_index, temperature_c, abort_temp_c


class HostMemoryWatchdogError(ResourceSortFailure):
    """The machine's memory is nearly full."""

    status, resource = "oom_host_ram", "memory"

    def __init__(self, message: str, *, percent_at_trip: float, abort_pct: float) -> None:
        super().__init__(message)
        self.percent_at_trip, self.abort_pct = percent_at_trip, abort_pct


class HostOutOfMemoryError(ResourceSortFailure):
    """An allocation was refused, or a worker died for lack of memory."""

    status, resource = "oom_memoryerror", "memory"


class IOStallError(ResourceSortFailure):
    """Reads and writes stand still."""

    status, resource = "io_stall", "disk"

    def __init__(self, message: str, *, device: str, stall_s: float) -> None:
        super().__init__(message)
        self.device, self.stall_s = device, stall_s


def classified(error: BaseException) -> SpikeSortingClassifiedError | None:
    """The first classified failure in an error and its causes; None if there is none.

    Examples
    --------
    >>> try:
    ...     raise OSError("outside") from SaturatedSignalError("inside", channels_saturated=3, total_channels=4)
    ... except OSError as error:
    ...     classified(error).channels_saturated
    3
    """
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, SpikeSortingClassifiedError):
            return seen
        seen = seen.__cause__ or seen.__context__
    return None
