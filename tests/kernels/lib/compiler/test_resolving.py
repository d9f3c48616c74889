"""An operation on the same types is resolved once, and separately under each set of options."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from numba import njit
from numba.core import targetconfig
from numba.core.errors import TypingError
from numba.core.types import functions

from xephys.kernels.lib.compiler import resolving


@pytest.fixture
def asked(monkeypatch):
    """The operations that Numba itself resolves from here on."""
    calls, kind = [], functions.BaseFunction
    whole = kind.get_call_type.whole

    def get_call_type(function, context, args, kws):
        calls.append((function.typing_key, args))
        return whole(function, context, args, kws)

    monkeypatch.setattr(kind, "get_call_type", get_call_type)
    assert resolving.resolve_once()
    return calls


def test_no_operation_is_resolved_twice(asked):
    @njit
    def total(a, b):
        return (a + b) * (a - b) + a * b + (a + b)

    assert total(3.0, 2.0) == 16.0
    assert asked and len(set(asked)) == len(asked)
    n_asked = len(asked)
    for irrelevant in ({}, {"nogil": True}, {"no_cfunc_wrapper": True}):
        assert njit(**irrelevant)(lambda a, b: a + b)(3.0, 2.0) == 5.0
    assert len(asked) == n_asked
    assert total(3, 2) == 16 and len(asked) > n_asked  # other types are resolved anew


def test_options_are_kept_apart():
    def ratio(a, b):
        return max(a, b) / min(a, b)

    strict, loose = njit(ratio), njit(error_model="numpy")(ratio)
    with pytest.raises(ZeroDivisionError):
        strict(1.0, 0.0)
    assert np.isinf(loose(1.0, 0.0))
    with pytest.raises(ZeroDivisionError):
        njit(lambda a, b: max(a, b) / min(a, b) + 1)(1.0, 0.0)


def test_what_does_not_fit_is_refused_each_time():
    for _ in range(2):
        with pytest.raises(TypingError):
            njit(lambda a, b: a + b)(1.0, "a")
    assert njit(lambda a, b: a + b)("b", "a") == "ba"


def test_keywords_and_constants_work():
    assert njit(lambda a: np.sum(a, axis=0))(np.ones((2, 3))).tolist() == [2.0] * 3
    assert njit(lambda a: np.sum(a, axis=1))(np.ones((2, 3))).tolist() == [3.0] * 2
    assert njit(lambda a: (a, 1.5)[1] + (1, a)[0])("text") == 2.5


@pytest.mark.parametrize("missing", ["get_impl_key", "_values"])
def test_another_version_of_numba_is_left_alone(monkeypatch, missing):
    kind = SimpleNamespace(get_call_type=lambda: None, get_impl_key=None)
    config = SimpleNamespace(_values=None)
    delattr(kind if missing == "get_impl_key" else config, missing)
    monkeypatch.setattr(functions, "BaseFunction", kind)
    monkeypatch.setattr(targetconfig, "TargetConfig", config)
    assert not resolving.resolve_once()
    assert not hasattr(kind.get_call_type, "whole")
