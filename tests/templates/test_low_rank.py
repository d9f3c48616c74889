"""Templates of low rank reproduce the waveforms from which they were made."""

from __future__ import annotations

import numpy as np
import xarray as xr

from xephys.templates.low_rank import low_rank


def templates(counts=(500, 500)):
    rng = np.random.default_rng(0)
    waveform = np.zeros((2, 30, 4), np.float32)
    for unit in range(2):
        for part in range(2):
            course = np.sin((part + 1) * np.arange(30) / 5 + unit)
            waveform[unit] += 30 / (part + 1) * np.outer(course, rng.normal(size=4))
    return xr.Dataset(
        {
            "waveform": (("unit", "sample", "slot"), waveform),
            "channel_index": (("unit", "slot"), np.array([[0, 1, 2, 3], [2, 3, 4, 5]])),
            "num_averaged": ("unit", np.array(counts)),
        }
    )


def test_two_ranks_suffice_for_two_time_courses():
    given = templates()
    temporal, spatial, channels = low_rank(given, rank=5, n_channels_max=4)
    for unit in range(2):
        made = np.einsum("rt,rk->tk", temporal[unit], spatial[unit])
        own = given["waveform"].values[unit]
        for slot, channel in enumerate(channels[unit]):
            if channel >= 0:
                at = given["channel_index"].values[unit].tolist().index(channel)
                np.testing.assert_allclose(made[:, slot], own[:, at], atol=0.02 * np.abs(own).max())


def test_time_courses_are_orthonormal_and_channels_few():
    temporal, spatial, channels = low_rank(templates(), rank=2, n_channels_max=3)
    assert channels.shape == (2, 3)
    assert spatial.shape == (2, 2, 3)
    for unit in range(2):
        used = np.linalg.norm(spatial[unit], axis=1) > 0
        np.testing.assert_allclose(
            (temporal[unit] @ temporal[unit].T)[np.ix_(used, used)], np.eye(used.sum()), atol=1e-5
        )
