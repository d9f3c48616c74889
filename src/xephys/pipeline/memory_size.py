"""Amounts of memory written as text."""

from __future__ import annotations

from ..errors import ParameterError

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}


def bytes_of(text: str) -> int:
    """Bytes of an amount such as ``"16G"`` or ``"500 MB"``.

    Raises
    ------
    ParameterError
        If it is not an amount.

    Examples
    --------
    >>> bytes_of("16G"), bytes_of("500 MB")
    (16000000000, 500000000)
    """
    plain = text.strip().lower().removesuffix("b").removesuffix("i")
    number, unit = (plain[:-1], plain[-1:]) if plain[-1:] in ("k", "m", "g", "t") else (plain, "")
    try:
        amount = float(number)
    except ValueError:
        amount = 0.0
    if not 0 < amount < float("inf"):
        raise ParameterError(f"{text!r} is not an amount of memory; write for example '16G' or '500M'")
    return int(amount * _UNITS[unit])
