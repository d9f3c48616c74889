"""Identify the recording from which a result was computed."""

from __future__ import annotations

import hashlib

import numpy as np
import xarray as xr

from ..graph.build import root_plan
from ..graph.source import chunked_array
from .device import without_device
from .segments import segments_of


def recording_fingerprint(recording: xr.DataArray | xr.DataTree) -> str:
    """Identity of a recording's values and geometry: independent of its chunks, different after any change.

    Files are identified by path, size and modification time, arrays in memory by their content, processing steps by
    their parameters. No samples are read.

    Examples
    --------
    >>> from xephys.schema import make_recording
    >>> one = make_recording(np.zeros((300, 2), "int16"), sampling_frequency=30_000.0)
    >>> two = make_recording(np.ones((300, 2), "int16"), sampling_frequency=30_000.0)
    >>> recording_fingerprint(one) == recording_fingerprint(two)
    False
    """
    digest = hashlib.sha256()
    for segment in segments_of(recording):
        data = segment.data
        if not hasattr(data, "chunks"):
            data = chunked_array(data, chunk_samples=segment.sizes["time"])
        plan = root_plan(data, sampling_frequency=float(segment.attrs["sampling_frequency"]))
        plan = without_device(plan)  # the device is not part of a recording's identity
        digest.update(f"{plan.identity}:{plan.start}:{plan.n_samples};".encode())
        for name in ("channel", "x", "y", "z", "probe", "shank", "group", "gain_to_uv", "offset_to_uv", "bad"):
            if name in segment.coords:
                digest.update(f"{name}={np.asarray(segment.coords[name].values).tolist()!r};".encode())
    return digest.hexdigest()
