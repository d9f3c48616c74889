"""Localization: near the true somata, equal to SpikeInterface's, and independent of the pass."""

from __future__ import annotations

import numpy as np
import pytest

import xephys
from tests.support.spiking import RATE, case, peaks, separate
from xephys import ParameterError, RecordingError
from xephys.schema import make_recording

METHODS = ("center_of_mass", "grid_convolution", "monopolar_triangulation")


def true_unit_of(records):
    """Unit of each peak that belongs to exactly one isolated spike, -1 for the others."""
    spikes = case().truth.spikes
    alone = spikes[separate(spikes["sample_index"])]
    at = np.searchsorted(alone["sample_index"], records["sample_index"] - 6)
    inside = np.minimum(at, len(alone) - 1)
    near = np.abs(alone["sample_index"][inside] - records["sample_index"]) <= 6
    return np.where(near, alone["unit_index"][inside], -1)


@pytest.mark.parametrize("method", METHODS)
def test_near_the_somata(records, method):
    limit_um = 25.0
    located = xephys.localize_peaks(case().filtered, records, method=method).compute()
    unit = true_unit_of(located)
    truth = case().truth.unit_positions
    for k in range(len(truth)):
        own = located[unit == k]
        assert len(own) > 10
        assert abs(np.median(own["y"]) - truth[k, 1]) < limit_um
        assert np.std(own["y"]) < limit_um


@pytest.mark.parametrize("method", METHODS)
def test_localization_during_or_after_detection_is_the_same(records, method):
    lazy = xephys.localize_peaks(case().filtered, peaks(radius_um=150.0), method=method).compute()
    later = xephys.localize_peaks(case().filtered, records, method=method).compute()
    # Not to the bit: filtering starts further before a tile for detection than for localization.
    for name in ("sample_index", "channel_index"):
        assert np.array_equal(lazy[name], later[name])
    for name in "xyz":
        np.testing.assert_allclose(lazy[name], later[name], atol=0.01)
    assert ("alpha" in lazy.dtype.names) == (method == "monopolar_triangulation")


def test_bad_input_is_refused(records):
    table = peaks()
    with pytest.raises(ParameterError, match=r"method is 'centre_of_mass'.*did you mean 'center_of_mass'"):
        xephys.localize_peaks(case().filtered, table, method="centre_of_mass")
    with pytest.raises(ParameterError, match=r"feature is 'ptpp'.*did you mean 'ptp'"):
        xephys.localize_peaks(case().filtered, table, feature="ptpp")
    with pytest.raises(ParameterError, match="radius_um is 0; it must be greater than 0"):
        xephys.localize_peaks(case().filtered, table, radius_um=0)
    with pytest.raises(ParameterError, match="ms_before is -1; it must be at least 0"):
        xephys.localize_peaks(case().filtered, table, ms_before=-1)
    located = xephys.localize_peaks(case().filtered, table)
    with pytest.raises(ParameterError, match="the peaks already have x, y, z"):
        xephys.localize_peaks(case().filtered, located)
    with pytest.raises(ParameterError, match=r"prototype has shape \(3,\)"):
        xephys.localize_peaks(case().filtered, table, method="grid_convolution", prototype=np.ones(3))
    with pytest.raises(RecordingError, match="were detected on another recording"):
        xephys.localize_peaks(case().white, table)
    bare = make_recording(case().filtered.values[:3000], sampling_frequency=RATE)
    with pytest.raises(RecordingError, match="localization needs the positions"):
        xephys.localize_peaks(bare, records[:0])
    with pytest.raises(ValueError, match="not sorted by sample_index; sort them first"):
        xephys.localize_peaks(case().filtered, records[::-1])
