"""Aliases shared by the xarray-level functions."""

from pathlib import Path
from typing import Literal, TypeAlias

PathLike: TypeAlias = str | Path
PeakSign: TypeAlias = Literal["neg", "pos", "both"]
