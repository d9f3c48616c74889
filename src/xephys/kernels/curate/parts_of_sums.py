"""Return the spikes of a unit that is the sum of two others to these."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def give_to_parts(spikes: NDArray[Any], sums: NDArray[np.void]) -> NDArray[Any]:
    """Replace each spike of a sum by one spike of each of its parts, at their delays.

    Parameters
    ----------
    spikes : (n_spikes,) records
        With ``sample_index`` and ``unit_index``; further fields are copied.
    sums : structured array of dtype `COMPOSITE` of `kernels.templates.composites`
        One record for each unit that is a sum.

    Returns
    -------
    spikes : records
        Unchanged spikes of other units, followed by those of the first and of the second parts.

    Examples
    --------
    >>> from xephys.kernels.templates.composites import COMPOSITE
    >>> spikes = np.array([(10, 0), (50, 2), (70, 1)], [("sample_index", "i8"), ("unit_index", "i8")])
    >>> give_to_parts(spikes, np.array([(2, 0, 1, -1, 4, 0.1, False)], COMPOSITE)).tolist()
    [(10, 0), (70, 1), (49, 0), (53, 1)]
    """
    n_units = int(max(spikes["unit_index"].max(initial=-1), sums["unit"].max(initial=-1))) + 1
    row_of = np.full(n_units, -1, np.int64)
    row_of[sums["unit"]] = np.arange(len(sums))
    rows = row_of[spikes["unit_index"]]
    own = sums[rows[rows >= 0]]
    first = spikes[rows >= 0]
    second = first.copy()
    first["unit_index"], second["unit_index"] = own["first"], own["second"]
    first["sample_index"] += own["first_lag"]
    second["sample_index"] += own["first_lag"] + own["lag"]
    return np.concatenate([spikes[rows < 0], first, second])
