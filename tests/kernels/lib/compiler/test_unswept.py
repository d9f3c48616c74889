"""No search for unreachable objects while a kernel of this package is compiled, and one afterwards."""

from __future__ import annotations

import gc
from types import SimpleNamespace

import numpy as np
import pytest
from numba.core import event

from xephys.kernels.lib.compiler import unswept
from xephys.kernels.lib.inner import kernel


@kernel
def _twice(value):
    return 2 * value


@kernel
def _undefined(value):
    return value + "text"


@pytest.fixture
def searching(monkeypatch):
    monkeypatch.setattr(unswept, "_OWN", "tests.")
    was = gc.isenabled()
    gc.enable()
    yield
    (gc.enable if was else gc.disable)()


@pytest.fixture
def seen():
    """Whether the search was on, at the beginning and end of each compilation."""
    states = []

    class Listener(event.Listener):
        def on_start(self, event):
            states.append(gc.isenabled())

        def on_end(self, event):
            states.append(gc.isenabled())

    listener = Listener()
    event.register("numba:compile", listener)
    yield states
    event.unregister("numba:compile", listener)


def test_the_search_stops_and_goes_on(searching, seen):
    _twice(np.float32(1.5))
    _twice.recompile()
    assert seen and seen[0] is False and gc.isenabled()


def test_it_goes_on_after_a_kernel_that_does_not_compile(searching):
    with pytest.raises(Exception, match="value"):
        _undefined(1.5)
    assert gc.isenabled()


def test_it_stays_off_where_it_was_off(searching):
    gc.disable()
    listener, own = unswept.Unswept(), _compilation("tests.module")
    listener.on_start(own)
    listener.on_end(own)
    assert not gc.isenabled()


def test_functions_of_others_are_compiled_as_ever(searching):
    listener, own, other = unswept.Unswept(), *map(_compilation, ("tests.module", "other.package"))
    listener.on_start(other)
    assert gc.isenabled()
    listener.on_end(other)
    listener.on_start(own)
    listener.on_start(other)
    listener.on_end(other)
    assert not gc.isenabled()
    listener.on_end(own)
    assert gc.isenabled()


def _compilation(module: str) -> SimpleNamespace:
    return SimpleNamespace(data={"dispatcher": SimpleNamespace(py_func=SimpleNamespace(__module__=module))})
