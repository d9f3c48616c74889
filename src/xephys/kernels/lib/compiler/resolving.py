"""Find the implementation of an operation on known types once per process, not each time that it occurs.

For each ``a + b``, Numba tries the additions of strings, lists, sets, dates and more in turn, each with the types as
they are and with constants as variables, until one fits; and again whenever it passes over the same line, and in each
function with other options, though only a few of these reach what it tries. What fits depends only on the types and on
those options.
"""

from __future__ import annotations

from typing import Any

from numba.core import compiler, cpu, targetconfig
from numba.core.types import functions

_Flags: Any = compiler.Flags


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
    names, known = inherited_options(), list[dict[str, Any]]()
    # The function's type is kept, so that no other one can have its identity; so are the signature and the key of the
    # implementation.
    resolved: dict[tuple[Any, ...], tuple[Any, Any, Any]] = {}

    def get_call_type(function: Any, context: Any, args: Any, kws: Any) -> Any:
        stack: Any = targetconfig.ConfigStack()  # type: ignore[no-untyped-call]
        if kws or not stack or type(stack.top()) is not _Flags:  # another kind is that of another processor
            return whole(function, context, args, kws)
        options = stack.top()._values
        options = {name: options[name] for name in names if name in options}
        key = (id(function), context, tuple(args), _place(known, options))
        found = resolved.get(key)
        if found is None:
            flags = _Flags()
            flags._values.update(options)
            with stack.enter(flags):
                signature = whole(function, context, args, kws)
            resolved[key] = function, signature, function._impl_keys[signature.args]
            return signature
        _, signature, function._impl_keys[signature.args] = found
        return signature

    get_call_type.whole = whole  # type: ignore[attr-defined]
    kind.get_call_type = get_call_type
    return True


def inherited_options() -> list[str]:
    """Options of a function that Numba's own functions take over if they are compiled for it.

    Examples
    --------
    >>> "error_model" in inherited_options()
    True
    """
    names = []

    class Asked(_Flags):  # type: ignore[misc]
        def inherit_if_not_set(self, name: str, *default: Any, **defaults: Any) -> None:
            names.append(name)
            super().inherit_if_not_set(name, *default, **defaults)

    cpu.CPUTargetOptions.parse_as_flags(Asked(), {})  # type: ignore[no-untyped-call]
    return names


def _place(known: list[dict[str, Any]], options: dict[str, Any]) -> int:
    """Place of these options among those known, to which they are added if they are new."""
    if options not in known:
        known.append(options)
    return known.index(options)
