"""One unit on one page."""

from __future__ import annotations

import pytest

import xephys
from tests.support.analyzed import analyzed_sorting
from xephys.errors import ParameterError
from xephys.plot import plot_unit_summary


def labels(frame):
    return {ax.get_xlabel() for ax in frame.figure.axes}


def test_a_page_has_every_panel_that_was_analyzed():
    _, sorting = analyzed_sorting()
    page = plot_unit_summary(sorting, 1)
    assert {"x (µm)", "time (ms)", "lag (ms)", "interval (ms)", "time (s)"} <= labels(page)
    text = " ".join(t.get_text() for ax in page.figure.axes for t in ax.texts)
    assert f"{sorting['analysis/quality_metrics']['snr'].values[1]:.4g}" in text


def test_a_page_without_an_analysis_is_drawn_too(sorting):
    assert "lag (ms)" not in labels(plot_unit_summary(sorting, 0))
    with pytest.raises(ParameterError, match="9"):
        plot_unit_summary(sorting, 9)
    bare = xephys.make_sorting(times_s=[0.1, 0.2], labels=[1, 2], sampling_frequency=1000.0)
    with pytest.raises(ParameterError, match="no templates"):
        plot_unit_summary(bare, 1)
