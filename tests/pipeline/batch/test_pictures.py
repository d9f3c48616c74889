"""Pictures show the units before and after curation."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from xephys.pipeline import sort_recording
from xephys.pipeline.batch.pictures import _units_of, bars_picture, draw_batch, raster_picture, templates_picture
from xephys.pipeline.batch.sources import find_groups
from xephys.pipeline.config.config import SortingPipelineConfig

from .conftest import QUICK


def test_pictures_are_drawn_where_they_are_wanted(write_wells: Callable[..., list[Path]]) -> None:
    (well,) = write_wells(1)
    file = well / "file0.bin"
    (result,) = sort_recording([file], create_figures=True, create_unit_figures=True, dpi=40, **QUICK)
    figures = result.folder / "figures"
    assert {path.name for path in figures.glob("*.png")} == {"all_templates.png", "quality.png", "raster.png"}
    assert {path.name for path in (result.folder.parent / "figures").iterdir()} == {
        "curation_bars.png", "std_scatter.png",
    }  # fmt: skip
    assert len(list(figures.glob("units/curated/*.png"))) == result.n_curated_units
    config, groups = SortingPipelineConfig(), find_groups([file], sorter="by_channel")
    assert draw_batch(groups, config) == []


def test_bars_and_colors_follow_curation(write_wells: Callable[..., list[Path]]) -> None:
    (well,) = write_wells(1)
    file = well / "file0.bin"
    sort_recording([file], **{**QUICK, "snr_min": 12.0})
    one = _units_of(find_groups([file], sorter="by_channel")[0])
    assert one is not None and 0 < one.kept.sum() < one.first.sum()
    wanted = SortingPipelineConfig().figures
    heights = [bar.get_height() for bar in bars_picture([one], wanted).axes[0].patches]
    assert heights == [one.first.sum(), one.kept.sum()]
    drawn = templates_picture(one, wanted).axes[0].lines[: len(one.kept)]
    assert drawn[0].get_xdata()[[0, -1]].tolist() == pytest.approx([-2.0, 2.0], abs=0.04)  # ms
    lines = [line.get_color() for line in drawn]
    assert lines.count(wanted.templates_color_curated) == one.kept.sum()


def test_the_raster_runs_through_all_epochs(write_wells: Callable[..., list[Path]]) -> None:
    (well,) = write_wells(1)
    sort_recording([well], **QUICK)
    one = _units_of(find_groups([well], sorter="by_channel")[0])
    assert one is not None
    above, below = raster_picture(one, SortingPipelineConfig().figures).axes
    ticks = np.concatenate([row.get_positions() for row in above.collections])
    assert len(ticks) == one.sorting["spikes"].sizes["spike"] and 4.0 < ticks.max() < 6.0
    assert len(above.lines) == 2 and above.get_xlim() == below.get_xlim() == (0.0, 6.0)
