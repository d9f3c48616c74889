"""Pseudo-random numbers computed from a number: the finalizer of SplitMix64."""

from __future__ import annotations

from typing import Any

import numpy as np

from xephys.kernels.lib.inner import kernel


@kernel
def splitmix(value: Any) -> Any:
    """Map neighboring uint64 numbers to unrelated ones (Steele, Lea and Flood 2014); accepts one number or an array.

    Examples
    --------
    >>> [hex(number) for number in splitmix(np.arange(1, 3, dtype=np.uint64))]
    ['0x5692161d100b05e5', '0xdbd238973a2b148a']
    """
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))
