"""Parse values given as ``KEY=VALUE``."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Any

from ..errors import ParameterError

#: Arguments of ``open_recording`` that have their own option.
_OWN_OPTIONS = (
    "probe", "stream_id", "segment", "n_channels", "sampling_frequency", "dtype", "gain_to_uv", "trust",
    "chunk_duration_s", "path",
)  # fmt: skip


def reader_options(settings: Sequence[str]) -> dict[str, Any]:
    """The ``--reader KEY=VALUE`` options as keyword arguments of ``open_recording``.

    Values are in Python syntax (:func:`literal`).

    Raises
    ------
    ParameterError
        If there is no ``=``, a key occurs twice, or the argument has its own option.

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
    """Parse ``KEY=VALUE`` strings into a dict.

    Raises
    ------
    ParameterError
        If there is no ``=``, or a key occurs twice.

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
    """A number, a tuple, ``True``, ``None`` as in Python, or ``true`` as in TOML; any other text is unchanged.

    Examples
    --------
    >>> literal("(90, 100)"), literal("tetrode"), literal("false")
    ((90, 100), 'tetrode', False)
    """
    if text in ("true", "false"):
        return text == "true"
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
