"""Conditions on metrics as text, such as ``"snr > 5 and not drift_ptp > 100"``: parsed, checked and applied, never run.

A condition consists of comparisons (``<``, ``<=``, ``>``, ``>=``, ``==``, ``!=``, also chained), ``and``, ``or``,
``not``, numbers, strings, names of metrics, ``+ - * /`` and ``abs()``. Python's parser reads it, and every other kind
of node is refused, so that text cannot call, import or reach anything.

A comparison with NaN is neither true nor false but unknown. Unknown parts count only if they matter: ``unknown and
false`` is false, ``unknown or true`` is true, and any other combination with them is unknown.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..checks import hint_for
from ..errors import ParameterError

#: Maximum length of a condition.
LENGTH_MAX = 2000
COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge, ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}  # fmt: skip
ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
}  # fmt: skip
SIGNS: dict[type[ast.unaryop], Callable[[Any], Any]] = {ast.USub: operator.neg, ast.UAdd: operator.pos}
GRAMMAR = "conditions have comparisons, and, or, not, numbers, texts, names of metrics, + - * / and abs()"


class Truth(NamedTuple):
    """The result of a condition for each unit: whether it is true, and whether that is known."""

    true: NDArray[np.bool_]
    known: NDArray[np.bool_]


@dataclass(frozen=True)
class Condition:
    """A parsed condition.

    Attributes
    ----------
    text
        The original text.
    names
        Metrics that occur in it, in order.
    """

    text: str
    names: tuple[str, ...]

    def holds(self, columns: Mapping[str, NDArray[Any]]) -> Truth:
        """Apply the condition to the columns of a table.

        Parameters
        ----------
        columns
            One value per unit, by name of the metric.

        Raises
        ------
        ParameterError
            If a metric is missing, or the order of strings is compared.
        """
        check_known(self.names, columns, text=self.text)
        return _truth(ast.parse(self.text, mode="eval").body, columns, self.text)


def parse_condition(text: str) -> Condition:
    """Read a condition.

    Raises
    ------
    ParameterError
        If it is not a condition.

    Examples
    --------
    >>> condition = parse_condition("snr > 5 and 0 <= isi < 0.5")
    >>> condition.names
    ('snr', 'isi')
    >>> condition.holds({"snr": np.array([6.0, np.nan]), "isi": np.array([0.1, 0.7])}).true.tolist()
    [True, False]
    """
    if len(text) > LENGTH_MAX:
        raise ParameterError(f"a condition has {len(text)} characters and at most {LENGTH_MAX} are read; give several")
    try:
        body = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ParameterError(f"{text!r} is not a condition ({error}); {GRAMMAR}") from None
    names: dict[str, None] = {}
    _check_truth(body, text, names)
    return Condition(text.strip(), tuple(names))


def check_known(names: Iterable[str], columns: Mapping[str, Any], *, text: str) -> None:
    """Check that every metric of a condition is a column.

    Raises
    ------
    ParameterError
        Suggests the nearest name.
    """
    for name in names:
        if name not in columns:
            raise ParameterError(
                f"there is no metric {name!r}, which {text!r} asks for: compute it (compute_quality_metrics, "
                "compute_template_metrics) and give it as metrics; known are "
                f"{', '.join(map(str, columns)) or 'none'}{hint_for(name, columns)}"
            )


def _check_truth(node: ast.expr, text: str, names: dict[str, None]) -> None:
    """A node that is true or false for a unit."""
    if isinstance(node, ast.BoolOp):
        for part in node.values:
            _check_truth(part, text, names)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        _check_truth(node.operand, text, names)
    elif isinstance(node, ast.Compare) and all(type(op) in COMPARISONS for op in node.ops):
        for part in (node.left, *node.comparators):
            _check_value(part, text, names)
    else:
        raise _refusal(node, text, "a comparison")


def _check_value(node: ast.expr, text: str, names: dict[str, None]) -> None:
    """A node that has a value for each unit."""
    if isinstance(node, ast.Name):
        names[node.id] = None
    elif isinstance(node, ast.BinOp) and type(node.op) in ARITHMETIC:
        _check_value(node.left, text, names)
        _check_value(node.right, text, names)
    elif isinstance(node, ast.UnaryOp) and type(node.op) in SIGNS:
        _check_value(node.operand, text, names)
    elif _is_abs(node):
        _check_value(node.args[0], text, names)  # type: ignore[attr-defined]
    elif not (isinstance(node, ast.Constant) and type(node.value) in (int, float, str, bool)):
        raise _refusal(node, text, "a number, a text or the name of a metric")


def _refusal(node: ast.expr, text: str, wanted: str) -> ParameterError:
    part = ast.get_source_segment(text.strip(), node) or text
    return ParameterError(f"{part!r} in {text!r} is not {wanted}; {GRAMMAR}")


def _is_abs(node: ast.expr) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "abs"
        and len(node.args) == 1
        and not node.keywords
    )


def _truth(node: Any, columns: Mapping[str, NDArray[Any]], text: str) -> Truth:
    if isinstance(node, ast.BoolOp):
        parts = [_truth(part, columns, text) for part in node.values]
        decisive = isinstance(node.op, ast.Or)  # a single true part decides an or, a single false part an and
        any_decisive = np.logical_or.reduce([part.known & (part.true == decisive) for part in parts])
        all_known = np.logical_and.reduce([part.known for part in parts])
        known = any_decisive | all_known
        return Truth(any_decisive if decisive else known & ~any_decisive, known)
    if isinstance(node, ast.UnaryOp):
        part = _truth(node.operand, columns, text)
        return Truth(part.known & ~part.true, part.known)
    n_units = len(next(iter(columns.values()))) if columns else 0
    true, known = np.ones(n_units, bool), np.ones(n_units, bool)
    try:
        values = [_values(part, columns) for part in (node.left, *node.comparators)]
        for (left, right), op in zip(pairwise(values), node.ops, strict=True):
            true &= COMPARISONS[type(op)](left, right)
    except (TypeError, np.exceptions.DTypePromotionError):
        raise ParameterError(f"{text!r} takes a text for a number; texts can be compared with texts") from None
    for value in values:
        known &= ~np.isnan(value) if value.dtype.kind == "f" else True
    return Truth(true & known, known)


def _values(node: Any, columns: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
    if isinstance(node, ast.Name):
        return np.asarray(columns[node.id])
    if isinstance(node, ast.Constant):
        return np.asarray(node.value)
    if isinstance(node, ast.UnaryOp):
        return np.asarray(SIGNS[type(node.op)](_values(node.operand, columns)))
    if isinstance(node, ast.Call):
        return np.asarray(np.abs(_values(node.args[0], columns)))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(ARITHMETIC[type(node.op)](_values(node.left, columns), _values(node.right, columns)))
