"""Spikes in the order of unit, segment and sample."""

from __future__ import annotations

import numpy as np
import xarray as xr

from xephys.analysis.facts import Facts
from xephys.analysis.results import Analysis, Settings
from xephys.analysis.subject import Subject
from xephys.recording.segments import tree_of
from xephys.sorting import build_sorting


def test_spikes_are_ordered_by_unit_then_segment(recording: xr.DataArray) -> None:
    sorting = build_sorting(
        tree_of([recording, recording]),
        spikes={"sample_index": [5, 9, 9, 5], "unit_index": [1, 0, 1, 1], "segment_index": [0, 0, 1, 1]},
        units={"label": ["good"] * 3},
    )
    subject = Subject.of(sorting, tree_of([recording, recording]))
    facts = Facts(Analysis(subject=subject, settings=Settings()), {}, np.ones(3, bool))
    assert facts.samples.tolist() == [9, 5, 5, 9]
    assert facts.joined.tolist() == [9, 5, 300_005, 300_009]
    assert facts.bounds.tolist() == [0, 1, 4, 4]
    assert facts.parts.tolist() == [[0, 1, 1], [1, 2, 4], [4, 4, 4]]
    assert facts.num_spikes.tolist() == [1, 3, 0]
    assert facts.duration_s == 20.0
