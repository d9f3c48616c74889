"""The prototype and the footprints of a matched filter."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import xephys
from tests.support.spiking import RATE, case, peaks
from xephys import ParameterError
from xephys.detect.matched_filter import prototype_of_components


def test_the_prototype_has_the_shape_of_the_mean_spike():
    """For either sign of the component; spikes of this recording are negative."""
    table, window = peaks(), {"ms_before": 0.4, "ms_after": 0.6}
    nbefore = round(0.4e-3 * RATE)
    learned = xephys.learn_components(case().filtered, table, n_components=3, n_tiles=None, **window)
    waveforms = xephys.extract_snippets(case().filtered, table, **window).compute()["waveform"]
    mean = waveforms.mean(axis=0)
    for components in (learned, (-learned).assign_attrs(learned.attrs)):
        found = prototype_of_components(components, sampling_frequency=RATE, **window)
        assert found[nbefore] == -1
        assert found @ mean > 0.97 * np.linalg.norm(found) * np.linalg.norm(mean)
        narrow = {"ms_before": 0.2, "ms_after": 0.3}
        part = prototype_of_components(components, sampling_frequency=RATE, peak_sign="pos", **narrow)
        first = nbefore - round(0.2e-3 * RATE)
        np.testing.assert_allclose(part, -found[first : first + len(part)])


def test_a_prototype_longer_than_its_components_is_refused():
    components = xr.DataArray([[0.0, 0.1, 0.0, 0.3]], dims=("component", "sample"), attrs={"nbefore": 2})
    with pytest.raises(
        ParameterError, match="reach 2 samples before the peak and 2 from it on; a prototype of 1 and 3"
    ):
        prototype_of_components(components, sampling_frequency=1e3, ms_before=1, ms_after=3)
    with pytest.raises(ParameterError, match="the first component is 0 at the peak"):
        prototype_of_components(components, sampling_frequency=1e3, ms_before=1, ms_after=1)


def test_footprints_have_as_many_channels_as_asked_for():
    few = xephys.estimate_matched_filter(case().filtered, depths_um=(30.0,), decay_um=25.0, n_nearest=5)
    assert few.sizes["depth"] == 1
    assert (np.diff(few["weight_offsets"]) == 5).all()
    with pytest.raises(ParameterError, match=r"depths_um is \[-1\]; give at least one depth, none of them negative"):
        xephys.estimate_matched_filter(case().filtered, depths_um=(-1,))
    with pytest.raises(ParameterError, match="n_nearest is 0"):
        xephys.estimate_matched_filter(case().filtered, n_nearest=0)
