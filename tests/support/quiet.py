"""A recording on a small probe, for errors and unusual cases."""

from __future__ import annotations

import numpy as np

from xephys.schema import make_recording

RATE = 30_000


def recording_of(traces, **coordinates):
    """A recording on a probe of two columns."""
    n = traces.shape[1]
    places = {"x": np.arange(n) % 2 * 20.0, "y": np.arange(n) // 2 * 20.0}
    return make_recording(traces, sampling_frequency=float(RATE), coordinates={**places, **coordinates})
