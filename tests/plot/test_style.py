"""Style: round lengths of scale bars, and settings of matplotlib that stay as they were."""

from __future__ import annotations

import pytest

from xephys.plot import plot_probe
from xephys.plot.style import round_length


@pytest.mark.parametrize(("length", "expected"), [(7.0, 5.0), (0.3, 0.2), (100.0, 100.0), (199.0, 100.0), (0.0, 1.0)])
def test_round_length(length, expected):
    assert round_length(length) == pytest.approx(expected)


def test_figures_leave_the_settings_alone(simulated):
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    plot_probe(simulated[0])
    assert dict(mpl.rcParams) == before
