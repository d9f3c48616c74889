"""Remove the halo: the rows of a tile that a kernel returns."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray


def core_rows(traces: NDArray[Any], before: int, after: int) -> NDArray[Any]:
    """Traces without ``before`` rows at the start and ``after`` at the end, a view.

    Raises
    ------
    ValueError
        If the traces are not ``(sample, channel)`` or have fewer rows.

    Examples
    --------
    >>> import numpy as np
    >>> core_rows(np.arange(5)[:, None], 1, 2).ravel()
    array([1, 2])
    """
    if traces.ndim != 2 or before < 0 or after < 0 or before + after > len(traces):
        raise ValueError(f"before = {before} and after = {after} do not fit into traces of shape {traces.shape}")
    return traces[before : len(traces) - after]
