"""The description of a recording: read from its labels without computing."""

from __future__ import annotations

import numpy as np
import pytest

from xephys.recording.facts import exact, recording_facts
from xephys.schema import make_recording
from xephys.testing import forbid_compute, simulate_recording


def test_facts_of_a_file_like_recording():
    recording, _ = simulate_recording(duration_s=150.0, n_channels=8, n_units=1, seed=0)
    with forbid_compute():
        facts = dict(recording_facts(recording.assign_coords(bad=("channel", np.arange(8) == 2))))
    assert facts["channels"] == "8 (0 to 7)"
    assert facts["sampling rate"] == "30000 Hz"
    assert facts["duration"] == "2 min 30 s (4,500,000 samples)"
    assert facts["bad channels"] == "2"
    assert facts["scaling"] == "0.195 µV per count"
    assert facts["chunks"] == "75 of 2 s, 1 task each"
    assert facts["probe"].startswith("8 contacts over ")


def test_facts_of_traces_in_memory():
    facts = dict(
        recording_facts(make_recording(np.zeros((500, 1)), sampling_frequency=1000.0, units="uV", start_s=3.0))
    )
    assert facts["starts at"] == "3 s"
    assert facts["scaling"] == "in microvolts"
    assert facts["probe"] == "none: sorting needs one (--probe FILE)"
    assert "chunks" not in facts


@pytest.mark.parametrize(
    ("rate", "text"), [(30_000.0, "30000"), (24414.0625, "24414.0625"), (29999.954846, "29999.954846")]
)
def test_rates_are_not_rounded(rate, text):
    assert exact(rate) == text
