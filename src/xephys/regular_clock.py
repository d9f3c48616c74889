"""Xarray index for the times of a recording: sample numbers, converted to seconds by a start and a rate.

Three integers and two floats represent the times of all samples. Selecting by time is arithmetic on sample numbers, so
a window knows its place in the segment, and adjoining windows can be concatenated again.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from xarray.core.indexes import CoordinateTransformIndex, IndexSelResult, PandasIndex
from xarray.core.indexing import CoordinateTransformIndexingAdapter
from xarray.indexes import CoordinateTransform, Index

from .errors import RecordingError

#: A time this close to a sample, in samples, selects that sample: people write seconds with few digits.
_EXACT = 1e-3
#: Times within this many samples of even spacing form a regular clock: float64 resolves 1e6 s no better.
_EVEN = 0.01
#: How many evenly spread times are tested for even spacing.
_N_LOOKED_AT = 1024
#: Attributes of the coordinate. Plots show unit and name beside the axis; ``clock`` records, when the times are stored
#: one by one, that a start and a rate represent them all.
TIME_ATTRIBUTES = {"units": "s", "long_name": "time", "clock": "regular"}


class ClockTransform(CoordinateTransform):
    """From positions along ``time`` to seconds and back: ``start_s + (first + stride * position) / rate``."""

    def __init__(
        self, start_s: float, rate: float, *, first: int, size: int, stride: int = 1, name: Hashable = "time",
        dim: str = "time",
    ) -> None:  # fmt: skip
        super().__init__([name], {dim: int(size)}, dtype=np.dtype(np.float64))
        self.start_s, self.rate = float(start_s), float(rate)
        self.first, self.stride = int(first), int(stride)

    @property
    def size(self) -> int:
        return next(iter(self.dim_size.values()))

    def forward(self, dim_positions: dict[str, Any]) -> dict[Hashable, Any]:
        """Seconds at positions."""
        return {self.coord_names[0]: self.times(dim_positions[self.dims[0]])}

    def reverse(self, coord_labels: dict[Hashable, Any]) -> dict[str, Any]:
        """Positions, not rounded, of seconds."""
        return {self.dims[0]: self.positions(coord_labels[self.coord_names[0]])}

    def times(self, positions: Any) -> NDArray[np.float64]:
        numbers = self.first + self.stride * np.asarray(positions, np.int64)
        return np.asarray(self.start_s + numbers / self.rate, np.float64)

    def positions(self, times: Any) -> NDArray[np.float64]:
        numbers = (np.asarray(times, np.float64) - self.start_s) * self.rate
        return np.asarray((numbers - self.first) / self.stride, np.float64)

    def part(self, first: int, size: int, stride: int = 1) -> ClockTransform:
        """Every ``stride``-th time from position ``first`` on."""
        number = self.first + self.stride * first
        return ClockTransform(
            self.start_s, self.rate, first=number, size=size, stride=self.stride * stride,
            name=self.coord_names[0], dim=self.dims[0],
        )  # fmt: skip

    def equals(self, other: CoordinateTransform, **kwargs: Any) -> bool:
        if not isinstance(other, ClockTransform) or self.size != other.size:
            return False
        ahead = self.ahead(other)
        return ahead is not None and ahead == 0

    def ahead(self, other: ClockTransform) -> int | None:
        """Number of positions by which the other clock begins later; None if the two are not on one clock."""
        step, own = other.stride / other.rate, self.stride / self.rate
        if abs(step - own) * max(self.size, other.size, 1) > _EVEN * own:
            return None
        ahead = float(self.positions(other.times(0)))
        return round(ahead) if abs(ahead - round(ahead)) < _EVEN else None

    def __repr__(self) -> str:
        until = self.start_s + (self.first + self.stride * self.size) / self.rate
        return f"{self.times(0):.9g} to {until:.9g} s, {self.rate / self.stride:.9g} Hz, from sample {self.first}"


class RegularClock(CoordinateTransformIndex):
    """Xarray index of evenly spaced times, defined by a start and a rate; made by :func:`xephys.make_recording`.

    ``sel`` takes times, arrays of times and slices, as it does for stored times: slices include both ends, ``method``
    may be ``"nearest"``, ``"ffill"`` or ``"bfill"``, and ``tolerance`` is in seconds. A slice keeps the clock; a slice
    with a stride has a lower rate. ``xarray.concat`` joins windows that follow each other. Recordings on one clock are
    aligned by sample, so arithmetic on two windows gives their overlap.

    Examples
    --------
    >>> import numpy as np
    >>> from xephys.schema import make_recording
    >>> rec = make_recording(np.zeros((600, 2), "int16"), sampling_frequency=100.0, start_s=6.29)
    >>> rec.sel(time=slice(7, 8)).sizes["time"], float(rec.sel(time=7.123, method="nearest").time)
    (101, 7.12)
    >>> xr.concat([rec[:250], rec[250:]], "time").xindexes["time"]
    RegularClock(6.29 to 12.29 s, 100 Hz, from sample 0)
    """

    transform: ClockTransform

    @classmethod
    def regular(
        cls, start_s: float, rate: float, *, size: int, first: int = 0, name: Hashable = "time", dim: str = "time"
    ) -> RegularClock:
        """Clock of ``size`` samples from number ``first`` on; number 0 is at ``start_s``."""
        return cls(ClockTransform(start_s, rate, first=first, size=size, name=name, dim=dim))

    @classmethod
    def from_variables(cls, variables: Mapping[Any, Any], *, options: Mapping[str, Any]) -> RegularClock:
        """Make the index from stored times, if they are evenly spaced (``set_xindex``)."""
        ((name, variable),) = variables.items()
        found = evenly_spaced(variable, name=name, dim=variable.dims[0])
        if found is None:
            raise RecordingError(
                f"the times {name!r} are not evenly spaced, so no start and rate represent them; keep them as they "
                "are: a recording may have a time for each sample"
            )
        return found

    @property
    def start(self) -> float:
        """Time of the first sample in seconds."""
        return float(self.transform.times(0))

    @property
    def step(self) -> float:
        """Seconds from a sample to the next one."""
        return self.transform.stride / self.transform.rate

    @property
    def size(self) -> int:
        return self.transform.size

    @property
    def first(self) -> int:
        """Number of the first sample, from the start of the segment."""
        return self.transform.first

    @property
    def dim(self) -> str:
        return str(self.transform.dims[0])

    def create_variables(self, variables: Mapping[Any, Any] | None = None) -> dict[Any, Any]:
        name = self.transform.coord_names[0]
        attributes = variables[name].attrs if variables is not None and name in variables else {}
        times = _LazyTimes(self.transform, name)
        return {name: _Times(self.transform.dims, times, {**TIME_ATTRIBUTES, **attributes})}

    def isel(self, indexers: Mapping[Any, Any]) -> Index | None:
        chosen = indexers[self.dim]
        if isinstance(chosen, slice):
            chosen = range(self.size)[chosen]
        else:
            values = np.asarray(getattr(chosen, "values", chosen))
            if values.ndim != 1:
                return None
            dim = chosen.dims[0] if isinstance(chosen, xr.Variable) else self.dim
            values = (
                np.flatnonzero(values) if values.dtype.kind == "b" else np.where(values < 0, values + self.size, values)
            )
            steps = np.diff(values)
            if dim != self.dim or not len(steps) or steps[0] < 1 or (steps != steps[0]).any():
                return PandasIndex(self.transform.times(values), dim, coord_dtype=self.transform.dtype)
            chosen = range(int(values[0]), int(values[-1]) + 1, int(steps[0]))
        if chosen.step < 0:
            return PandasIndex(
                self.transform.times(np.arange(self.size)[chosen.start :: chosen.step][: len(chosen)]), self.dim
            )
        return RegularClock(self.transform.part(chosen.start, len(chosen), chosen.step))

    def sel(self, labels: dict[Any, Any], method: str | None = None, tolerance: float | None = None) -> IndexSelResult:
        ((_, label),) = labels.items()
        if isinstance(label, slice):
            if method is not None:
                raise NotImplementedError(
                    f"method is {method!r} and a slice was given; leave it out: slices hold both ends"
                )
            return IndexSelResult({self.dim: self._between(label)})
        positions = self._positions_of(getattr(label, "values", label), method, tolerance)
        if isinstance(label, xr.DataArray):
            return IndexSelResult({self.dim: label.copy(data=positions)})
        if isinstance(label, xr.Variable):
            return IndexSelResult({self.dim: xr.Variable(label.dims, positions)})
        return IndexSelResult({self.dim: positions if positions.ndim else int(positions)})

    def _between(self, label: slice) -> slice:
        """Positions of the samples in a range of times, both ends included."""
        ends = [None if end is None else float(self.transform.positions(end)) for end in (label.start, label.stop)]
        first = 0 if ends[0] is None else int(np.ceil(ends[0] - _EXACT))
        last = self.size if ends[1] is None else int(np.floor(ends[1] + _EXACT)) + 1
        first = min(max(first, 0), self.size)
        return slice(first, min(max(last, first), self.size), label.step)

    def _positions_of(self, times: Any, method: str | None, tolerance: float | None) -> NDArray[np.int64]:
        wanted = self.transform.positions(times)
        if method is not None and method not in _ROUNDED:
            raise ValueError(f"method is {method!r}; give one of {', '.join(_ROUNDED)}, or None for exact times")
        positions = np.asarray(_ROUNDED["nearest" if method is None else method](wanted)).astype(np.int64)
        if method == "nearest":
            positions = np.clip(positions, 0, self.size - 1)
        off, limit = np.abs(positions - wanted), np.inf if tolerance is None else tolerance / self.step + _EXACT
        bad = (positions < 0) | (positions >= self.size) | (off > (_EXACT if method is None else limit))
        if bad.any() or not self.size:
            one = np.asarray(times, np.float64)[bad].flat[0]
            raise KeyError(
                f"no sample is at {one:.9g} s; they lie {self.step:g} s apart from {self.start:.9g} to "
                f"{self.transform.times(self.size - 1):.9g} s: give method='nearest', or a slice"
            )
        return positions

    @classmethod
    def concat(
        cls, indexes: Sequence[RegularClock], dim: Hashable, positions: Iterable[Iterable[int]] | None = None
    ) -> RegularClock:
        """One clock for windows that follow each other without a gap."""
        whole = indexes[0].transform
        for number, index in enumerate(indexes[1:], start=1):
            ahead = whole.ahead(index.transform) if index.size and whole.size else whole.size
            if positions is not None or ahead != whole.size:
                gap = index.start - float(whole.times(whole.size))
                raise RecordingError(
                    f"recording {number} begins {abs(gap):.6g} s {'after' if gap > 0 else 'before'} the end of the one "
                    "before it, or on another clock, and one time axis cannot hold both; list them as segments "
                    "(xephys.append_segments), or join them on a new time axis (xephys.concatenate_segments)"
                )
            whole = (whole if whole.size else index.transform).part(0, whole.size + index.size)
        return cls(whole)

    def join(self, other: Any, how: str = "inner") -> RegularClock:
        """The clock of what two windows share (``inner``) or span together (``outer``)."""
        ahead = self._ahead(other)
        ends = [0, self.size], [ahead, ahead + other.size]
        first, last = (max, min) if how == "inner" else (min, max)
        start, stop = first(ends[0][0], ends[1][0]), last(ends[0][1], ends[1][1])
        if how != "inner" and max(ends[0][0], ends[1][0]) > min(ends[0][1], ends[1][1]):
            raise RecordingError("there is a gap between two windows; use adjoining windows, or join='inner'")
        return RegularClock(self.transform.part(start, max(0, stop - start)))

    def reindex_like(self, other: Any) -> dict[Hashable, Any]:
        wanted = self._ahead(other) + np.arange(other.size)
        return {self.dim: np.where((wanted >= 0) & (wanted < self.size), wanted, -1)}

    def _ahead(self, other: RegularClock) -> int:
        ahead = self.transform.ahead(other.transform)
        if ahead is None:
            raise RecordingError(
                f"two recordings are on different clocks ({self.transform}; {other.transform}), whose samples do not "
                "coincide: compute on one of them, or give both one time axis (assign_coords)"
            )
        return ahead

    def equals(self, other: Index, *, exclude: frozenset[Hashable] | None = None) -> bool:
        return isinstance(other, RegularClock) and self.transform.equals(other.transform)

    def to_pandas_index(self) -> Any:
        import pandas as pd

        return pd.Index(self.transform.times(np.arange(self.size)), name=self.transform.coord_names[0])

    def _repr_inline_(self, max_width: int) -> str:
        return repr(self)[: max(max_width, 12)]

    def __repr__(self) -> str:
        return f"RegularClock({self.transform!r})"


class _LazyTimes(CoordinateTransformIndexingAdapter):
    """The times as an array that is computed on access."""

    def _oindex_get(self, indexer: Any) -> NDArray[np.float64]:
        # With a position instead of an array, the result has no dimension; Dask asks like this for one value of a
        # chunked coordinate.
        times: NDArray[np.float64] = super()._oindex_get(indexer)
        single = tuple(axis for axis, one in enumerate(indexer.tuple) if isinstance(one, (int, np.integer)))
        return times.squeeze(single) if single and times.ndim == len(indexer.tuple) else times

    def __getitem__(self, indexer: Any) -> Any:
        return self._oindex_get(indexer)

    def __dask_tokenize__(self) -> tuple[str, ...]:
        return "xephys.RegularClock", repr(vars(self._transform))


class _Times(xr.Variable):
    """The times as a coordinate. Dask tokenizes the clock instead of an hour's 108 million values."""

    __slots__ = ()

    def __dask_tokenize__(self) -> object:
        if not isinstance(self._data, _LazyTimes):
            return super().__dask_tokenize__()
        return *self._data.__dask_tokenize__(), repr(self.dims), repr(self._attrs)


_ROUNDED: dict[str, Any] = {
    "nearest": lambda positions: np.floor(positions + 0.5),
    "ffill": lambda positions: np.floor(positions + _EXACT),
    "pad": lambda positions: np.floor(positions + _EXACT),
    "bfill": lambda positions: np.ceil(positions - _EXACT),
    "backfill": lambda positions: np.ceil(positions - _EXACT),
}


def evenly_spaced(times: Any, *, name: Hashable = "time", dim: str = "time") -> RegularClock | None:
    """The regular clock of stored times if they are evenly spaced, otherwise None.

    Of many times only some, spread over all of them, are tested.

    Examples
    --------
    >>> evenly_spaced(np.array([2.0, 2.5, 3.0]))
    RegularClock(2 to 3.5 s, 2 Hz, from sample 0)
    >>> evenly_spaced(np.array([2.0, 2.5, 3.5])) is None
    True
    """
    n = len(times)
    if n < 2 or np.dtype(times.dtype).kind not in "fiu":
        return None
    rows = np.unique(np.linspace(0, n - 1, min(n, _N_LOOKED_AT)).astype(np.int64))
    looked_at = np.asarray(times[rows], np.float64)
    step = (looked_at[-1] - looked_at[0]) / (n - 1)
    if not step > 0 or (np.abs((looked_at - looked_at[0]) / step - rows) > _EVEN).any():
        return None
    rate = 1.0 / step
    # A rate has few digits; the quotient of two times has many.
    rate = float(f"{rate:.9g}") if abs(float(f"{rate:.9g}") / rate - 1) * n < _EVEN else rate
    return RegularClock.regular(float(looked_at[0]), rate, size=n, name=name, dim=dim)
