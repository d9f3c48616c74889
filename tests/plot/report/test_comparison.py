"""The report holds all figures of a sorting, even an empty one."""

from __future__ import annotations

import pytest
import xarray as xr

from tests.support.figures import saved_size
from xephys.comparison.pair import compare
from xephys.plot import plot_report

RATE = 30_000.0


def _title(page):
    return page.figure.axes[1].get_title(loc="left")


def test_a_report_has_every_page(simulated, sorting, tmp_path):
    _, truth = simulated
    result = compare(truth, truth)
    page = plot_report(sorting, comparison=result)
    assert _title(page).startswith("3 units (1 good, 1 mua, 1 noise)")
    assert saved_size(page.figure, tmp_path) > 30_000
    assert len(plot_report(sorting).figure.axes) < len(page.figure.axes)
    assert "mean accuracy 1.00" in _title(plot_report(None, comparison=result))
    with pytest.raises(TypeError, match="nothing to draw of a NoneType"):
        plot_report(None)


def test_report_of_a_silent_recording(sorting, tmp_path):
    empty = xr.DataTree.from_dict({name: node.to_dataset() for name, node in sorting.children.items()})
    empty["spikes"] = xr.DataTree(empty["spikes"].to_dataset().isel(spike=slice(0)))
    empty["units"] = xr.DataTree(empty["units"].to_dataset().isel(unit=slice(0)))
    empty["templates"] = xr.DataTree(empty["templates"].to_dataset().isel(unit=slice(0)))
    empty.attrs["sampling_frequency"] = RATE
    assert saved_size(plot_report(empty).figure, tmp_path) > 1_000
