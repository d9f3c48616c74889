"""Set samples to zero on all channels, with a guard on either side."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.lib.core import core_rows


def within_guard(found: NDArray[np.bool_], guard_samples: int) -> NDArray[np.bool_]:
    """The samples marked in ``found``, and all samples within ``guard_samples`` of one.

    Examples
    --------
    >>> within_guard(np.array([False, False, False, True]), 1).tolist()
    [False, False, True, True]
    """
    if not guard_samples or not found.any():
        return found
    total = np.concatenate([[0], np.cumsum(found)])
    at = np.arange(len(found))
    last = np.minimum(at + guard_samples + 1, len(found))
    near: NDArray[np.bool_] = total[last] > total[np.maximum(at - guard_samples, 0)]
    return near


def blanked(traces: NDArray[Any], found: NDArray[np.bool_], *, before: int, after: int) -> NDArray[np.float32]:
    """Traces without the halo, 0 on all channels at the marked samples; a view of float32 traces if there are none.

    Examples
    --------
    >>> traces = np.ones((4, 1), np.float32)
    >>> blanked(traces, np.array([True, False, True, False]), before=1, after=0).ravel().tolist()
    [1.0, 0.0, 1.0]
    """
    core, silent = np.asarray(core_rows(traces, before, after), np.float32), found[before : len(found) - after]
    if silent.any():
        core = core.copy()
        core[silent] = 0.0
    return core
