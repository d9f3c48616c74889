"""Errors name the option that was typed, where functions know it by the name of their parameter."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from inspect import signature
from typing import Any

from ..errors import ParameterError


def in_options(sentence: str, command: Callable[..., Any], given: Mapping[str, Any]) -> str:
    """The sentence with the options that were typed in place of the parameters that they set.

    A name of several words, such as ``chunk_duration_s``, is replaced wherever it stands, one of a single word, which
    may mean something else, at the beginning of the sentence only. A remedy, ``overwrite=True``, becomes the flag.

    Parameters
    ----------
    sentence
        What is wrong, as a function says it.
    command
        The command, with its options among its annotations.
    given
        The values of its parameters.

    Examples
    --------
    >>> import typer
    >>> from typing import Annotated
    >>> def sort(learn_s: Annotated[float, typer.Option("--learn-s")] = 60.0): ...
    >>> in_options("learn_s is -1.0; it must be greater than 0", sort, {"learn_s": -1.0})
    '--learn-s is -1.0; it must be greater than 0'
    """
    for name, option, default in _options_of(command):
        if default is False and option not in sentence:
            sentence = re.sub(rf"\b{name}=True\b", option, sentence)
    for names, option in _typed(command, given):
        for name in names:
            sentence = re.sub(rf"^{name}(?=[ :=])", option, sentence)
            if "_" in name:
                sentence = re.sub(rf"(?<![\w.'-])(?<!coordinate ){name}\b(?!=)", option, sentence)
    return sentence


@contextmanager
def wrong_value(typed: str) -> Iterator[None]:
    """Name the option and the value as they were typed, where a function is given them in another form.

    Examples
    --------
    >>> with wrong_value("--merge 1,99"):
    ...     raise ParameterError("there is no track 99")
    Traceback (most recent call last):
        ...
    xephys.errors.ParameterError: --merge 1,99: there is no track 99
    """
    try:
        yield
    except ParameterError as error:
        raise ParameterError(f"{typed}: {error}") from error


def _typed(command: Callable[..., Any], given: Mapping[str, Any]) -> Iterator[tuple[set[str], str]]:
    """The options with other values than their defaults: what functions may call them, and the option itself."""
    for name, option, default in _options_of(command):
        if given.get(name, default) != default:
            yield {name, option.removeprefix("--").replace("-", "_")}, option


def _options_of(command: Callable[..., Any]) -> Iterator[tuple[str, str, Any]]:
    """The parameters that are options: the parameter, the option, and the default."""
    for name, parameter in signature(command, eval_str=True).parameters.items():
        for described in getattr(parameter.annotation, "__metadata__", ()):
            words = (getattr(described, "default", None), *(getattr(described, "param_decls", None) or ()))
            options = [word for word in words if isinstance(word, str) and word.startswith("--")]
            if options:
                yield name, options[0], parameter.default
