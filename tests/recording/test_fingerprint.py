"""The fingerprint of a recording does not depend on chunks and changes with anything else."""

from __future__ import annotations

from pathlib import Path

import pytest
import xarray as xr

from tests.support.labelled import make_labelled, make_samples
from tests.support.staged import with_stage
from xephys.graph.build import plan_of
from xephys.io.read.open import open_recording
from xephys.io.store.save import save_recording
from xephys.recording.fingerprint import recording_fingerprint


@pytest.fixture
def recording() -> xr.DataArray:
    return make_labelled(make_samples())


def test_the_fingerprint_changes_only_with_the_samples(tmp_path: Path, recording: xr.DataArray) -> None:
    save_recording(recording, tmp_path / "saved")
    one = open_recording(tmp_path / "saved", chunk_duration_s=2.0)
    other_chunks = open_recording(tmp_path / "saved", chunk_duration_s=0.3)
    assert recording_fingerprint(one) == recording_fingerprint(other_chunks)
    changed = [one[:-1], one[1:], one[:, :4], one.assign_coords(y=one.y + 1), with_stage(one)]
    assert len({recording_fingerprint(each) for each in [one, *changed]}) == 6
    assert plan_of(one.data) is not None
