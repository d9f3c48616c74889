"""Templates that do not fit their units, channels or window."""

from __future__ import annotations

import numpy as np
import pytest

from xephys.errors import ParameterError
from xephys.templates.node import templates_node


@pytest.mark.parametrize(
    ("shape", "nbefore", "message"),
    [
        ((1, 5, 4), 0, r"shape \(1, 5, 4\) for 1 units and 5 channels"),
        ((2, 5, 5), 0, r"shape \(2, 5, 5\) for 1 units"),
        ((5, 5), 0, r"give \(unit, sample, channel\)"),
        ((1, 5, 5), 5, "nbefore is 5 for templates of 5 samples"),
        ((1, 5, 5), -1, "nbefore is -1"),
    ],
)
def test_templates_that_do_not_fit(shape, nbefore, message):
    with pytest.raises(ParameterError, match=message):
        templates_node(np.zeros(shape), {"channel": np.arange(5)}, [7], nbefore, 1000.0)
