"""The whole of pyDANT from its data folder to its output folder."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .features import preprocess
from .folder import save
from .registration import motionEstimation
from .settings import folders, read_settings
from .stages import autoCuration, finalClustering


def runDANT(user_settings: Mapping[str, Any] | str | Path) -> None:
    """Track units from the data folder of pyDANT, and write its output files.

    The motion between sessions is searched as in :func:`xephys.track_units`. Clusters and their curation are those of
    pyDANT. Where all units match, or none, there is a result.

    Parameters
    ----------
    user_settings
        ``settings.json``, which may contain comments, or a dictionary; see :func:`xephys.track.dant.read_settings`.

    Raises
    ------
    FileNotFoundError
        If a file is missing.
    ParameterError
        If shapes do not agree, a waveform is not finite, or a setting is unknown.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from xephys.testing import simulate_sessions
    >>> sessions, _ = simulate_sessions(n_sessions=3, n_neurons=10, n_channels=32, seed=0)
    >>> with tempfile.TemporaryDirectory() as name:
    ...     folder = Path(name)
    ...     waveforms = np.concatenate([s["templates"].values for s in sessions]).transpose(0, 2, 1)
    ...     np.save(folder / "waveform_all.npy", waveforms)
    ...     np.save(folder / "session_index.npy", np.repeat([1, 2, 3], [s.sizes["unit"] for s in sessions]))
    ...     np.save(folder / "channel_locations.npy", np.column_stack([sessions[0]["x"], sessions[0]["y"]]))
    ...     features = {"clustering": {"features": ["Waveform"]}}
    ...     runDANT({"path_to_data": name, "output_folder": name + "/out", **features})
    ...     labels = np.load(folder / "out" / "IdxCluster.npy")
    >>> len(labels) == len(waveforms), bool(labels.max() > 3)
    (True, True)
    """
    start = time.perf_counter()
    settings = read_settings(user_settings)
    for step in (preprocess, motionEstimation, finalClustering, autoCuration):
        step(settings)
    save(folders(settings)[1], RunTimeSec=time.perf_counter() - start)
