"""The results of a batch, one for each recording in the order of the inputs: units, or a classified failure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from ...checks import check_choice
from ...errors import ParameterError, RecordingError
from ..failures import Failure
from .spike_data import SpikeData

if TYPE_CHECKING:
    import pandas as pd

#: Folder of one recording's units below its folder of results.
CURATED_NAME = "curated"
#: Folders of stages below a group's folder of results; hidden from users who look for units.
STAGES_NAME = ".stages"


@dataclass(frozen=True)
class RecordingResult:
    """What became of one recording.

    Attributes
    ----------
    name
        Name of the recording.
    sorter
        Name of the sorter that ran.
    status
        ``"success"``, ``"failed"``, or what gave out: ``"oom_gpu"``, ``"oom_host_ram"``, ``"oom_memoryerror"``,
        ``"sorter_timeout"``, ``"disk_exhausted"``, ``"gpu_thermal"``, ``"io_stall"``, ``"concurrent_sort"``.
    folder
        Folder of its results.
    failure
        Why there are no units; None if there are.
    wall_time_s, n_curated_units, retries_used, log_path
        Duration, number of units, repetitions with smaller chunks, and the sorter's log if it left one.
    stages
        ``"computed"`` or ``"kept"`` for each stage.
    owns_folder
        Whether a report may be written to the folder: False if its results are, or may be, those of another recording
        or process.
    """

    name: str
    sorter: str
    status: str
    folder: Path
    failure: Failure | None = None
    wall_time_s: float = 0.0
    n_curated_units: int = 0
    retries_used: int = 0
    log_path: str | None = None
    stages: Mapping[str, str] = field(default_factory=dict)
    owns_folder: bool = True

    @property
    def error_class(self) -> str:
        """Class of the failure; empty if there is none."""
        return "" if self.failure is None else self.failure.error

    @property
    def error_message(self) -> str:
        """Message of the failure, at most 500 characters."""
        return "" if self.failure is None else self.failure.message[:500]

    @property
    def spike_data(self) -> SpikeData:
        """The units, opened from the folder of results.

        Raises
        ------
        RecordingError
            If the recording failed.
        """
        if self.failure is not None:
            raise RecordingError(f"{self.name} has no units: {self.failure}")
        return SpikeData.open(self.folder / CURATED_NAME)


@dataclass(frozen=True)
class BatchResults(Sequence[RecordingResult]):
    """Results in the order of the inputs; a folder that was sorted jointly has one for each of its recordings.

    Attributes
    ----------
    results
        The results.
    """

    results: tuple[RecordingResult, ...]

    def __repr__(self) -> str:
        return f"<BatchResults: {len(self) - len(self.failures)} sorted, {len(self.failures)} failed>"

    def __len__(self) -> int:
        return len(self.results)

    @overload
    def __getitem__(self, key: int | str) -> RecordingResult: ...
    @overload
    def __getitem__(self, key: slice) -> BatchResults: ...
    def __getitem__(self, key: int | str | slice) -> RecordingResult | BatchResults:
        """A result by its position or name, or several by a slice.

        Raises
        ------
        IndexError
            If there are fewer results.
        ParameterError
            If no result has this name, or several have it.
        """
        if isinstance(key, slice):
            return BatchResults(self.results[key])
        if isinstance(key, str):
            names = [result.name for result in self]
            if names.count(key) > 1:
                raise ParameterError(f"{names.count(key)} results are named {key!r}; give their position")
            check_choice("name", key, tuple(names))
            return self.results[names.index(key)]
        if not -len(self) <= key < len(self):
            raise IndexError(f"there are {len(self)} results, and number {key} is asked for; they count from 0")
        return self.results[key]

    def __iter__(self) -> Iterator[RecordingResult]:
        return iter(self.results)

    @property
    def failures(self) -> list[RecordingResult]:
        """The results of recordings without units."""
        return [result for result in self if result.failure is not None]

    def table(self) -> pd.DataFrame:
        """One row per recording: name, sorter, status, units, time, what was kept, and the failure."""
        import pandas as pd

        return pd.DataFrame(
            [
                {
                    "recording": result.name,
                    "sorter": result.sorter,
                    "status": result.status,
                    "n_curated_units": result.n_curated_units,
                    "wall_time_s": result.wall_time_s,
                    "retries_used": result.retries_used,
                    "kept": ", ".join(name for name, how in result.stages.items() if how == "kept"),
                    "error_class": result.error_class,
                    "error_message": result.error_message,
                }
                for result in self
            ]
        )


def as_record(result: RecordingResult) -> dict[str, Any]:
    """A result as plain values, for its report."""
    return {
        "name": result.name,
        "sorter": result.sorter,
        "status": result.status,
        "wall_time_s": round(result.wall_time_s, 3),
        "n_curated_units": result.n_curated_units,
        "retries_used": result.retries_used,
        "log_path": result.log_path,
        "stages": dict(result.stages),
        "failure": None if result.failure is None else result.failure.to_dict(),
    }
