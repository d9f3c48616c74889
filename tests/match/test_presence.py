"""Matched spikes are judged by the displacement at which they occurred."""

from __future__ import annotations

import numpy as np

from xephys.match.presence import fires_there
from xephys.motion.displacement import make_motion
from xephys.motion.registered import Tissue
from xephys.testing import simulate_recording

DTYPE = [(name, "i8") for name in ("sample_index", "channel_index", "unit_index")] + [
    (name, "f8") for name in ("amplitude", "gain")
]


def drifting() -> Tissue:
    """A motion of 20 s from -20 to 20 µm at constant speed."""
    recording, _ = simulate_recording(duration_s=1, n_channels=8, n_units=1)
    return Tissue.of(recording, make_motion([[-20.0], [20.0]], time_s=[0.0, 20.0], depth_um=[0]))


def test_matches_of_a_unit_where_it_does_not_fire_are_removed():
    """The unit fires for ten seconds; later matches of its template barely exceed the threshold."""
    rng = np.random.default_rng(0)
    spikes = np.zeros(400, DTYPE)
    spikes["sample_index"] = np.sort(rng.integers(0, 600_000, 400))
    early = spikes["sample_index"] < 300_000
    level = np.where(early, rng.normal(10, 1, 400), 5 + rng.exponential(0.5, 400))
    spikes["gain"], energy = level**2, 100.0
    # With the prior p = 100, a spike of size s and energy e has a = (s e + p) / (e + p) and gain a (s e + p) - p.
    spikes["amplitude"] = np.sqrt((spikes["gain"] + 100.0) / (energy + 100.0))
    firing = fires_there(spikes, tissue=drifting(), n_units=1, match_threshold=5.0, noise_gain=1.0)
    assert firing[early].mean() > 0.95 and firing[~early].mean() < 0.2


def test_without_spikes_nothing_is_removed():
    none = np.zeros(0, DTYPE)
    assert fires_there(none, tissue=drifting(), n_units=3, match_threshold=5.0, noise_gain=1.0).shape == (0,)
