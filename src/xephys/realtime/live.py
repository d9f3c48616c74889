"""Sort samples as they arrive: blocks in, spikes out, with the result that the whole recording would give."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..errors import ParameterError, RecordingError
from ..sorter.rt_sort.prepare import band_passed
from .assigning import Assigner
from .model import SPIKE_DTYPE, codetections_of, network_of, parameters_of


class Stream:
    """Sorts blocks of samples by sequences; made by :func:`stream`.

    Attributes
    ----------
    latency_samples
        Samples that have to arrive after a spike before it is reported: half of the filter, the window around a root
        and what the network sees after a spike.
    n_samples
        Number of samples that have arrived since the beginning or the last ``reset``.
    """

    def __init__(self, sequences: xr.Dataset, *, dtype: Any = np.int16) -> None:
        p = parameters_of(sequences)
        self._assign = Assigner(sequences)
        self._n_channels = sequences.sizes["channel"]
        self._dtype = np.dtype(dtype)
        # The stages are those of a recording of these channels; a short silent one is enough to build them.
        rate = float(sequences.attrs["sampling_frequency"])
        blank = xr.DataArray(
            np.zeros((round(rate), self._n_channels), self._dtype),
            dims=("time", "channel"),
            coords={
                "channel": np.arange(self._n_channels),
                **{name: ("channel", sequences[name].values) for name in ("x", "y")},
                "bad": ("channel", ~sequences["good"].values),
            },
            attrs={"sampling_frequency": rate},
        )
        levels = xr.DataArray(sequences["noise_levels"].values, dims="channel", coords={"channel": blank["channel"]})
        filtered = band_passed(blank, p)
        plan = codetections_of(filtered, p, noise_levels=levels, network=network_of(sequences)).plan
        assert plan is not None
        self._filter, self._detect = plan.stages
        # The neighborhoods are those of learning: this stream knows no groups of channels.
        around = {name: sequences[name].values for name in ("neighbors", "n_inner")}
        self._detection = {**self._detect.keywords, **around}
        self.latency_samples = self._filter.after + self._detect.after
        self.reset()

    def reset(self) -> None:
        """Begin a new recording: forget all samples, and what the sequences followed."""
        self._assign.reset()
        self.n_samples = 0
        self._done = 0
        self._raw = np.empty((0, self._n_channels), np.float32)
        self._filtered = np.empty((0, self._n_channels), np.float32)
        self._waiting = np.empty(0, SPIKE_DTYPE)

    def push(self, block: Any) -> NDArray[Any]:
        """Sort the next samples.

        Parameters
        ----------
        block
            Samples ``(time, channel)``, any number of them, in the unit of the recording from which was learned.

        Returns
        -------
        Records of the spikes that are certain now, in order of detection: ``sample_index`` (from the beginning or the
        last ``reset``), ``unit_index``, ``amplitude`` (noise levels) and ``channel_index`` of the largest channel.

        Raises
        ------
        RecordingError
            If the block has another number of channels, or holds NaN or infinity. The state stays as it was.
        """
        samples = np.asarray(block)
        if samples.ndim != 2 or samples.shape[1] != self._n_channels:
            raise RecordingError(
                f"the block at sample {self.n_samples} has shape {samples.shape} and the sequences are of "
                f"{self._n_channels} channels; give (samples, {self._n_channels})"
            )
        if samples.dtype.kind == "f" and not np.isfinite(samples).all():
            raise RecordingError(
                f"the block at sample {self.n_samples} holds NaN or infinity; repair it or leave it out"
            )
        if not len(samples):
            return np.empty(0, SPIKE_DTYPE)
        samples = samples.astype(np.float32)
        if self.n_samples == 0:
            lead = self._filter.before + self._detect.before
            samples = np.concatenate([np.repeat(samples[:1], lead, axis=0), samples])
            self.n_samples = -lead
        self.n_samples += len(samples)
        return self._advance(samples)

    def flush(self) -> NDArray[Any]:
        """End of the recording: the last spikes, with the last sample repeated as at the end of a recording."""
        if self.n_samples == 0:
            return np.empty(0, SPIKE_DTYPE)
        last = self._raw[-1:]
        spikes = self._advance(np.repeat(last, self.latency_samples, axis=0))
        spikes["sample_index"] = np.minimum(spikes["sample_index"], self.n_samples - 1)
        return spikes

    def _advance(self, samples: NDArray[np.float32]) -> NDArray[Any]:
        """Filter and detect as far as the samples reach."""
        self._raw = np.concatenate([self._raw, samples])
        before, after = self._filter.before, self._filter.after
        n_new = len(self._raw) - before - after
        if n_new <= 0:
            return np.empty(0, SPIKE_DTYPE)
        new = self._filter.func(self._raw, before=before, after=after, **self._filter.keywords)
        self._raw = self._raw[n_new:]
        self._filtered = np.concatenate([self._filtered, new])
        before, after = self._detect.before, self._detect.after
        n_new = len(self._filtered) - before - after
        if n_new <= 0:
            return np.empty(0, SPIKE_DTYPE)
        roots = self._detect.func(self._filtered, before=before, after=after, start=self._done, **self._detection)
        self._filtered = self._filtered[n_new:]
        self._done += n_new
        spikes: NDArray[Any] = self._assign(roots)
        return spikes


def stream(
    sequences: xr.Dataset,
    source: Iterable[Any] | None = None,
    *,
    dtype: Any = np.int16,
) -> Stream | Iterator[NDArray[Any]]:
    """Sort samples as they arrive.

    Parameters
    ----------
    sequences
        From :func:`detect_sequences` or :func:`open_sequences`.
    source
        Blocks ``(time, channel)``, of 5 ms or any other length, from any iterator: a socket, a ring buffer, the pieces
        of an array (see :func:`blocks_of`). If None, a :class:`Stream` is returned, whose ``push`` takes one block.
    dtype
        Type of the samples.

    Returns
    -------
    A :class:`Stream`, or an iterator of one table of spikes per block, and one more at the end.

    Raises
    ------
    ParameterError
        If the dataset does not hold sequences.
    RecordingError
        If a block has another number of channels, or holds NaN.

    Notes
    -----
    The spikes are those of :func:`sort_offline`, whatever the blocks. Each is reported ``latency_samples`` after it
    occurred, plus the rest of its block.

    Examples
    --------
    >>> from xephys.testing import simulate_recording
    >>> from xephys.realtime import detect_sequences
    >>> recording, truth = simulate_recording(duration_s=10, n_channels=16, n_units=2, seed=1)
    >>> live = stream(detect_sequences(recording))
    >>> spikes = [live.push(recording.values[start:start + 150]) for start in range(0, 3000, 150)]
    >>> spikes[0].dtype.names
    ('sample_index', 'unit_index', 'amplitude', 'channel_index')
    """
    live = Stream(sequences, dtype=dtype)
    if source is None:
        return live
    if not isinstance(source, Iterable):
        raise ParameterError(f"source is a {type(source).__name__}; give an iterator of blocks (time, channel)")
    return _sorted_blocks(live, source)


def _sorted_blocks(live: Stream, source: Iterable[Any]) -> Iterator[NDArray[Any]]:
    for block in source:
        yield live.push(block)
    yield live.flush()
