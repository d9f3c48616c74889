"""A sorting of a few spikes with features of each shape."""

from __future__ import annotations

from typing import Any

import numpy as np

from xephys.dartsort import DARTsortSorting
from xephys.dartsort.convert import LOCALIZATIONS

RNG = np.random.default_rng(0)


def sorting(**more: Any) -> DARTsortSorting:
    return DARTsortSorting(
        times_samples=np.array([10, 10, 40, 70, 90, 120]),
        channels=np.array([0, 0, 1, 2, 2, 3]),
        labels=np.array([2, 2, 5, -1, 5, 2]),
        ephemeral_features={
            "amplitude": np.arange(6.0),
            LOCALIZATIONS: RNG.random((6, 3)).astype("f4"),
            "matrix": RNG.random((6, 8, 4)).astype("f4"),
        },
        **more,
    )
