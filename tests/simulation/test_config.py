"""Wrong parameters of the simulator are refused by name."""

from __future__ import annotations

import pytest

from xephys.errors import ParameterError
from xephys.simulation.config import make_config


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"nois_uv": 3}, "did you mean 'noise_uv'"),
        ({"preset": "medium"}, "choose 'easy' or 'hard'"),
        ({"probe": "utah"}, "choose one of"),
        ({"drift": "slow+fast"}, "no 'fast'"),
        ({"amplitude_range_uv": (100, 20)}, "low <= high"),
        ({"duration_s": 0}, "below its limit"),
        ({"n_channels": 0}, "below its limit"),
        ({"gain_uv": 0.01}, "int16"),
        ({"spike_shapes": {"square": 1.0}}, "choose among"),
        ({"missing_fraction": 1.5}, "above 1"),
        ({"session": -1}, "below its limit"),
        ({"n_channels": 2, "n_dead_channels": 2}, "leave none"),
    ],
)
def test_bad_parameters_are_named(parameters, message):
    with pytest.raises(ParameterError, match=message):
        make_config(**{"preset": "easy", **parameters})
