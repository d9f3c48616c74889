"""Temporal components learned from snippets, on which waveforms are then projected."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.lib.arrays import empty, zeros
from xephys.kernels.lib.inner import kernel


def learn_components(waveforms: NDArray[np.float32], *, n_components: int) -> NDArray[np.float32]:
    """Learn temporal components from aligned snippets.

    Each snippet is divided by its norm, so that large units do not dominate. The components are the leading right
    singular vectors of the (uncentered) matrix of snippets.

    Parameters
    ----------
    waveforms : float32 (n, T)
        Snippets on the peak channel, aligned on the peak, for example from `snippets`.
    n_components : int
        Number of components, at most T.

    Returns
    -------
    float32 (n_components, T)
        Orthonormal components, the most energetic first; the largest entry of each is negative.

    Raises
    ------
    ValueError
        If there are fewer usable snippets (finite and not all zero) than components, or more components than samples.

    Examples
    --------
    >>> trough = np.array([-1, -3, -1], dtype=np.float32)
    >>> learn_components(np.outer([1, 2, 3], trough).astype(np.float32), n_components=1).round(3)
    array([[-0.302, -0.905, -0.302]], dtype=float32)
    """
    n_waveforms, length = waveforms.shape
    if not 1 <= n_components <= length:
        raise ValueError(f"n_components is {n_components}; it must lie between 1 and the {length} samples of a snippet")
    gram, used = _normalized_gram(waveforms)
    if used < n_components:
        raise ValueError(
            f"{used} of {n_waveforms} snippets are usable for {n_components} components; "
            "give more snippets (lower the detection threshold or use a longer recording)"
        )
    _, vectors = np.linalg.eigh(gram)
    components = vectors[:, ::-1][:, :n_components].T
    largest = np.take_along_axis(components, np.abs(components).argmax(axis=1)[:, np.newaxis], axis=1)
    return np.ascontiguousarray(components * -np.sign(largest), dtype=np.float32)


@kernel
def _normalized_gram(waveforms: NDArray[np.float32]) -> tuple[NDArray[np.float64], int]:
    """Sum of outer products of unit snippets, in table order: the same bits with any BLAS and thread count."""
    n_waveforms, length = waveforms.shape
    gram = zeros((length, length), np.float64)
    unit = empty(length, np.float64)
    used = 0
    for i in range(n_waveforms):
        energy = 0.0
        for t in range(length):
            unit[t] = waveforms[i, t]
            energy += unit[t] * unit[t]
        if not (energy > 0 and np.isfinite(energy)):
            continue
        used += 1
        unit /= np.sqrt(energy)
        for t in range(length):
            for u in range(length):
                gram[t, u] += unit[t] * unit[u]
    return gram, used
