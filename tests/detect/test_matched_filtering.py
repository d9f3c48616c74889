"""Detection by a matched filter: true spikes are found, wrong parameters refused."""

from __future__ import annotations

import pytest

import xephys
from tests.support.spiking import case, separate, share_found
from xephys import ParameterError


def test_matched_filtering_finds_the_spikes():
    fitted = xephys.estimate_matched_filter(case().filtered, detect_threshold=6.0)
    found = xephys.detect_peaks(case().filtered, method="matched_filtering", matched_filter=fitted).compute()
    true = case().truth.spikes["sample_index"]
    assert share_found(found["sample_index"], true[separate(true)], window=10) > 0.98
    assert len(found) < 1.5 * len(true)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"echo_radius_um": -1.0}, "echo_radius_um is -1; it must be at least 0"),
        ({"noise_levels": 1.0}, "method 'matched_filtering' has no parameter 'noise_levels'"),
        ({}, "matched_filter is missing; give that of estimate_matched_filter"),
    ],
)
def test_wrong_parameters_of_a_matched_filter(parameters, message):
    with pytest.raises(ParameterError, match=message):
        xephys.detect_peaks(case().filtered, method="matched_filtering", **parameters)
