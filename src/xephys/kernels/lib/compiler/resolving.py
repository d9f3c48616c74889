"""Find the implementation of an operation on known types once per process, not each time that it occurs.

For each ``a + b``, Numba tries the additions of strings, lists, sets, dates and more in turn, each with the types as
they are and with constants as variables, until one fits; and again whenever it passes over the same line. What fits
depends only on the types and on the options of the function.
"""

from __future__ import annotations

from typing import Any

from numba.core import targetconfig
from numba.core.types import functions


def resolve_once() -> bool:
    """From now on, remember the implementations that fit.

    Returns
    -------
    Whether they will be: not with a version of Numba that keeps them elsewhere.

    Examples
    --------
    >>> resolve_once()
    True
    """
    kind: Any = functions.BaseFunction
    whole = kind.get_call_type
    if hasattr(whole, "whole"):  # it is done
        return True
    if not hasattr(kind, "get_impl_key") or not hasattr(targetconfig.TargetConfig, "_values"):
        return False
    options: list[dict[str, Any]] = []
    # The function's type is kept, so that no other one can have its identity; so are the signature and the key of the
    # implementation.
    resolved: dict[tuple[Any, ...], tuple[Any, Any, Any]] = {}

    def get_call_type(function: Any, context: Any, args: Any, kws: Any) -> Any:
        flags: Any = targetconfig.ConfigStack.top_or_none()  # type: ignore[no-untyped-call]
        if kws or flags is None:
            return whole(function, context, args, kws)
        key = (id(function), context, tuple(args), _number(options, flags._values))
        found = resolved.get(key)
        if found is None:
            signature = whole(function, context, args, kws)
            resolved[key] = function, signature, function._impl_keys[signature.args]
            return signature
        _, signature, function._impl_keys[signature.args] = found
        return signature

    get_call_type.whole = whole  # type: ignore[attr-defined]
    kind.get_call_type = get_call_type
    return True


def _number(known: list[dict[str, Any]], values: dict[str, Any]) -> int:
    """Place of these options among those known, to which they are added if they are new."""
    if values not in known:
        known.append(dict(values))
    return known.index(values)
