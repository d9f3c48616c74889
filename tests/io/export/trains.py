"""Spike times of each unit, to compare with what a reader gives."""

from __future__ import annotations

import numpy as np

from xephys.io.export.complete import times_on_one_axis


def times_by_unit(sorting):
    """Seconds, ascending, unit by unit."""
    times, units = times_on_one_axis(sorting), sorting["spikes"]["unit_index"].values
    return [np.sort(times[units == unit]) for unit in range(sorting["units"].sizes["unit"])]
