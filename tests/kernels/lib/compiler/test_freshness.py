"""A cached kernel is compiled again if a module changes from which it takes a helper or a number."""

from __future__ import annotations

import importlib
import os
import pkgutil
import subprocess
import sys
from types import ModuleType

import pytest

from xephys import kernels
from xephys.kernels.lib.compiler import freshness

KERNEL = """
from xephys.kernels.lib.inner import kernel
from xephys.kernels.made_up_middle import (
    double,
)

@kernel
def computed(x):
    return double(x)
"""
MIDDLE = """
from xephys.kernels.lib.inner import helper
from xephys.kernels import made_up_numbers

FACTOR = made_up_numbers.FACTOR

@helper
def double(x):
    return FACTOR * x
"""
PROGRAM = """
import importlib.util, sys
def load(name):
    spec = importlib.util.spec_from_file_location("xephys.kernels." + name, sys.argv[1] + "/" + name + ".py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    setattr(sys.modules["xephys.kernels"], name, module)
    return module
import xephys.kernels
load("made_up_numbers"), load("made_up_middle")
kernel = load("made_up_kernel").computed
print(kernel(10.0), sum(kernel.stats.cache_hits.values()))
"""


def run(folder):
    environment = os.environ | {"NUMBA_CACHE_DIR": str(folder / "cache"), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", PROGRAM, str(folder)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_a_change_of_what_is_imported_compiles_a_kernel_again(tmp_path):
    (tmp_path / "made_up_kernel.py").write_text(KERNEL)
    (tmp_path / "made_up_middle.py").write_text(MIDDLE)
    (tmp_path / "made_up_numbers.py").write_text("FACTOR = 2.0\n")
    assert run(tmp_path) == ["20.0", "0"]
    assert run(tmp_path) == ["20.0", "1"]
    (tmp_path / "made_up_numbers.py").write_text("FACTOR = 3.0\n")  # two imports away
    assert run(tmp_path) == ["30.0", "0"]
    (tmp_path / "made_up_middle.py").write_text(MIDDLE.replace("FACTOR * x", "FACTOR * x + 1"))
    assert run(tmp_path) == ["31.0", "0"]
    assert run(tmp_path) == ["31.0", "1"]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("from xephys.kernels.lib.median import median_of\n", {"lib.median"}),
        ("from xephys.kernels.lib import median, core\n", {"lib", "lib.median", "lib.core"}),
        ("    import xephys.kernels.lib.core as c\n", {"lib.core"}),
        ("from .lib.median import a\nfrom xephys.kernels.lib import (  # two\n    core as c,\n)\n",
         {"lib", "lib.median", "lib.core"}),
        ("from ..kernels.lib import core\n", {"lib", "lib.core"}),
        ("import numpy\n# from xephys.kernels.lib.core import x\n", set()),
    ],
)  # fmt: skip
def test_imports_are_read_from_the_source(monkeypatch, source, expected):
    read = freshness._source
    monkeypatch.setattr(freshness, "_source", lambda name: source.encode() if name.endswith("made_up") else read(name))
    found = freshness._imported.__wrapped__("xephys.kernels.made_up")
    assert found == {f"xephys.kernels.{name}" for name in expected}


def test_a_digest_does_not_depend_on_what_was_imported():
    modules = ["xephys.kernels.match.pursuit", "xephys.kernels.preprocess.reference", "xephys.kernels.cluster.split"]
    program = "import sys; from xephys.kernels.lib.compiler.freshness import digest_of_sources as d\n"
    digests = [freshness.digest_of_sources(module).hex() for module in modules]
    asked = program + "print(*(d(name).hex() for name in sys.argv[1:]))"
    alone = subprocess.run([sys.executable, "-c", asked, *modules], capture_output=True, text=True, check=True)
    assert alone.stdout.split() == digests


def test_every_import_of_the_kernels_is_seen():
    """Whatever a module of the kernels has from another one of this package, that one is among those found."""
    n_seen = 0
    for _, name, is_package in pkgutil.walk_packages(kernels.__path__, "xephys.kernels."):
        module = importlib.import_module(name)
        if is_package:  # they hold no kernels
            continue
        found = freshness._imported(name)
        values = [getattr(value, "py_func", value) for value in vars(module).values()]
        origins = {
            value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", "") for value in values
        }
        own = {origin for origin in origins if str(origin).startswith("xephys.")} - {name}
        assert own <= found | reexported(found), name
        n_seen += len(own)
    assert n_seen > 200


def reexported(found):
    """Modules from which those that are found have something in turn."""
    values = [getattr(value, "py_func", value) for name in found for value in vars(sys.modules[name]).values()]
    return {getattr(value, "__module__", "") for value in values}
