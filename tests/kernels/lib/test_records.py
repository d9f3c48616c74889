"""The record of a peak has SpikeInterface's fields."""

from __future__ import annotations

import numpy as np
from spikeinterface.core.node_pipeline import base_peak_dtype

from xephys.kernels.lib.records import PEAK_DTYPE


def test_fields_are_those_of_spikeinterface():
    theirs = dict(base_peak_dtype)
    assert set(PEAK_DTYPE.names) == set(theirs)
    for name in PEAK_DTYPE.names:
        assert PEAK_DTYPE[name].kind == np.dtype(theirs[name]).kind, name
