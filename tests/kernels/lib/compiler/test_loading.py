"""Kernels are loaded from the cache without the compiler's registries, and give what compiled ones give."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import nullcontext
from types import SimpleNamespace

import pytest
from numba.core import caching

from xephys.kernels.lib.compiler import loading

PROGRAM = """
import sys
import numpy as np
from numba.core.registry import cpu_target
from xephys.kernels.lib.core import core_rows
from xephys.kernels.motion.smoother import smooth_walk
values = np.arange(8.0).reshape(4, 2)
print(smooth_walk(values, np.ones((4, 2, 2)) + np.eye(2), values, np.eye(2), np.ones(4)))
print("numba.typed.typeddict" in sys.modules, file=sys.stderr)

from numba import njit
from xephys.kernels.lib.inner import kernel
print(njit(lambda n: {n: 1.0}[n])(3))  # whatever is compiled afterwards has all that it needs
"""


def test_a_cached_kernel_is_loaded_without_the_compiler(tmp_path):
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-c", PROGRAM]
    compiled, loaded = (
        subprocess.run(command, env=environment, capture_output=True, text=True, check=True) for _ in range(2)
    )
    assert loaded.stdout == compiled.stdout
    assert (compiled.stderr.strip(), loaded.stderr.strip()) == ("True", "False")


def test_code_that_needs_the_seeds_of_hashes_is_not_loaded_lightly():
    assert not loading._needs_more((("name", "object", (b"code", b"")),))
    assert loading._needs_more((("name", "object", (b"... _Py_HashSecret_siphash_k0 ...", b"")),))
    assert loading._needs_more((("name", "bitcode", b"code"),))
    for unknown in ((), (("name", "object"),), {"name": b"code"}, 3):
        assert loading._needs_more(unknown)


def test_kernels_of_others_and_missing_ones_are_left_to_numba(monkeypatch):
    asked = []

    def whole(cache, signature, target):
        asked.append(cache._py_func.__module__)
        return "by numba"

    kind = SimpleNamespace(load_overload=whole, _index_key=None, _guard_against_spurious_io_errors=None)
    monkeypatch.setattr(caching, "FunctionCache", kind)
    assert loading.load_lightly()
    own = {"_enabled": True, "_guard_against_spurious_io_errors": nullcontext}
    own |= {"_index_key": lambda *_: "key", "_cache_file": SimpleNamespace(load=lambda key: None)}
    for module in ("other.package", "xephysics.kernels", "xephys.kernels.lib.median"):
        cache = SimpleNamespace(_py_func=SimpleNamespace(__module__=module), **own)
        assert kind.load_overload(cache, (), SimpleNamespace(codegen=lambda: None)) == "by numba"
    assert asked == ["other.package", "xephysics.kernels", "xephys.kernels.lib.median"]


@pytest.mark.parametrize("missing", ["load_overload", "_index_key"])
def test_another_version_of_numba_is_left_alone(monkeypatch, missing):
    parts = {name: None for name in loading._PARTS if name != missing}
    monkeypatch.setattr(caching, "FunctionCache", SimpleNamespace(**parts))
    assert not loading.load_lightly()
