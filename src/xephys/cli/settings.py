"""Values given as ``KEY=VALUE``."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Any

from ..errors import ParameterError

#: Arguments of ``open_recording`` that have an option of their own.
_OWN_OPTIONS = (
    "probe", "stream_id", "segment", "n_channels", "sampling_frequency", "dtype", "gain_to_uv", "trust",
    "chunk_duration_s", "path",
)  # fmt: skip


def reader_options(settings: Sequence[str]) -> dict[str, Any]:
    """The ``--reader KEY=VALUE`` options as keyword arguments of ``open_recording``.

    Values are written as in Python (:func:`literal`).

    Raises
    ------
    ParameterError
        If there is no ``=``, a key comes twice, or the argument has an option of its own.

    Examples
    --------
    >>> reader_options(["ignore_trailing_bytes=True", "experiment_name=experiment1"])
    {'ignore_trailing_bytes': True, 'experiment_name': 'experiment1'}
    """
    values = {}
    for key, text in split_settings(settings, option="--reader").items():
        name = key.replace("-", "_")
        if name in _OWN_OPTIONS:
            raise ParameterError(f"--reader {key}={text}: give it as --{name.replace('_', '-')}")
        values[name] = literal(text)
    return values


def split_settings(settings: Sequence[str], *, option: str = "--set") -> dict[str, str]:
    """``KEY=VALUE`` strings as a dict.

    Raises
    ------
    ParameterError
        If there is no ``=``, or a key comes twice.

    Examples
    --------
    >>> split_settings(["detect_threshold=6"])
    {'detect_threshold': '6'}
    """
    values: dict[str, str] = {}
    for setting in settings:
        key, sign, value = setting.partition("=")
        if not sign or not key:
            example = "detect_threshold=6" if option == "--set" else "ignore_trailing_bytes=True"
            raise ParameterError(f"{option} {setting!r} is not KEY=VALUE; write for example {option} {example}")
        if key in values:
            raise ParameterError(f"{option} gives {key!r} twice ({values[key]} and {value}); give it once")
        values[key] = value
    return values


def literal(text: str) -> Any:
    """A number, a tuple, ``True`` or ``None`` as written in Python; any other text is itself.

    Examples
    --------
    >>> literal("(90, 100)"), literal("tetrode")
    ((90, 100), 'tetrode')
    """
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
