"""How commands talk to the user: exit statuses, one-sentence errors, warnings."""

from __future__ import annotations

import functools
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import typer
from rich.console import Console
from rich.markup import escape

from ..errors import XephysWarning, kind_of, resource_of
from .folders import what_remains
from .spoken import in_options

#: Typer uses status 2 for a command line that it cannot parse; a wrong parameter is the same kind of mistake.
UNEXPECTED, PARAMETER, RECORDING, OUTPUT, RESOURCE, SORTER, INTERRUPTED = 1, 2, 3, 4, 5, 6, 130
STATUS_HELP = (
    "Exit status: 0 all results are whole; 2 a wrong option, parameter or preset; 3 the recording cannot be used; "
    "4 the result cannot be written there; 5 memory, disk or a worker gave out, or a package is missing; "
    "6 another sorter failed; 130 interrupted; 1 anything else."
)
#: Columns of a screen that is none, in characters.
UNLIMITED_WIDTH = 10_000
#: Status by kind of error (``errors.kind_of``).
_STATUS = {
    "parameter": PARAMETER,
    "recording": RECORDING,
    "output": OUTPUT,
    "resource": RESOURCE,
    "installation": RESOURCE,
    "sorter": SORTER,
}
#: What is said if something gave out and the error itself names no remedy.
_GAVE_OUT = {
    "disk": "no space left on the disk ({}); free some and run the same command again",
    "memory": "memory gave out ({}); use a shorter --chunk-duration-s or a machine with more",
    "GPU memory": "the memory of the GPU gave out ({}); use a shorter --chunk-duration-s",
    "workers": "workers of the cluster were lost ({}); give them more memory and run again",
}


def console(*, stderr: bool = False) -> Console:
    """A console on the current stream, so that redirections take effect; no table is cut in a file or a pipe."""
    screen = Console(stderr=stderr, highlight=False, soft_wrap=True)
    if not screen.is_terminal and "COLUMNS" not in os.environ:
        screen.width = UNLIMITED_WIDTH
    return screen


def reported(command: Callable[..., None]) -> Callable[..., None]:
    """Turn an error of a command into one sentence on the error stream and an exit status, unless with ``--debug``."""

    @functools.wraps(command)
    def run(*args: Any, **options: Any) -> None:
        debug = bool(options.get("debug"))
        with _short_warnings(debug):
            try:
                command(*args, **options)
            except KeyboardInterrupt as interrupt:
                say("interrupted", _notes(interrupt) or what_remains(options.get("out")))
                raise typer.Exit(INTERRUPTED) from None
            except Exception as error:
                if debug or isinstance(error, typer.Exit):
                    raise
                status, sentence = explain(error)
                if status in (PARAMETER, RECORDING, OUTPUT):
                    sentence = in_options(sentence, command, options)
                left = _notes(error)
                if not left and status == RESOURCE and "out" in options and not isinstance(error, ImportError):
                    left = what_remains(options.get("out"))
                if left:
                    stop = "" if sentence.endswith("?") else ";"
                    sentence = f"{sentence}{stop} {left}"
                say("error", sentence)
                raise typer.Exit(status) from None

    return run


def _notes(error: BaseException) -> str:
    """What a command has noted on an error: what is left of its work."""
    return "; ".join(getattr(error, "__notes__", ()))


def explain(error: Exception) -> tuple[int, str]:
    """Exit status and sentence for an error."""
    text = str(error).rstrip(".") or type(error).__name__
    kind, resource = kind_of(error), resource_of(error)
    if resource in _GAVE_OUT and getattr(error, "resource", None) is None:  # an error of another package
        return RESOURCE, _GAVE_OUT[resource].format(text.splitlines()[0])
    if kind in _STATUS:
        return _STATUS[kind], text
    return UNEXPECTED, f"unexpected {type(error).__name__}: {text.splitlines()[0]}; --debug shows where it comes from"


def say(kind: str, sentence: str) -> None:
    """Print a sentence on the error stream; ``kind`` is ``"error"``, ``"warning"`` or ``"interrupted"``."""
    style, screen = "yellow" if kind == "warning" else "bold red", console(stderr=True)
    if screen.is_terminal:
        from ..sorter.progress import CLEAR_LINE

        sys.stderr.write(CLEAR_LINE)  # a bar of progress may stand there
    screen.print(f"[{style}]{kind}:[/] {escape(sentence)}")


@contextmanager
def _short_warnings(debug: bool) -> Iterator[None]:
    """Print our own warnings as one line each, and those of other libraries only when debugging."""
    with warnings.catch_warnings():
        if not debug and not sys.warnoptions:
            warnings.simplefilter("ignore")
            warnings.simplefilter("always", XephysWarning)
            warnings.showwarning = lambda message, *_, **__: say("warning", str(message))
        yield
