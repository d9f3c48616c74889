"""Templates that are the sum of two units are found in the form in which the sorter makes them, and logged."""

from __future__ import annotations

import numpy as np
import xarray as xr

from xephys.sorter.steps.sums import log_of_sums, sums_of_two


def templates(jitter):
    """Two neurons, and the mean of their spikes if the second follows within ``jitter`` samples of the first."""
    time, place = np.arange(60)[:, None] - 20, 20.0 * np.arange(8)
    course = [-np.exp(-0.5 * (time / w) ** 2) + 0.4 * np.exp(-0.5 * ((time - 12) / 6) ** 2) for w in (4.0, 5.5)]
    first, second = (20 * c * np.exp(-0.5 * ((place - d) / 22) ** 2) for c, d in zip(course, (40, 100), strict=True))
    lags = np.arange(-jitter, jitter + 1)
    total = first + np.mean([np.roll(second, lag, axis=0) for lag in lags], axis=0)
    waveform = np.stack([first, second, total]).astype(np.float32)
    return xr.Dataset(
        {
            "waveform": (("unit", "sample", "slot"), waveform),
            "channel_index": (("unit", "slot"), np.tile(np.arange(8, dtype=np.int32), (3, 1))),
            "num_averaged": ("unit", [270, 270, 30]),
        },
        attrs={"nbefore": 20, "sampling_frequency": 3e4, "n_channels": 8, "units": "noise"},
    )


def test_sums_at_one_delay_and_at_many_are_found():
    for jitter in (0, 9):
        sums = sums_of_two(templates(jitter), np.array([270, 270, 30]))
        assert (sums["unit"].tolist(), {*sums["first"], *sums["second"]}) == ([2], {0, 1})
        assert not sums["by_chance"].any()
        assert log_of_sums(sums, step="templates", reason="two units at once")[0]["unit"] == 2


def test_a_sum_that_fires_as_often_as_its_parts_is_a_unit():
    assert not len(sums_of_two(templates(9), np.array([270, 270, 200])))
