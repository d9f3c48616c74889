"""Progress of a sort: one bar for all of its passes over the recording, in a notebook or terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html import escape
from typing import Any

from ..errors import ParameterError
from .steps.passes import Report

#: Seconds between two updates of the bar.
REDRAW_S = 0.2
#: To the start of the line of a terminal, which is emptied.
CLEAR_LINE = "\r\x1b[2K"
_CELLS = 30


@contextmanager
def shown_progress(progress: Any, *, n_passes: int) -> Iterator[Report | None]:
    """Where a sort reports its progress: to a bar, to a function, or nowhere.

    Parameters
    ----------
    progress
        None: a bar in notebooks only; True: a bar in terminals too; False: nothing; or a function of ``(stage, done,
        total)``.
    n_passes
        Expected number of passes over the recording; after these the bar is full.

    Raises
    ------
    ParameterError
        If it is none of these.
    """
    if callable(progress):
        yield progress
        return
    if progress not in (None, True, False):
        raise ParameterError(
            f"progress is {progress!r}; give True, False or a function of (stage, done, total), or leave it out"
        )
    draw = notebook_line() if progress is not False else None
    if draw is None and progress is True:
        draw = terminal_line()
    if draw is None:
        yield None
        return
    bar = Bar(draw, n_passes)
    try:
        yield bar
    except BaseException:
        bar.end("stopped")
        raise
    bar.end("sorted")


class Bar:
    """Progress callback of a sort as one bar over consecutive stages, each a pass over the recording.

    Parameters
    ----------
    draw
        Function that displays a fraction from 0 to 1 and a text.
    n_passes
        Expected number of stages; additional stages never move the bar back.
    """

    def __init__(self, draw: Callable[[float, str], None], n_passes: int) -> None:
        self.draw, self.n_passes = draw, n_passes
        self.stages, self.share = list[str](), 0.0
        self.begun = time.monotonic()
        self.drawn = -REDRAW_S
        draw(0.0, "estimating noise and whitening")

    def __call__(self, stage: str, done: int, total: int) -> None:
        if stage not in self.stages:
            self.stages.append(stage)
        passes = len(self.stages) - 1 + done / max(total, 1)
        self.share = max(self.share, min(passes / max(self.n_passes, len(self.stages)), 1.0))
        now = time.monotonic() - self.begun
        if now - self.drawn < REDRAW_S and done < total:
            return
        self.drawn = now
        text = f"{stage}: {done} of {total} chunks" if done < total else f"{stage} done, working on its spikes"
        self.draw(self.share, f"{text} ({now:.0f} s)")

    def end(self, how: str) -> None:
        """Show the final text of the bar: ``sorted in 12 s``."""
        text = f"{how} {'in' if how == 'sorted' else 'after'} {time.monotonic() - self.begun:.0f} s"
        self.draw(1.0 if how == "sorted" else self.share, text)


def notebook_line() -> Callable[[float, str], None] | None:
    """A function that draws a bar below the running notebook cell; None outside notebooks."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if getattr(shell, "kernel", None) is None:
        return None
    from IPython.display import HTML, display

    shown = display(HTML(""), display_id=True)

    def draw(share: float, text: str) -> None:
        shown.update(HTML(f'<progress value="{share:.3f}" max="1" style="width: 20em"></progress> {escape(text)}'))

    return draw


def terminal_line() -> Callable[[float, str], None]:
    """A function that draws a bar on one line of the error stream."""

    def draw(share: float, text: str) -> None:
        cells = round(_CELLS * share)
        end = "\n" if text.startswith(("sorted", "stopped")) else ""
        sys.stderr.write(f"{CLEAR_LINE}[{'#' * cells}{'.' * (_CELLS - cells)}] {text}{end}")
        sys.stderr.flush()

    return draw
