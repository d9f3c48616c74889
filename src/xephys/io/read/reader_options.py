"""Arguments that ``open_recording`` passes on to a reader of SpikeInterface: those it takes, and misspelled ones."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from inspect import Parameter, signature
from typing import Any

from ...checks import hint_for
from ...errors import ParameterError

#: Parameters of readers that ``open_recording`` sets itself.
_SET_HERE = ("self", "folder_path", "file_path", "stream_id", "stream_name")


def reader_parameters(reader: Any) -> list[str]:
    """Names of the arguments that a reader takes, besides the path and the stream.

    Examples
    --------
    >>> def read(file_path, stream_id=None, *, gap_tolerance_ms=None): ...
    >>> reader_parameters(read)
    ['gap_tolerance_ms']
    """
    kinds = (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)
    return [p.name for p in signature(reader).parameters.values() if p.kind in kinds and p.name not in _SET_HERE]


def check_reader_options(options: Iterable[str], accepted: Collection[str], own: Collection[str], *, what: str) -> None:
    """Check further arguments of ``open_recording``.

    Parameters
    ----------
    options
        Names that are not parameters of ``open_recording``.
    accepted
        Names that the reader takes.
    own
        The parameters of ``open_recording``.
    what
        The file and its format, in the error message.

    Raises
    ------
    ParameterError
        If the reader does not take one of them; the error suggests the nearest name.
    """
    for name in options:
        if name not in accepted:
            listed = f"its reader takes {', '.join(accepted)}" if accepted else "its reader takes no others"
            raise ParameterError(
                f"open_recording has no parameter {name!r} for {what}; {listed}{hint_for(name, [*own, *accepted])}"
            )
