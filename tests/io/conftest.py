"""Fixtures of the tests of files: real data, a small recording with every kind of label, and its sorting."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from tests.support.labelled import make_labelled, make_samples
from tests.support.sorting_trees import sorting_of


@pytest.fixture
def data(shared_data: Path) -> Path:
    return shared_data


@pytest.fixture
def samples() -> np.ndarray:
    return make_samples()


@pytest.fixture
def recording(samples: np.ndarray) -> xr.DataArray:
    return make_labelled(samples)


@pytest.fixture
def sorting(recording: xr.DataArray) -> xr.DataTree:
    return sorting_of(recording)


@pytest.fixture
def raw_file(tmp_path: Path, samples: np.ndarray) -> Path:
    path = tmp_path / "raw.bin"
    samples.tofile(path)
    return path
