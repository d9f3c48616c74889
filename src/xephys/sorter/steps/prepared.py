"""A recording prepared for detection: filtered, white, with its noise levels and excerpts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import xarray as xr
from numpy.typing import NDArray

from ...recording.excerpts import Excerpts


@dataclass(frozen=True)
class Prepared:
    """A recording before and after whitening, both lazy, with the noise levels of both and a few white excerpts.

    ``plain_noise_levels`` are those of the filtered traces before referencing, if they were requested.
    """

    filtered: xr.DataArray
    whitened: xr.DataArray
    noise_levels: xr.DataArray
    white_noise_levels: xr.DataArray
    white_excerpts: Excerpts
    whitening: xr.Dataset
    plain_noise_levels: xr.DataArray | None = None


class DrawnExcerpts(Sequence[NDArray[Any]]):
    """Excerpts of a recording, drawn on first access, and not at all if every estimate made from them is stored."""

    def __init__(self, draw: Callable[[], Excerpts], *, token: str) -> None:
        self.token = token
        self._draw: Callable[[], Excerpts] | None = draw
        self._parts: Excerpts = ()

    @property
    def is_drawn(self) -> bool:
        return self._draw is None

    def __getitem__(self, index: Any) -> Any:
        if self._draw is not None:
            self._parts, self._draw = self._draw(), None  # the function is dropped to free what it holds
        return self._parts[index]

    def __len__(self) -> int:
        return len(self[:])
