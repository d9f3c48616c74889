"""Input of the metrics of units: spikes sorted by unit, and the results of other extensions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from .results import Analysis
from .spikes import Rows


@dataclass(frozen=True)
class Facts:
    """Spikes of an analysis in order of unit, segment and sample.

    Attributes
    ----------
    analysis
        The analysis, with the nodes of the extensions that are needed.
    rows
        Results of the pass over the recording.
    units
        Mask of the units whose values are wanted; the values of others are arbitrary.
    """

    analysis: Analysis
    rows: Rows
    units: NDArray[np.bool_]

    @cached_property
    def order(self) -> NDArray[np.int64]:
        return np.argsort(self.analysis.subject.unit_index, kind="stable")

    @cached_property
    def segment(self) -> NDArray[np.int64]:
        return self.analysis.subject.segment_index[self.order]

    @cached_property
    def samples(self) -> NDArray[np.int64]:
        """Samples from the start of each part of the recording."""
        subject = self.analysis.subject
        return subject.sample_index[self.order] - subject.first_samples[self.segment]

    @cached_property
    def joined(self) -> NDArray[np.int64]:
        """Samples with segments joined one after the other."""
        starts = np.concatenate([[0], np.cumsum(self.n_samples)[:-1]])
        return self.samples + starts[self.segment]

    @cached_property
    def apart(self) -> NDArray[np.int64]:
        """Samples with segments so far apart that their spikes are never close."""
        return self.samples + self.segment * (1 << 40)

    @cached_property
    def bounds(self) -> NDArray[np.int64]:
        """Start of the spikes of each unit."""
        subject = self.analysis.subject
        return np.searchsorted(subject.unit_index[self.order], np.arange(subject.n_units + 1)).astype(np.int64)

    @cached_property
    def parts(self) -> NDArray[np.int64]:
        """Start of the spikes of each unit in each segment ``(unit, segment + 1)``."""
        subject = self.analysis.subject
        n_segments = len(subject.segments)
        key = subject.unit_index[self.order] * n_segments + self.segment
        numbers = np.arange(subject.n_units)[:, None] * n_segments + np.arange(n_segments + 1)
        return np.searchsorted(key, numbers).astype(np.int64)

    @property
    def n_samples(self) -> NDArray[np.int64]:
        return self.analysis.subject.n_samples

    @property
    def total_samples(self) -> int:
        return int(self.n_samples.sum())

    @property
    def rate(self) -> float:
        return self.analysis.subject.sampling_frequency

    @property
    def duration_s(self) -> float:
        return self.total_samples / self.rate

    @cached_property
    def num_spikes(self) -> NDArray[np.int64]:
        return np.diff(self.bounds)

    @property
    def peak_channels(self) -> NDArray[np.int64]:
        return np.asarray(self.analysis.nodes["sparsity"]["peak_channel"].values)

    def node(self, name: str) -> xr.Dataset:
        return self.analysis.nodes[name]

    def spike_values(self, name: str, variable: str) -> NDArray[Any]:
        """One value per spike, in this order."""
        return np.asarray(self.node(name)[variable].values)[self.order]

    @cached_property
    def main_templates(self) -> NDArray[np.float32]:
        """Templates on their peak channels ``(unit, sample)``."""
        node = self.node("templates")
        slot = (node["channel_index"].values == self.peak_channels[:, None]).argmax(axis=1)
        return np.asarray(np.take_along_axis(node["average"].values, slot[:, None, None], axis=2)[:, :, 0])
