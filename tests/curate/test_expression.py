"""Conditions on units are parsed and applied, or refused; NaN counts as unknown."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xephys.curate.expression import parse_condition
from xephys.errors import ParameterError

COLUMNS = {"snr": np.array([6.0, np.nan, 2.0]), "n": np.array([1, 2, 3]), "label": np.array(["good", "mua", "mua"])}


@pytest.mark.parametrize(
    ("text", "true", "known"),
    [
        ("snr > 5", [1, 0, 0], [1, 0, 1]),
        ("not snr > 5", [0, 0, 1], [1, 0, 1]),
        ("1 < n <= 3", [0, 1, 1], [1, 1, 1]),
        ("snr > 5 or label == 'mua'", [1, 1, 1], [1, 1, 1]),
        ("snr > 5 and label == 'good'", [1, 0, 0], [1, 1, 1]),
        ("snr > 5 and label == 'mua'", [0, 0, 0], [1, 0, 1]),
        ("abs(-snr) / 2 >= n * 1", [1, 0, 0], [1, 0, 1]),
        ("label != 'good' and (n - 1) / (n - 1) == 1", [0, 1, 1], [1, 1, 1]),
    ],
)
def test_conditions_are_true_false_or_unknown(text: str, true: list[int], known: list[int]) -> None:
    found = parse_condition(text).holds(COLUMNS)
    assert found.known.tolist() == [bool(k) for k in known]
    assert found.true.tolist() == [bool(t) for t in true]


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')", "snr.__class__ == 1", "[snr] == 1", "(lambda: 1)() > 1", "snr", "snr >",
        "snr ** 2 > 1", "snr if n else 1 > 2", "snr in n", "snr is n", "f'{snr}' == 'x'",
        "open('x') > 1", "abs(n, n) > 1",
        "abs(*n) > 1", "(y := 3) > 2", "snr[0] > 1", "1j < n", "b'x' == label", "", "snr > 5; n > 1", "n > (" * 300,
        "abs > n > 1 > abs()", "n > 1" + " and n > 1" * 1000,
    ],
)  # fmt: skip
def test_anything_but_a_condition_is_refused(text: str) -> None:
    with pytest.raises(ParameterError, match="condition"):
        parse_condition(text)


@pytest.mark.parametrize("text", ["snr < 'a'", "label > 3", "-label == 'x'", "label + 1 == 2"])
def test_texts_are_not_compared_with_numbers(text: str) -> None:
    with pytest.raises(ParameterError, match="takes a text for a number"):
        parse_condition(text).holds(COLUMNS)


def test_an_unknown_metric_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(ParameterError, match=r"no metric 'snrr'.*did you mean 'snr'"):
        parse_condition("snrr > 5").holds(COLUMNS)


OPERANDS = st.sampled_from(["a", "b", "2", "abs(a)", "(a - b)", "a * 2", "-b"])
COMPARED = st.tuples(OPERANDS, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), OPERANDS).map(" ".join)
CONDITIONS = st.recursive(
    COMPARED,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from([" and ", " or "]), inner).map(lambda t: f"({t[0]}{t[1]}{t[2]})"),
        inner.map(lambda text: f"(not {text})"),
    ),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None)
@given(text=CONDITIONS, a=st.integers(-4, 4), b=st.integers(-4, 4))
def test_without_unknown_values_conditions_equal_pythons(text: str, a: int, b: int) -> None:
    found = parse_condition(text).holds({"a": np.array([a]), "b": np.array([b])})
    assert found.known.all()
    assert found.true[0] == eval(text, {"a": a, "b": b, "abs": abs, "__builtins__": {}})
