"""A sorting of random spikes with every kind of column."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from xephys.recording.clock import first_sample
from xephys.recording.segments import segments_of
from xephys.sorting import build_sorting


def sorting_of(recording: Any, *, n_units: int = 3, n_spikes: int = 200, n_segments: int = 1) -> xr.DataTree:
    rng = np.random.default_rng(n_units)
    n_channels = (recording if isinstance(recording, xr.DataArray) else recording["segment_0/traces"]).sizes["channel"]
    units = rng.integers(0, max(n_units, 1), n_spikes)
    samples, index = rng.permutation(700)[:n_spikes], rng.integers(0, n_segments, n_spikes)
    starts = np.array([first_sample(segment) for segment in segments_of(recording)])
    return build_sorting(
        recording,
        spikes={
            "sample_index": samples + starts[index],
            "unit_index": units,
            "amplitude": -rng.uniform(30, 90, n_spikes),
            "scale": rng.uniform(0.8, 1.2, n_spikes),
            "x": rng.normal(size=n_spikes),
            "y": rng.normal(size=n_spikes),
            "segment_index": index,
        },
        units={
            "label": np.array(["good", "mua", "noise"] * n_units)[:n_units],
            "channel_index": np.arange(n_units) % n_channels,
            "snr": rng.uniform(3, 9, n_units),
            "contamination": np.zeros(n_units),
        },
        templates=rng.normal(size=(n_units, 12, n_channels)) * 40,
        nbefore=4,
        unit_ids=np.arange(n_units) * 10 + 7,
        preset="default",
        parameters={"freq_min_hz": 300.0, "seed": np.int64(3), "offsets": np.arange(3)},
        log=[{"merged": [1, 2]}],
    )
