"""Whitening by one matrix over all channels."""

from __future__ import annotations

from typing import Any

from .noise_covariance import NoiseCovariance


def whiten_global(noise: NoiseCovariance) -> dict[str, Any]:
    """The variable ``matrix (channel, channel_out)`` of a whitening.

    Parameters
    ----------
    noise
        Covariance of the channels.
    """
    from ..kernels.preprocess.whiten import whitening_matrix_global

    matrix = whitening_matrix_global(noise.matrix, good=noise.good, eps=noise.eps)
    return {"matrix": (("channel", "channel_out"), matrix)}
