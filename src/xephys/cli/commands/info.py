"""``xephys info``: the facts about a recording."""

from __future__ import annotations

from rich.markup import escape

from ..console import console
from ..options import Debug, RecordingPath
from ..reading import Reading, with_reading


@with_reading
def info(path: RecordingPath, reading: Reading, debug: Debug = False) -> None:
    """Show what a recording holds; reads headers only."""
    from ...io.read.open import open_recording
    from ...recording.facts import recording_facts
    from ...recording.segments import segments_of

    pieces = segments_of(open_recording(path, **reading))
    for number, piece in enumerate(pieces):
        if len(pieces) > 1:
            console().print(f"[bold]segment {number}[/]")
        _print_facts(recording_facts(piece))


def _print_facts(facts: list[tuple[str, str]]) -> None:
    width = max(len(name) for name, _ in facts)
    for name, text in facts:
        console().print(f"[bold]{name:<{width}}[/]  {escape(text)}")
