"""The options that say how to read a recording: one list, shared by every command that opens a recording."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from inspect import Parameter, signature
from typing import Annotated, Any

import typer

from .options import ProbeFile, Trust
from .settings import reader_options

#: The value of the parameter ``reading``: arguments of ``open_recording``, by name.
Reading = Mapping[str, Any]

#: Options by the argument of ``open_recording`` that they set; ``reader`` collects arguments under their own names.
OPTIONS: dict[str, Any] = {
    "probe": ProbeFile,
    "stream_id": Annotated[str | None, typer.Option("--stream-id", help="Which stream, where a file holds several.")],
    "segment": Annotated[
        int | None, typer.Option("--segment", help="Which segment, where a recording has several (from 0).")
    ],
    "n_channels": Annotated[int | None, typer.Option("--n-channels", help="Channels of a raw binary file.")],
    "sampling_frequency": Annotated[
        float | None, typer.Option("--sampling-frequency", help="Rate of a raw binary file, in hertz.")
    ],
    "dtype": Annotated[str | None, typer.Option("--dtype", help="Type of a sample of a raw binary file (int16).")],
    "gain_to_uv": Annotated[float | None, typer.Option("--gain-to-uv", help="Microvolts per count.")],
    "reader": Annotated[
        list[str],
        typer.Option(
            "--reader",
            metavar="KEY=VALUE",
            help="Any other argument of open_recording, or of the format's reader; can be repeated.",
        ),
    ],
    "trust": Trust,
}
_DEFAULTS: dict[str, Any] = {"reader": [], "trust": False}


def with_reading(command: Callable[..., None]) -> Callable[..., None]:
    """Replace a command's parameter ``reading`` by the options of reading; the command gets their values in it."""
    own = signature(command, eval_str=True)
    parameters: list[Parameter] = []
    for parameter in own.parameters.values():
        if parameter.name != "reading":
            parameters.append(parameter)
            continue
        parameters += [
            Parameter(name, parameter.kind, default=_DEFAULTS.get(name), annotation=option)
            for name, option in OPTIONS.items()
        ]

    @wraps(command)
    def called(**given: Any) -> None:
        reading = {name: given.pop(name) for name in OPTIONS}
        more = reader_options(reading.pop("reader"))
        command(**given, reading={**reading, **more})

    called.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
    called.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return called
