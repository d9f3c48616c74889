"""A stage with a halo and an array, as a user might write it, and a Dask array with a stage added."""

from __future__ import annotations

import numpy as np
import xarray as xr

from xephys.graph.build import root_plan, to_dask
from xephys.graph.plan import Stage
from xephys.schema import wrap_like


def extend(array, stage: Stage, *, sampling_frequency: float):
    """The array with a stage added; for an opaque array, the rate sets the tiles and starts a new plan."""
    return to_dask(root_plan(array, sampling_frequency=sampling_frequency).then(stage))


def moving_sum(traces: np.ndarray, *, before: int, after: int, weights: np.ndarray) -> np.ndarray:
    """Weighted sum of neighboring samples: a stage with a halo and an array."""
    n = len(traces) - before - after
    return sum(weights[k] * traces[k : k + n].astype("float32") for k in range(before + after + 1))


def with_stage(recording: xr.DataArray) -> xr.DataArray:
    weights = np.array([0.25, 0.5, 0.25, 0.125], "float32")
    stage = Stage(moving_sum, dtype=np.dtype("float32"), arrays={"weights": weights}, before=2, after=1)
    data = extend(recording.data, stage, sampling_frequency=recording.attrs["sampling_frequency"])
    return wrap_like(recording, data, step="moving_sum")
