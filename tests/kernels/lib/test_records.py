"""The record of a peak has SpikeInterface's fields, and more can be appended."""

from __future__ import annotations

import numpy as np
import pytest
from spikeinterface.core.node_pipeline import base_peak_dtype

from xephys.kernels.lib.records import PEAK_DTYPE, add_fields


def test_fields_are_those_of_spikeinterface():
    theirs = dict(base_peak_dtype)
    assert set(PEAK_DTYPE.names) == set(theirs)
    for name in PEAK_DTYPE.names:
        assert PEAK_DTYPE[name].kind == np.dtype(theirs[name]).kind, name


def test_add_fields_keeps_the_old_ones():
    events = np.zeros(2, dtype=PEAK_DTYPE)
    events["amplitude"] = 1, 2
    table = add_fields(events, [("x", "<f8", ()), ("p", "<f4", (2, 3))])
    assert table["p"].shape == (2, 2, 3)
    assert table["amplitude"].tolist() == [1, 2]
    with pytest.raises(ValueError, match="already have a field 'x'"):
        add_fields(table, [("x", "<f8", ())])
