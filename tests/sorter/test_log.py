"""The log of a sorting: every split, merge and drop with its step, figures and reason."""

from __future__ import annotations

import json

import xephys
from xephys.testing import simulate_recording

STEPS = {"cluster", "refine 1", "look at what is left", "refine 2", "templates", "match", "units"}
FIGURES = {
    "split": {"unit", "part", "num_spikes", "beside", "depth", "ratio", "separation"},
    "drop": {"num_spikes", "channel_index"},
    "merge": {"first", "second", "residual", "scale", "shift", "observed", "expected"},
}


def log_of(seed):
    recording, _ = simulate_recording(preset="hard", duration_s=30.0, n_channels=32, n_units=32, seed=seed)
    return json.loads(xephys.sort(recording).attrs["log"])


def test_every_decision_is_logged_with_its_reason():
    """Of two recordings, because what is decided about one of them changes with the sorter."""
    log = [*log_of(8), *log_of(10)]
    assert {entry["step"] for entry in log} <= STEPS
    assert all(entry["reason"] for entry in log)
    clustering = [entry for entry in log if entry["step"] not in ("templates", "match", "units")]
    for action, figures in FIGURES.items():
        entries = [entry for entry in clustering if entry["action"] == action]
        assert entries, action
        assert all(figures <= set(entry) for entry in entries), action
    for entry in clustering:
        if entry["action"] == "split":
            assert entry["step"] != "cluster"
            assert entry["num_spikes"] >= 20
            # The two parts of a split had a gap between them, or were farther apart than the halves of one Gaussian.
            assert entry["depth"] >= 3.0 or entry["separation"] > 2.65


def test_sections_that_were_thinned_are_logged():
    """The entry says how many spikes a unit must have in the section to be found."""
    recording, _ = simulate_recording(duration_s=20.0, n_channels=16, n_units=8, seed=2)
    thinned = [
        [entry for entry in json.loads(sorting.attrs["log"]) if entry.get("action") == "thin"]
        for sorting in (xephys.sort(recording), xephys.sort(recording, n_peaks_per_section_max=300))
    ]
    assert thinned[0] == []
    assert thinned[1]
    for entry in thinned[1]:
        assert entry["step"] == "cluster"
        assert entry["num_clustered"] == 300 < entry["num_peaks"]
        assert entry["num_spikes_min"] == -(-20 * entry["num_peaks"] // 300)
