"""Times of triggers, as given by the user."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ParameterError


def trigger_times(trigger_times_s: Any) -> NDArray[np.float64]:
    """One finite time for each trigger.

    Raises
    ------
    ParameterError
        If they are in a table, such as a list for each segment or pairs of start and stop, or not finite.

    Examples
    --------
    >>> trigger_times([0.5, 1.0]).tolist(), trigger_times(0.5).tolist()
    ([0.5, 1.0], [0.5])
    """
    times = np.atleast_1d(np.asarray(trigger_times_s, np.float64))
    if times.ndim > 1:
        raise ParameterError(
            f"trigger_times_s has shape {times.shape}; give one list of times, those of this recording (for periods "
            "with a start and a stop see silence_periods)"
        )
    known = np.isfinite(times)
    if not known.all():
        raise ParameterError(f"trigger {int(np.argmin(known))} is {times[~known][0]} s; drop it")
    return times
