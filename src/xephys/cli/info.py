"""``xephys info``: the facts about a recording."""

from __future__ import annotations

from rich.markup import escape

from .console import console
from .options import (
    Channels,
    Debug,
    Gain,
    ProbeFile,
    Rate,
    ReaderOptions,
    RecordingPath,
    SampleType,
    Segment,
    StreamId,
    Trust,
)
from .settings import reader_options


def info(
    path: RecordingPath,
    probe: ProbeFile = None,
    stream_id: StreamId = None,
    segment: Segment = None,
    n_channels: Channels = None,
    sampling_frequency: Rate = None,
    dtype: SampleType = None,
    gain_to_uv: Gain = None,
    reader: ReaderOptions = [],  # noqa: B006 - Typer only reads it
    trust: Trust = False,
    debug: Debug = False,
) -> None:
    """Show what a recording holds; reads headers only."""
    from ..io.read.open import open_recording
    from ..recording.facts import recording_facts
    from ..recording.segments import segments_of

    opened = open_recording(
        path,
        probe=probe,
        stream_id=stream_id,
        segment=segment,
        n_channels=n_channels,
        sampling_frequency=sampling_frequency,
        dtype=dtype,
        gain_to_uv=gain_to_uv,
        trust=trust,
        **reader_options(reader),
    )
    pieces = segments_of(opened)
    for number, piece in enumerate(pieces):
        if len(pieces) > 1:
            console().print(f"[bold]segment {number}[/]")
        _print_facts(recording_facts(piece))


def _print_facts(facts: list[tuple[str, str]]) -> None:
    width = max(len(name) for name, _ in facts)
    for name, text in facts:
        console().print(f"[bold]{name:<{width}}[/]  {escape(text)}")
