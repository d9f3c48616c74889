"""A small recording on disk, and tokens that must not depend on the process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dask
import pytest

from xephys.graph.source import BinarySource

from . import toys


@pytest.fixture(autouse=True)
def deterministic_tokens() -> Iterator[None]:
    with dask.config.set({"tokenize.ensure-deterministic": True}):
        yield


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> BinarySource:
    folder: Path = tmp_path_factory.mktemp("toy")
    return toys.write_binary(folder, toys.samples())
