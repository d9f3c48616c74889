"""The table of the page on GPUs agrees with the code, and the script finds kernels through helpers and tables."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "ci" / "make_coverage_table.py"


def test_the_table_is_current():
    done = subprocess.run([sys.executable, str(SCRIPT), "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


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
