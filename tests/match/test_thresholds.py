"""A threshold for each template, and matching with thresholds."""

from __future__ import annotations

import numpy as np
import pytest

import xephys
from xephys import ParameterError, RecordingError

from ..support.spiking import case


@pytest.fixture(scope="module")
def templates():
    return xephys.estimate_templates(
        case().white, case().spikes, peak_channels=case().truth.peak_channels, ms_before=0.9, n_nearest=16
    )


@pytest.fixture(scope="module")
def matched(templates):
    return xephys.match_templates(case().white, templates=templates, match_threshold=4.0, noise_gain=2.5).compute()


def test_each_threshold_is_within_the_limits(templates, matched):
    found = xephys.balance_thresholds(case().white, matched, templates=templates, noise_gain=2.5)
    assert found.shape == (templates.sizes["unit"],)
    assert np.all((found >= 4.0) & (found <= 6.5))
    doubled = xephys.balance_thresholds(
        case().white, matched, templates=templates, noise_gain=2.5, match_threshold=10.0
    )
    assert np.all((doubled >= 8.0) & (doubled <= 13.0))


def test_templates_with_few_spikes_get_the_default_threshold(templates, matched):
    found = xephys.balance_thresholds(case().white, matched[:10], templates=templates, noise_gain=2.5)
    assert (found == 5.0).all()


def test_matching_with_several_thresholds_combines_matching_with_each(templates):
    """No spike of one unit is near the other's threshold, so the spikes of each unit follow from its own threshold."""
    n_units = templates.sizes["unit"]
    thresholds = np.full(n_units, 5.0)
    thresholds[0] = 60.0
    given = {"templates": templates, "noise_gain": 2.5}
    usual = xephys.match_templates(case().white, match_threshold=5.0, **given).compute()
    each = xephys.match_templates(case().white, match_threshold=thresholds, **given).compute()
    all_five = xephys.match_templates(case().white, match_threshold=np.full(n_units, 5.0), **given).compute()
    np.testing.assert_array_equal(all_five, usual)
    assert (usual["unit_index"] == 0).any()
    assert not (each["unit_index"] == 0).any()
    left = xephys.match_residual(case().white, match_threshold=thresholds, **given).values
    assert np.abs(left).max() > np.abs(xephys.match_residual(case().white, match_threshold=5.0, **given).values).max()


def test_wrong_thresholds_are_refused(templates, matched):
    n_units = templates.sizes["unit"]
    with pytest.raises(ParameterError, match=rf"match_threshold has the shape \(2,\) and there are {n_units} templat"):
        xephys.match_templates(case().white, templates=templates, match_threshold=np.full(2, 5.0))
    with pytest.raises(ParameterError, match=r"match_threshold is 0\.0; it must be greater than 0"):
        xephys.match_templates(case().white, templates=templates, match_threshold=np.zeros(n_units))
    with pytest.raises(ParameterError, match="match_threshold is -1; it must be greater than 0"):
        xephys.balance_thresholds(case().white, matched, templates=templates, match_threshold=-1)
    with pytest.raises(RecordingError, match="they come from another probe"):
        xephys.balance_thresholds(case().white.isel(channel=slice(0, 4)), matched, templates=templates)
