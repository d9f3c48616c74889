"""What the commands share: exit statuses and one-sentence errors, the progress bar, the folder of a result."""

from __future__ import annotations

import ast
import functools
import os
import shutil
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.markup import escape

from ..errors import OutputError, ParameterError, RecordingError, ResourceError, XephysWarning, is_disk_full

if TYPE_CHECKING:
    from rich.progress import Progress

#: Status 2 is Typer's, for a command line it cannot read; a wrong parameter is the same kind of mistake.
UNEXPECTED, PARAMETER, RECORDING, OUTPUT, RESOURCE, INTERRUPTED = 1, 2, 3, 4, 5, 130
STATUS_HELP = (
    "Exit status: 0 all results are whole; 2 a wrong option, parameter or preset; 3 the recording cannot be used; "
    "4 the result cannot be written there; 5 memory, disk or a worker gave out; 130 interrupted; 1 anything else."
)

#: Arguments of ``open_recording`` that have an option of their own.
_OWN_OPTIONS = ("probe", "stream_id", "segment", "n_channels", "sampling_frequency", "dtype", "gain_to_uv", "trust")
_OWN_OPTIONS += ("chunk_duration_s", "path")

SORTING_NAME, PHY_NAME, WORK_NAME = "sorting.zarr", "phy", ".work"

#: Bytes that a sort keeps per second and channel: peaks with their features, at several per second and channel, of
#: detection and of every refinement.
_WORK_BYTES = 5000
_WORK_BYTES_LEAST = 32 * 2**20


def console(*, stderr: bool = False) -> Console:
    """A console of the stream as it is now, so that redirections are seen."""
    return Console(stderr=stderr, highlight=False, soft_wrap=True)


def reported(command: Callable[..., None]) -> Callable[..., None]:
    """Turn what a command raises into one sentence on the error stream and an exit status; ``--debug`` shows all."""

    @functools.wraps(command)
    def run(*args: Any, **options: Any) -> None:
        debug = bool(options.get("debug"))
        with _short_warnings(debug):
            try:
                command(*args, **options)
            except KeyboardInterrupt:
                _say("interrupted", _kept(options.get("out")))
                raise typer.Exit(INTERRUPTED) from None
            except Exception as error:
                if debug or isinstance(error, typer.Exit):
                    raise
                status, sentence = explain(error)
                if status == RESOURCE:
                    sentence = f"{sentence}. {_kept(options.get('out'))}"
                _say("error", sentence)
                raise typer.Exit(status) from None

    return run


def explain(error: Exception) -> tuple[int, str]:
    """Exit status and sentence of an error."""
    text = str(error).rstrip(".") or type(error).__name__
    if isinstance(error, OSError) and is_disk_full(error):
        return RESOURCE, f"no space left on the disk ({text}); free some and run the same command again"
    if isinstance(error, MemoryError):
        return (
            RESOURCE,
            "memory gave out; use a shorter --chunk-duration-s or a machine with more",
        )
    if type(error).__name__ in ("KilledWorker", "CommClosedError", "FutureCancelledError"):
        return (
            RESOURCE,
            f"workers of the cluster were lost ({text.splitlines()[0]}); give them more memory and run again",
        )
    for kind, status in (
        (ParameterError, PARAMETER),
        (RecordingError, RECORDING),
        (FileNotFoundError, RECORDING),
        (OutputError, OUTPUT),
        (PermissionError, OUTPUT),
        (ResourceError, RESOURCE),
    ):
        if isinstance(error, kind):
            return status, text
    return UNEXPECTED, f"unexpected {type(error).__name__}: {text.splitlines()[0]}; --debug shows where it comes from"


@contextmanager
def progress_bar() -> Iterator[Callable[[str, int, int], None]]:
    """A bar for each stage of a sort; nothing at all where the error stream is no terminal."""
    screen = console(stderr=True)
    if not screen.is_terminal:
        yield lambda stage, done, total: None
        return
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description:<10}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=screen) as bars:
        yield _Stages(bars)


class _Stages:
    """The callback of a sort: one bar per stage, made when the stage first reports."""

    def __init__(self, bars: Progress) -> None:
        self.bars, self.tasks = bars, dict[str, Any]()

    def __call__(self, stage: str, done: int, total: int) -> None:
        if stage not in self.tasks:
            self.tasks[stage] = self.bars.add_task(stage, total=total)
        self.bars.update(self.tasks[stage], completed=done, total=total)


def check_result_folder(out: Path, names: Sequence[str], *, overwrite: bool) -> None:
    """Refuse a place that holds results already or cannot be written to, before any work.

    A folder with nothing but ``.work``, or with that and the first of the results, is a run that was stopped, and is
    resumed. Results are written in the order of their names, so a later result without the earlier ones was not left by
    an interrupted run: the user may have edited it.

    Raises
    ------
    OutputError
        See above.
    """
    if out.exists() and not out.is_dir():
        raise OutputError(f"{out} is a file; give a folder to --out")
    present = [name for name in names if (out / name).exists()]
    stopped = (out / WORK_NAME).exists() and len(present) < len(names) and present == list(names[: len(present)])
    if present and not stopped and not overwrite:
        raise OutputError(
            f"{out} already holds {' and '.join(present)}; choose another folder, or replace them with --overwrite"
        )
    above = next(folder for folder in (out, *out.absolute().parents) if folder.exists())
    if not os.access(above, os.W_OK | os.X_OK):
        raise OutputError(f"{above} cannot be written to; choose another folder or change its permissions")


def sort_bytes(n_channels: int, duration_s: float) -> int:
    """Room that a sort needs for its checkpoints and results, about."""
    return _WORK_BYTES_LEAST + round(_WORK_BYTES * n_channels * duration_s)


@contextmanager
def work_folder(out: Path, *, discard: bool = False) -> Iterator[Path]:
    """``.work`` in the folder of the results: what a stopped run goes on from, and one with other late parameters.

    Removed with ``discard`` when the results are whole. If there is nothing to keep, because no chunk was finished or
    the fault is the recording's, nothing is left.
    """
    work, new_out = out / WORK_NAME, not out.exists()
    new_work = not work.exists()
    work.mkdir(parents=True, exist_ok=True)
    try:
        yield work
    except BaseException as error:
        useless = isinstance(error, (RecordingError, ParameterError)) or not any(p.is_file() for p in work.rglob("*"))
        if new_work and useless:
            shutil.rmtree(work)
            if new_out and not any(out.iterdir()):
                out.rmdir()
        raise
    if discard:
        shutil.rmtree(work)


def reader_options(settings: Sequence[str]) -> dict[str, Any]:
    """The ``--reader KEY=VALUE`` options as keyword arguments of ``open_recording``.

    Values are written as in Python; what is not a number, ``True``, ``None``, a list or a quoted text is a text.

    Raises
    ------
    ParameterError
        If there is no ``=``, a key comes twice, or has an option of its own.

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
        try:
            values[name] = ast.literal_eval(text)
        except (ValueError, SyntaxError):
            values[name] = text
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


def _kept(out: Any) -> str:
    if out is None or not (Path(out) / WORK_NAME).exists():
        return "what was not finished has been removed"
    return f"finished chunks are kept in {Path(out) / WORK_NAME}; the same command goes on from there"


def _say(kind: str, sentence: str) -> None:
    style = "yellow" if kind == "warning" else "bold red"
    console(stderr=True).print(f"[{style}]{kind}:[/] {escape(sentence)}")


@contextmanager
def _short_warnings(debug: bool) -> Iterator[None]:
    """Our own warnings as one line each; those of the libraries underneath only for debugging."""
    with warnings.catch_warnings():
        if not debug and not sys.warnoptions:
            warnings.simplefilter("ignore")
            warnings.simplefilter("always", XephysWarning)
            warnings.showwarning = lambda message, *_, **__: _say("warning", str(message))
        yield
