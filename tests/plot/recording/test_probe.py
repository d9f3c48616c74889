"""The probe: contacts with their names, bad ones crossed out."""

from __future__ import annotations

import numpy as np
import pytest

from xephys.errors import RecordingError
from xephys.plot import plot_probe


def test_probe_crosses_out_bad_channels(simulated):
    recording = simulated[0].assign_coords(bad=("channel", np.arange(8) == 2))
    ax = plot_probe(recording)
    assert len(ax.patches) == 8
    assert ax.lines[0].get_xydata().tolist() == [[recording.x.values[2], recording.y.values[2]]]
    assert {t.get_text() for t in ax.texts} == {str(c) for c in recording.channel.values}
    with pytest.raises(RecordingError, match="plot of the probe"):
        plot_probe(recording.drop_vars("x"))
