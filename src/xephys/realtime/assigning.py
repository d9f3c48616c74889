"""Assignment with memory: spikes of one chunk or block after another go to sequences that follow the tissue."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..graph.checkpoint import CheckpointedEvents
from .model import SPIKE_DTYPE, limits_of, parameters_of, unpacked


class Assigner:
    """Called with the roots of each chunk in turn, returns their spikes.

    What it remembers between calls does not depend on where the chunks were cut.
    """

    def __init__(self, sequences: xr.Dataset) -> None:
        self._sequences = sequences
        self.reset()

    def reset(self) -> None:
        """Forget everything since the sequences were learned."""
        from ..kernels.realtime.assign import new_state
        from ..kernels.realtime.patterns import to_sequences

        patterns, self._around = unpacked(self._sequences)
        self._limits = limits_of(parameters_of(self._sequences), float(self._sequences.attrs["sampling_frequency"]))
        self._patterns = to_sequences(patterns, self._around)
        self._last = new_state(len(patterns.root))

    def __call__(self, roots: NDArray[Any]) -> NDArray[Any]:
        """Spikes with ``sample_index``, ``unit_index``, ``amplitude`` (noise levels) and ``channel_index``."""
        from ..kernels.realtime.assign import assign

        label, time, _ = assign(
            np.ascontiguousarray(roots["sample_index"]),
            np.ascontiguousarray(roots["channel_index"]),
            np.ascontiguousarray(roots["offset"]),
            roots["amplitudes"].astype(np.float32),
            roots["latencies"].astype(np.float32),
            roots["probabilities"].astype(np.float32),
            self._around.neighbors,
            self._patterns,
            self._limits,
            self._last,
        )
        keep = label >= 0
        spikes = np.zeros(np.count_nonzero(keep), SPIKE_DTYPE)
        # A sequence may begin before the recording does.
        spikes["sample_index"] = np.maximum(np.rint(time[keep]), 0)
        spikes["unit_index"] = label[keep]
        spikes["amplitude"] = roots["amplitudes"][keep, 0]
        spikes["channel_index"] = roots["channel_index"][keep]
        return spikes


def assign_all(records: CheckpointedEvents, sequences: xr.Dataset) -> NDArray[Any]:
    """Spikes of the sequences, in order of time: the same assignment as for live blocks, chunk after chunk."""
    assigner = Assigner(sequences)
    parts = [assigner(chunk) for chunk in records.iter_chunks()]
    spikes = np.concatenate(parts) if parts else np.zeros(0, SPIKE_DTYPE)
    return spikes[np.argsort(spikes["sample_index"], kind="stable")]
