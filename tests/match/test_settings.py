"""Settings of matching: defaults, limits, and values that do not fit the templates."""

from __future__ import annotations

from inspect import signature

import pytest

import xephys
from tests.support.spiking import RATE, case
from xephys import ParameterError
from xephys.match.settings import MatchSettings


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"match_threshold": 0}, "match_threshold is 0; it must be greater than 0"),
        ({"rank": 0}, "rank is 0; it must be greater than 0"),
        ({"n_channels_max": 0}, "n_channels_max is 0; it must be greater than 0"),
        ({"amplitude_min": 1.2}, r"amplitude_min \(1.2\) must be in \(0, 1\]"),
        ({"amplitude_max": 0.8}, r"amplitude_max \(0.8\) at least 1"),
        ({"amplitude_std": 0}, "amplitude_std is 0; it must be greater than 0"),
    ],
)
def test_wrong_parameters(templates, parameters, message):
    with pytest.raises(ParameterError, match=message):
        xephys.match_templates(case().white, templates=templates, **parameters)


def test_defaults_equal_those_of_match_templates():
    public = signature(xephys.match_templates).parameters
    settings = signature(MatchSettings).parameters
    assert {name: public[name].default for name in settings} == {name: p.default for name, p in settings.items()}


def test_an_unknown_setting_is_refused(templates):
    with pytest.raises(ParameterError, match=r"match_residual has no parameter 'match_treshold'.*'match_threshold'"):
        xephys.match_residual(case().white, templates=templates, match_treshold=4)


def test_projections_must_have_the_window_of_the_templates(templates):
    shapes = xephys.standard_shapes(sampling_frequency=RATE)
    components = shapes["component"].assign_attrs(nbefore=20)
    with pytest.raises(ParameterError, match="the components have 61 samples, 20 of them before the spike"):
        xephys.match_templates(case().white, templates=templates, components=components)
    with pytest.raises(ParameterError, match="n_nearest is 0; it must be greater than 0"):
        xephys.match_templates(case().white, templates=templates, n_nearest=0)
