"""Traces of correlated noise, for tests of whitening."""

from __future__ import annotations

import numpy as np

from xephys.schema import make_recording

N = 10
RNG = np.random.default_rng(1)
DISTANCE = np.abs(np.arange(N)[:, None] - np.arange(N))
MIXING = np.linalg.cholesky(np.exp(-DISTANCE / 2.0)) * np.linspace(5, 30, N)[:, None]
TRACES = (RNG.normal(size=(120_000, N)) @ MIXING.T).astype("f4")


def noise_recording(**coordinates):
    """Contacts in a line; noise is shared by neighbors and grows along the probe."""
    places = {"x": np.zeros(N), "y": 20.0 * np.arange(N)}
    return make_recording(TRACES, sampling_frequency=30_000.0, coordinates={**places, **coordinates})
