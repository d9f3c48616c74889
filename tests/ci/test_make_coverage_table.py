"""The table of the page on GPUs: kernels are found through helpers and tables; `make check-layout` compares it."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("names", "row"),
    [
        ("`estimate_whitening`", "| ● |  |  |"),
        ("`bandpass_filter` `highpass_filter` `notch_filter` `filter` `filter_with_sos`", "|  | ● | ● |"),
        ("`detect_peaks`", "|  | ● | ● |"),
        ("`detect_universal`", "|  | ● |  |"),
    ],
)
def test_rows_name_the_hardware(names, row):
    assert f"| {names} {row}" in (ROOT / "docs" / "explanation" / "gpu.md").read_text(encoding="utf-8")
