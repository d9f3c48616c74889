"""What the tests of benchmarks share: benchmarks as modules, and very small recordings."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """Import a benchmark by name; benchmarks import what they share from their own folder."""
    monkeypatch.syspath_prepend(str(FOLDER))

    def of(name: str) -> ModuleType:
        spec = importlib.util.spec_from_file_location(f"benchmark_{name}", FOLDER / f"{name}.py")
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, spec.name, module)
        spec.loader.exec_module(module)
        return module

    return of


@pytest.fixture
def part(monkeypatch):
    """Import a module of the benchmark; its modules import each other from their own folder."""
    monkeypatch.syspath_prepend(str(FOLDER))
    before = set(sys.modules)
    yield lambda name: importlib.import_module(name)
    for name in set(sys.modules) - before:
        if name.partition(".")[0] in ("contest", "sorters", "harness"):
            del sys.modules[name]


@pytest.fixture
def small(part, monkeypatch):
    """Kinds of very small recordings."""
    sets = part("contest.sets")
    hard = sets.KINDS["hard"]._replace(duration_s=8.0, n_channels=16, n_units=4)
    hard = hard._replace(simulator={**hard.simulator, "stimulation_period_s": 2.0})
    static = sets.KINDS["static"]._replace(duration_s=2.0)
    monkeypatch.setitem(sets.KINDS, "hard", hard)
    monkeypatch.setitem(sets.KINDS, "static", static)
    return sets
