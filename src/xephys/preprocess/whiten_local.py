"""Whitening of each channel against the channels around it."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..checks import check_positive
from ..graph.local import map_in_threads
from ..per_channel import positions_of
from ..recording.geometry import channel_groups
from .noise_covariance import NoiseCovariance


def whiten_local(noise: NoiseCovariance, *, n_nearest: int = 32, radius_um: float = np.inf) -> dict[str, Any]:
    """The variables ``neighbor (channel, slot)`` and ``weight (channel, slot)`` of a whitening.

    Parameters
    ----------
    noise
        Covariance of the channels.
    n_nearest
        Number of channels in a neighborhood, including the channel itself.
    radius_um
        Channels farther away than this are left out.

    Raises
    ------
    ParameterError
        If a number is not positive.
    RecordingError
        If the recording has no positions.
    """
    from ..kernels.preprocess.whiten import whitening_matrix_local

    check_positive(n_nearest=n_nearest)
    if radius_um != np.inf:
        check_positive(radius_um=radius_um)
    neighbors, weights = whitening_matrix_local(
        noise.matrix,
        positions_of(noise.recording, why="local whitening"),
        n_nearest=n_nearest,
        radius_um=radius_um,
        good=noise.good,
        eps=noise.eps,
        groups=channel_groups(noise.recording),
        each=map_in_threads,
    )
    return {"neighbor": (("channel", "slot"), neighbors), "weight": (("channel", "slot"), weights)}
