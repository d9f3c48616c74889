"""``recording.ephys``: every public function that takes a recording first, as a method. No state, no logic."""

from __future__ import annotations

from html import escape
from importlib import import_module
from pathlib import Path
from types import MethodType
from typing import Any

import xarray as xr

from .lazy import read_stub

#: Start of the comments in ``__init__.pyi`` that head the blocks of functions offered as methods.
METHODS = "Functions of a recording"


class _Forward:
    """A public function, imported on first use and bound to the recording like a method."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, accessor: RecordingAccessor | None, owner: type) -> Any:
        function = getattr(import_module(__package__), self.name)
        return function if accessor is None else MethodType(function, accessor.recording)


@xr.register_datatree_accessor("ephys")  # type: ignore[no-untyped-call]
@xr.register_dataarray_accessor("ephys")  # type: ignore[no-untyped-call]
class RecordingAccessor:
    """Methods of a recording or a tree of segments, with the parameters and documentation of the functions.

    Examples
    --------
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0)
    >>> recording.ephys.bandpass_filter(freq_min_hz=300).ephys.common_reference().dtype
    dtype('float32')
    """

    def __init__(self, recording: xr.DataArray | xr.DataTree) -> None:
        self.recording = recording

    def __getattr__(self, name: str) -> Any:
        from .checks import hint_for

        hint = "" if name.startswith("_") else hint_for(name, [n for kind in _kinds().values() for n in kind])
        raise AttributeError(f"'.ephys' has no method {name!r}{hint}")

    def __repr__(self) -> str:
        from textwrap import fill

        lines = [f"{self._summary()}; its methods, each with help():"]
        lines += [
            fill(f"{kind}: {', '.join(names)}", 100, subsequent_indent="    ") for kind, names in _kinds().items()
        ]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        rows = "".join(f"<tr><th>{kind}</th><td>{', '.join(names)}</td></tr>" for kind, names in _kinds().items())
        return f"<div>{escape(self._summary())}; its methods:</div><table>{rows}</table>"

    def _summary(self) -> str:
        array = self.recording
        if isinstance(array, xr.DataTree):
            return f"a tree of {len(array.children)} segments"
        rate = array.attrs.get("sampling_frequency")
        if array.dims != ("time", "channel") or not isinstance(rate, (int, float)) or not rate > 0:
            return f"an array with dims {array.dims}, which is not a recording (time, channel)"
        seconds = array.sizes["time"] / rate
        units = array.attrs.get("units", "counts")
        return f"a recording of {array.sizes['channel']} channels and {seconds:.6g} s at {rate:.9g} Hz in {units}"


def _kinds() -> dict[str, list[str]]:
    """Names of the methods, grouped by the room that defines them."""
    kinds: dict[str, list[str]] = {}
    for name, public in read_stub(Path(__file__).with_name("__init__.pyi")).items():
        if public.block.startswith(METHODS):
            kinds.setdefault(public.module.split(".")[1], []).append(name)
    return kinds


for _name, _public in read_stub(Path(__file__).with_name("__init__.pyi")).items():
    if _public.block.startswith(METHODS):
        setattr(RecordingAccessor, _name, _Forward(_name))
