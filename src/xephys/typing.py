"""Aliases shared by the xarray-level functions."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

PathLike: TypeAlias = str | Path
PeakSign: TypeAlias = Literal["neg", "pos", "both"]
Parameters: TypeAlias = Mapping[str, Any]
FloatArray: TypeAlias = NDArray[np.floating[Any]]
