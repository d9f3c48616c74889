"""Values of fields: types, limits, and fields without effect."""

from __future__ import annotations

import numpy as np
import pytest

from xephys.errors import ParameterError, XephysWarning
from xephys.pipeline.config.execution import ExecutionConfig
from xephys.pipeline.config.groups import CurationConfig, RecordingConfig, RTSortConfig, WaveformConfig


def test_numbers_of_numpy_and_whole_numbers_become_plain_ones() -> None:
    config = CurationConfig(fr_min=np.float32(1), spikes_min_first=np.int64(7))
    assert (type(config.fr_min), type(config.spikes_min_first)) == (float, int)


def test_lists_become_tuples_and_their_items_are_checked() -> None:
    assert RecordingConfig(rec_chunks=np.array([[0, 10]])).rec_chunks == ((0, 10),)  # type: ignore[arg-type]
    with pytest.raises(ParameterError, match=r"rec_chunks is .*give a list"):
        RecordingConfig(rec_chunks=[(0.5, 10)])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("group", "values", "message"),
    [
        (CurationConfig, {"isi_viol_max": 1.5}, "at most 1 fraction"),
        (CurationConfig, {"snr_min": "5"}, "a str; give a number or None"),
        (CurationConfig, {"snr_min": float("nan")}, "must be at least 0"),
        (CurationConfig, {"isi_violation_method": "hll"}, "did you mean 'hill'"),
        (CurationConfig, {"spikes_min_first": True}, "a bool; give a whole number or None"),
        (RTSortConfig, {"recording_window_ms": (1,)}, "give a list or None"),
        (RecordingConfig, {"freq_min": 7000}, "not below freq_max"),
        (RecordingConfig, {"start_time_s": 3, "end_time_s": 2}, "not before"),
        (RecordingConfig, {"first_n_mins": 3, "end_time_s": 2}, "give one of them"),
        (RecordingConfig, {"rec_chunks": [(0, 9)], "end_time_s": 2}, "epochs alone"),
        (RecordingConfig, {"rec_chunks": [(0, 9)], "rec_chunks_s": [(0, 9)]}, "samples or in seconds"),
        (RecordingConfig, {"rec_chunks": [(9, 3)]}, "an epoch starts"),
        (ExecutionConfig, {"out_file": "a/b"}, "not a path"),
        (ExecutionConfig, {"total_memory": "much"}, "not an amount of memory"),
    ],
)
def test_wrong_values_are_refused(group: type, values: dict[str, object], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        group(**values)


def test_a_field_without_effect_says_what_replaces_it() -> None:
    with pytest.warns(XephysWarning, match="streaming=False has no effect here: waveforms are always read chunk"):
        WaveformConfig(streaming=False)
