"""Events as a lazy table over a recording, ready for a feature stage, and the window around each."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from .. import schema
from ..checks import check_positive
from ..errors import ParameterError, RecordingError
from ..graph.events import SpikeTable, given_events_stage
from ..recording.stages import recording_plan, same_traces


def event_table(recording: xr.DataArray, peaks: SpikeTable | NDArray[Any]) -> SpikeTable:
    """Peaks as a lazy table over ``recording``, ready for a feature stage.

    A table detected on this very recording is continued in the same pass; computed records are handed to the tiles
    they fall into.

    Raises
    ------
    RecordingError
        If a lazy table belongs to another recording.
    """
    if isinstance(peaks, SpikeTable):
        if not same_traces(recording, peaks.plan):
            raise RecordingError(
                "these peaks are lazy and were detected on another recording (or on other transforms of it); "
                "compute them first: peaks.compute()"
            )
        return peaks
    schema.validate_recording(recording)
    stage = given_events_stage(np.asarray(peaks))
    return SpikeTable.of_plan(recording_plan(recording).then(stage))


def window_samples(ms_before: float, ms_after: float, sampling_frequency: float) -> tuple[int, int]:
    """Samples before the peak, and from the peak on, of a window given in milliseconds."""
    check_positive(ms_after=ms_after)
    if ms_before < 0:
        raise ParameterError(f"ms_before is {ms_before:g}; it must be at least 0")
    nbefore = round(ms_before * 1e-3 * sampling_frequency)
    return nbefore, max(1, round(ms_after * 1e-3 * sampling_frequency))
