"""The gallery calls every figure and shows a picture of each call."""

from __future__ import annotations

import re
from pathlib import Path

import xephys.plot

DOCS = Path(__file__).parents[1] / "docs"


def test_every_figure_is_called_and_every_picture_is_shown_and_small():
    page = (DOCS / "gallery.md").read_text(encoding="utf-8")
    called = set(re.findall(r"plot\.(plot_\w+)\(", page))
    assert {name for name in dir(xephys.plot) if name.startswith("plot_")} == called
    shown = set(re.findall(r"figures/gallery/(\w+)\.png", page))
    stored = {path.stem: path.stat().st_size for path in (DOCS / "figures" / "gallery").glob("*.png")}
    assert shown == set(stored)
    assert max(stored.values()) < 300_000
