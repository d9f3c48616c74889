"""Stage and Plan: what is to be computed, as data. Free of Dask, so that its algebra can be tested alone.

A plan is a source, a range of its absolute sample axis cut into chunks, and a chain of stages. Trace stages widen the
range to be read by the sum of their halos. The event stages at the end of the chain all see the same traces, so they
widen it by the largest of their halos. Chunks only schedule: the arithmetic runs on a fixed grid of tiles (see
``run``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ..calls import current_call
from ..errors import ParameterError, RecordingError

Array: TypeAlias = NDArray[Any]
Emits: TypeAlias = Literal["traces", "events", "partials"]

#: Length of a tile. It is part of a result's identity: another grid changes the last bits of sums and borderline
#: decisions.
TILE_DURATION_S = 1.0


@runtime_checkable
class Source(Protocol):
    """Where samples come from: small, picklable, opened lazily in each process.

    ``token`` identifies the content (path, size and modification time for files). ``read`` returns samples
    ``[start, stop)``, always inside ``[0, n_samples)``, as an array that callers may not write into.
    """

    @property
    def n_samples(self) -> int: ...
    @property
    def n_channels(self) -> int: ...
    @property
    def dtype(self) -> np.dtype[Any]: ...
    @property
    def token(self) -> str: ...
    def read(self, start: int, stop: int) -> Array: ...


@dataclass(frozen=True)
class Stage:
    """One step of a chain.

    Parameters
    ----------
    func
        Module-level kernel: ``func(traces, *, before, after, **parameters)`` for traces. Event, partial and timed
        stages also get ``start``, and every event stage but the first gets ``events`` as its second argument.
    parameters
        Plain numbers and strings.
    arrays
        Array parameters, kept apart so that Dask stores each once instead of once per task. Those with a dot in their
        names are bundled: ``model.energies`` and ``model.channels`` reach the kernel as one mapping, ``model``.
    before, after
        Halo: samples needed on each side of the samples returned.
    dtype
        dtype of the result; structured for events.
    emits
        ``"traces"``, ``"events"`` (records inside the core) or ``"partials"`` (a dict of summable arrays per tile).
    n_channels
        Number of channels returned, if it differs from the input.
    device
        Name of the device to which the stage moves the traces, if it does. Later stages run there, on whole tiles.
    timed
        Whether the stage depends on time: its kernel is given ``start``, the absolute number of the first sample that
        it returns.
    call
        The public operation that adds the stage, with its parameters, for display only; by default, the running
        operation.
    """

    func: Callable[..., Any]
    dtype: np.dtype[Any]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, Array] = field(default_factory=dict)
    before: int = 0
    after: int = 0
    emits: Emits = "traces"
    n_channels: int | None = None
    device: str | None = None
    timed: bool = False
    call: str = field(default_factory=current_call, compare=False)

    def __post_init__(self) -> None:
        if self.before < 0 or self.after < 0:
            raise ValueError(f"{self.name}: the halo ({self.before}, {self.after}) is negative; give samples >= 0")
        object.__setattr__(self, "dtype", np.dtype(self.dtype))
        object.__setattr__(self, "arrays", {name: _writable(array) for name, array in self.arrays.items()})
        for key, value in self.parameters.items():
            if isinstance(value, np.ndarray):
                raise TypeError(f"{self.name}: parameter {key!r} is an array; pass it in `arrays`, where Dask sees it")
            if not _is_plain(value):
                raise TypeError(
                    f"{self.name}: parameter {key!r} is a {type(value).__name__}; a stage takes numbers, strings and "
                    "tuples of them, whose text is the same in every process"
                )

    @property
    def name(self) -> str:
        """Name of the public operation, or of the kernel if no operation added the stage."""
        return self.call.partition("(")[0] or self.kernel

    @property
    def kernel(self) -> str:
        return getattr(self.func, "__name__", str(self.func))

    @property
    def keywords(self) -> dict[str, Any]:
        """Keyword arguments of the kernel, besides its halo."""
        return {**self.parameters, **bundled(self.arrays)}

    @property
    def is_pointwise(self) -> bool:
        """Whether each row depends on itself alone; such stages run on sub-blocks that stay in cache."""
        return (
            self.emits == "traces" and self.before == 0 and self.after == 0 and self.device is None and not self.timed
        )

    @cached_property
    def token(self) -> str:
        digest = hashlib.sha1(usedforsecurity=False)
        head = (self.func.__module__, self.func.__qualname__, self.before, self.after, self.emits, self.n_channels)
        digest.update(repr((*head, "timed") if self.timed else head).encode())
        digest.update(repr(self.dtype.descr).encode())
        for key in sorted(self.parameters):
            digest.update(f"{key}={self.parameters[key]!r};".encode())
        for key in sorted(self.arrays):
            array = np.ascontiguousarray(self.arrays[key])
            digest.update(f"{key}:{array.dtype.str}{array.shape};".encode())
            digest.update(array.tobytes())
        return digest.hexdigest()


@dataclass(frozen=True)
class Plan:
    """A source, the range ``[start, stop)`` of its sample axis in chunks, and the stages to run on it.

    ``origin`` is added to sample numbers in events. A source that is itself a part of a recording, such as the result
    of arithmetic on one, then numbers samples like the whole.
    """

    source: Source
    sampling_frequency: float
    start: int
    chunks: tuple[int, ...]
    tile_samples: int
    stages: tuple[Stage, ...] = ()
    origin: int = 0

    @classmethod
    def of_source(cls, source: Source, *, sampling_frequency: float, chunk_samples: int) -> Plan:
        tile_samples = max(1, round(TILE_DURATION_S * sampling_frequency))
        chunks = regular_chunks(source.n_samples, chunk_samples)
        return cls(source, float(sampling_frequency), 0, chunks, tile_samples)

    @property
    def stop(self) -> int:
        return self.start + sum(self.chunks)

    @property
    def n_samples(self) -> int:
        return sum(self.chunks)

    @property
    def first_sample(self) -> int:
        """Number of the first sample as used in events: on the axis of the recording's segment."""
        return self.start + self.origin

    @cached_property
    def starts(self) -> NDArray[np.int64]:
        """Absolute first sample of each chunk, followed by the end of the last one."""
        edges = np.zeros(len(self.chunks) + 1, np.int64)
        np.cumsum(self.chunks, out=edges[1:])
        return edges + self.start

    @property
    def emits(self) -> Emits:
        return self.stages[-1].emits if self.stages else "traces"

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.stages[-1].dtype if self.stages else np.dtype(self.source.dtype).newbyteorder("=")

    @property
    def n_channels(self) -> int:
        for stage in reversed(self.stages):
            if stage.n_channels is not None:
                return stage.n_channels
        return self.source.n_channels

    @property
    def trace_stages(self) -> tuple[Stage, ...]:
        return tuple(s for s in self.stages if s.emits == "traces")

    @property
    def event_stages(self) -> tuple[Stage, ...]:
        return tuple(s for s in self.stages if s.emits != "traces")

    @property
    def event_halo(self) -> tuple[int, int]:
        events = self.event_stages
        return max((s.before for s in events), default=0), max((s.after for s in events), default=0)

    @property
    def halo(self) -> tuple[int, int]:
        """Samples read before and after a tile."""
        before, after = self.event_halo
        return before + sum(s.before for s in self.trace_stages), after + sum(s.after for s in self.trace_stages)

    @property
    def device(self) -> str | None:
        """Name of the device on which the chain ends; None for host memory."""
        return next((s.device for s in reversed(self.stages) if s.device is not None), None)

    @cached_property
    def identity(self) -> str:
        """Token of the values, independent of chunks: source, tile grid and stages."""
        parts = (self.source.token, self.sampling_frequency, self.tile_samples, [s.token for s in self.stages])
        known = repr((*parts, self.origin) if self.origin else parts)
        return hashlib.sha1(known.encode(), usedforsecurity=False).hexdigest()

    @cached_property
    def token(self) -> str:
        digest = hashlib.sha1(f"{self.identity}{self.start}".encode(), usedforsecurity=False)
        digest.update(np.asarray(self.chunks, np.int64).tobytes())
        return digest.hexdigest()

    def __dask_tokenize__(self) -> tuple[str, str]:
        return "xephys.Plan", self.token

    def then(self, stage: Stage) -> Plan:
        """The plan with one more stage.

        Raises
        ------
        ValueError
            If traces would follow events, or anything would follow partials.
        RecordingError
            If the source is shorter than the halo.
        ParameterError
            If the traces are on a device and the stage's kernel runs on NumPy arrays only.
        """
        if self.emits == "partials" or (self.emits == "events" and stage.emits == "traces"):
            raise ValueError(
                f"{stage.name} emits {stage.emits} and cannot follow {self.stages[-1].name}, which emits {self.emits}; "
                "extend the traces instead"
            )
        if self.device is not None and not getattr(stage.func, "runs_on_devices", False):
            raise ParameterError(
                f"{stage.name} has no kernel for device {self.device!r}; leave out to_device, or put it after this step"
            )
        longer = replace(self, stages=(*self.stages, stage))
        before, after = longer.halo
        if self.source.n_samples <= max(before, after):
            raise RecordingError(
                f"the recording has {self.source.n_samples} samples, no more than the halo of {max(before, after)} "
                f"that {stage.name} needs at {self.sampling_frequency:g} Hz; use a longer recording, or a higher "
                "corner (in hertz)"
            )
        return longer

    def narrowed(self, start: int, chunks: tuple[int, ...]) -> Plan:
        """The same values on a narrower range of the absolute sample axis."""
        stop = start + sum(chunks)
        if not self.start <= start <= stop <= self.stop:
            raise RecordingError(f"range [{start}, {stop}) is outside the plan's [{self.start}, {self.stop})")
        return replace(self, start=start, chunks=chunks)

    def rechunked(self, chunk_samples: int) -> Plan:
        return replace(self, chunks=regular_chunks(self.n_samples, chunk_samples))

    def tiles(self, start: int, stop: int) -> range:
        """Numbers of the tiles that cover ``[start, stop)``."""
        if stop <= start:
            return range(0)
        return range(start // self.tile_samples, -(-stop // self.tile_samples))


def runs_on_devices(kernel: Callable[..., Any]) -> Callable[..., Any]:
    """Mark a kernel that also accepts device arrays; on a device, a plan refuses kernels without this mark.

    Such a kernel calls dispatched kernels only, or uses only operators and methods that all arrays have.
    """
    kernel.runs_on_devices = True  # type: ignore[attr-defined]
    return kernel


def bundled(arrays: Mapping[str, Array]) -> dict[str, Any]:
    """Arrays as keywords of a kernel; those whose names have a dot become members of a mapping."""
    keywords: dict[str, Any] = {}
    for name, array in arrays.items():
        whole, dot, member = name.partition(".")
        if dot:
            keywords.setdefault(whole, {})[member] = array
        else:
            keywords[name] = array
    return keywords


def _writable(array: Array) -> Array:
    """A copy of what is read-only, which is another type for Numba: each kernel would be compiled a second time."""
    return array.copy() if isinstance(array, np.ndarray) and not array.flags.writeable else array


def _is_plain(value: Any) -> bool:
    if isinstance(value, (tuple, list)):
        return all(_is_plain(item) for item in value)
    return value is None or isinstance(value, (bool, int, float, complex, str, bytes, np.generic, np.dtype))


def regular_chunks(n_samples: int, chunk_samples: int) -> tuple[int, ...]:
    """Equal chunks with a shorter last one; an empty recording has one empty chunk."""
    if chunk_samples < 1:
        raise ValueError(f"a chunk of {chunk_samples} samples is impossible; give at least 1")
    whole, rest = divmod(n_samples, chunk_samples)
    return (chunk_samples,) * whole + ((rest,) if rest or not whole else ())
