"""Read Python files that hold data, such as ``.prb`` probes and phy's ``params.py``, as literals; they are never run.

Such files are assignments of numbers, strings and containers of them. Their syntax tree is evaluated here node by node.
Anything that could call, import or loop is refused, with its line number, so that a file from anyone can be opened.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ...errors import RecordingError

#: More entries than any probe has contacts: a range must not fill the memory.
RANGE_LENGTH_MAX = 1_000_000

_ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: lambda left, right: left + right,
    ast.Sub: lambda left, right: left - right,
    ast.Mult: lambda left, right: left * right,
    ast.Div: lambda left, right: left / right,
}
_CALLS = ("range", "list", "tuple", "dict")


def read_literals(path: Path) -> dict[str, Any]:
    """Read the variables that a file of plain assignments defines.

    Supported are numbers, strings, ``True``, ``False``, ``None``, lists, tuples, sets, dicts, ``range``, ``list`` and
    ``tuple`` of these, ``dict(name=value)``, names assigned earlier in the file, and ``+ - * /`` of numbers.

    Parameters
    ----------
    path
        A text file in Python syntax.

    Returns
    -------
    Values by name, in the order of the file.

    Raises
    ------
    RecordingError
        If the file contains anything else; no part of it is run.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "params.py"
    ...     _ = file.write_text("sample_rate = 30000.0\\nchannels = list(range(3))\\n")
    ...     read_literals(file)
    {'sample_rate': 30000.0, 'channels': [0, 1, 2]}
    """
    text = path.read_bytes().decode("utf8", errors="replace")
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line, said = getattr(error, "lineno", None), getattr(error, "msg", None) or type(error).__name__
        where = f" in line {line}" if line else ""
        raise RecordingError(
            f"{path} cannot be read{where} ({said}); write assignments such as radius = 100"
        ) from error
    names: dict[str, Any] = {}
    for statement in tree.body:
        try:
            _assign(statement, names)
        except _Refused as refused:
            raise RecordingError(
                f"{path} line {refused.line}: {refused.what} is not read, because nothing in a file is run; only "
                "numbers, texts, lists, dicts, ranges and names assigned above are: write the values out"
            ) from None
        except (TypeError, ValueError, ZeroDivisionError, OverflowError, RecursionError) as error:
            raise RecordingError(f"{path} line {statement.lineno}: {error}; write the values out") from error
    return names


class _Refused(Exception):
    """Something that is not a literal."""

    def __init__(self, node: Any, what: str) -> None:
        super().__init__(what)
        self.line, self.what = getattr(node, "lineno", 1), what


def _assign(statement: ast.stmt, names: dict[str, Any]) -> None:
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):  # a docstring
        return
    if isinstance(statement, ast.Pass):
        return
    if isinstance(statement, ast.AnnAssign) and statement.value is not None:
        targets, value = [statement.target], statement.value
    elif isinstance(statement, ast.Assign):
        targets, value = statement.targets, statement.value
    else:
        raise _Refused(statement, _name_of(statement))
    found = _value(value, names)
    for target in targets:
        if not isinstance(target, ast.Name):
            raise _Refused(target, "an assignment to anything but a name")
        names[target.id] = found


def _value(node: ast.expr, names: Mapping[str, Any]) -> Any:
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name):
        if node.id not in names:
            raise _Refused(node, f"the name {node.id!r}")
        return names[node.id]
    if isinstance(node, (ast.List, ast.Tuple, ast.Set)):
        kind = {ast.List: list, ast.Tuple: tuple, ast.Set: set}[type(node)]
        return kind(_value(item, names) for item in node.elts)
    if isinstance(node, ast.Dict):
        if None in node.keys:
            raise _Refused(node, "** in a dict")
        return {
            _value(key, names): _value(item, names) for key, item in zip(node.keys, node.values, strict=True) if key
        }
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.UAdd)):
        number = _number(node.operand, names)
        return -number if isinstance(node.op, ast.USub) else number
    if isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
        return _ARITHMETIC[type(node.op)](_number(node.left, names), _number(node.right, names))
    if isinstance(node, ast.Call):
        return _value_of_call(node, names)
    raise _Refused(node, _name_of(node))


def _number(node: ast.expr, names: Mapping[str, Any]) -> Any:
    value = _value(node, names)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _Refused(node, "arithmetic on anything but numbers")
    if abs(value) > 1e300:
        raise _Refused(node, f"the number {value:.3g}")
    return value


def _value_of_call(node: ast.Call, names: Mapping[str, Any]) -> Any:
    name = node.func.id if isinstance(node.func, ast.Name) else ""
    if name not in _CALLS or name in names:
        raise _Refused(node, f"the call of {ast.unparse(node.func)[:60]}")
    if name == "dict" and not node.args and all(item.arg for item in node.keywords):
        return {item.arg: _value(item.value, names) for item in node.keywords}
    if node.keywords or name == "dict":
        raise _Refused(node, f"{name} with these arguments")
    values = [_value(item, names) for item in node.args]
    if name == "range":
        found = range(*values)
        if len(found) > RANGE_LENGTH_MAX:
            raise _Refused(node, f"a range of {len(found)} numbers (at most {RANGE_LENGTH_MAX})")
        return list(found)
    if len(values) > 1 or (values and isinstance(values[0], (str, bytes))):
        raise _Refused(node, f"{name} with these arguments")
    return list(values[0] if values else []) if name == "list" else tuple(values[0] if values else [])


def _name_of(node: ast.AST) -> str:
    """A name for a piece of syntax that a reader of the file would use."""
    spoken = {
        ast.Import: "an import",
        ast.ImportFrom: "an import",
        ast.FunctionDef: "a function",
        ast.ClassDef: "a class",
        ast.ListComp: "a comprehension",
        ast.DictComp: "a comprehension",
        ast.SetComp: "a comprehension",
        ast.GeneratorExp: "a comprehension",
        ast.For: "a loop",
        ast.While: "a loop",
        ast.Lambda: "a lambda",
        ast.Attribute: "an attribute",
        ast.Subscript: "an index",
        ast.JoinedStr: "a formatted text",
        ast.BinOp: "this arithmetic",
    }
    if isinstance(node, ast.Expr):
        return f"{ast.unparse(node)[:60]!r}"
    return spoken.get(type(node), f"{type(node).__name__.lower()}")
