"""Results in order, with a table."""

from __future__ import annotations

from pathlib import Path

import pytest

from xephys.errors import ParameterError, RecordingError
from xephys.pipeline import BatchResults, RecordingResult
from xephys.pipeline.batch.results import as_record
from xephys.pipeline.failures import Failure


def test_a_failed_recording_has_a_row_and_no_units(tmp_path: Path) -> None:
    bad = RecordingResult("b", "default", "oom_gpu", tmp_path, Failure("resource", "GPUOutOfMemoryError", "x" * 600))
    good = RecordingResult("a", "default", "success", tmp_path, n_curated_units=4, stages={"sorting": "kept"})
    results = BatchResults((good, bad))
    assert results.failures == [bad] and results[1] is bad and results[:1] == BatchResults((good,))
    assert results["b"] is bad and results[-1] is bad
    with pytest.raises(ParameterError, match="name is 'c'; it must be one of 'a', 'b'"):
        _ = results["c"]
    with pytest.raises(ParameterError, match="2 results are named 'a'"):
        _ = BatchResults((good, good))["a"]
    with pytest.raises(IndexError, match="there are 2 results, and number 2"):
        _ = results[2]
    table = results.table()
    assert table["status"].tolist() == ["success", "oom_gpu"] and table["kept"].tolist() == ["sorting", ""]
    assert len(table["error_message"][1]) == 500
    with pytest.raises(RecordingError, match="b has no units"):
        _ = bad.spike_data
    assert as_record(bad)["failure"]["error"] == "GPUOutOfMemoryError"
