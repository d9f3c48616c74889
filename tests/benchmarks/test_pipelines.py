"""Benchmarks of live sorting and of batches run at a small size, and report what they should."""

from __future__ import annotations

import re
from argparse import Namespace
from pathlib import Path


def test_realtime(load, tmp_path):
    realtime = load("realtime")
    given = Namespace(
        probe="neuropixels-1", preset="easy", channels=16, units=4, duration=8.0, rate=None, drift="none",
        drift_um=20.0, minutes=0.05, buffer_s=3.0, parameters="{}", seed=1, out=str(tmp_path / "live.npz"),
    )  # fmt: skip
    result = realtime.accuracy(given)
    assert result["at least 0.8"] >= 2 and result["MB on disk"] > 0
    result = realtime.live(given)
    assert result["blocks"] == 600 and result["identical to offline"]
    result = realtime.paced(given)
    assert result["blocks"] == result["read"] == 600
    given.page = str(tmp_path / "page.md")
    Path(given.page).write_text("# Before\n\n<!-- live -->\nold\n<!-- end -->\n\nAfter\n", encoding="utf-8")
    assert realtime.picture(given)["blocks"] == 600
    assert (tmp_path / "live.png").stat().st_size > 5_000
    page = Path(given.page).read_text(encoding="utf-8")
    written = [float(bold) for bold in re.findall(r"\*\*([\d.]+)\*\*", page)]
    # The page rounds once what the result has rounded before.
    assert min(abs(one - result["wall p50 p99 p99.9 max ms"][1]) for one in written) < 0.011
    assert "600 blocks" in page and "16 channels" in page
    assert page.startswith("# Before\n") and page.endswith("After\n") and "old" not in page
    assert (tmp_path / "realtime_blocks.png").stat().st_size > 5_000


def test_batch(load, tmp_path):
    batch = load("batch")
    wells = batch.write_wells(tmp_path / "data", n_channels=8, duration_s=4.0, n_units=3)
    whole = batch.sort(wells, tmp_path / "whole")
    assert [number for number, result in enumerate(whole) if result.failure] == [4, 8, 9]
    assert batch.same_spikes(whole, batch.sort(wells, tmp_path / "whole"))
