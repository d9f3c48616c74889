"""A simulated recording as a function: any range of samples is computed from the configuration when it is read.

The absolute sample axis carries a fixed grid of blocks. Everything random in a block is drawn from the block's number,
a block is always computed whole, and a range is cut out of the blocks that cover it. The samples therefore do not
depend on how, where or in which order they are read, and nothing longer than a block is held in memory.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.simulation.background import add_outer, digitise
from xephys.kernels.simulation.spikes import UnitBank, add_spikes
from xephys.simulation.artifacts import Artifacts, artifact_course, draw_artifacts
from xephys.simulation.background import (
    Background,
    add_field,
    add_mains,
    add_thermal,
    block_length,
    draw_background,
    stream,
)
from xephys.simulation.config import SimulationConfig
from xephys.simulation.motion import Motion, draw_motion
from xephys.simulation.probe import ProbeLayout, make_layout
from xephys.simulation.trains import SpikeTrains, draw_trains
from xephys.simulation.units import Population, draw_far_units, draw_population

REACH_MS = 10.0  # longer than any spike, however widened and delayed
CACHE_BYTES = 128 * 2**20

_blocks: OrderedDict[tuple[SimulationConfig, int], NDArray[np.int16]] = OrderedDict()
_cache_lock, _prepare_lock = threading.Lock(), threading.Lock()


class Scene(NamedTuple):
    """Everything drawn once per recording and process; grows with the number of spikes, not with the samples."""

    layout: ProbeLayout
    population: Population
    trains: SpikeTrains
    far_bank: UnitBank
    far_rate_hz: NDArray[np.float64]
    background: Background
    artifacts: Artifacts
    motion: Motion


@lru_cache(maxsize=4)
def _draw_scene(config: SimulationConfig) -> Scene:
    layout = make_layout(config.probe, config.n_channels, inter_sample_shift=config.inter_sample_shift)
    population = draw_population(config, layout)
    far_bank, far_rate = draw_far_units(config, layout)
    return Scene(
        layout, population, draw_trains(config, population), far_bank, far_rate,
        draw_background(config, layout), draw_artifacts(config), draw_motion(config),
    )  # fmt: skip


def draw_scene(config: SimulationConfig) -> Scene:
    """The scene of a configuration, drawn once per process."""
    with _prepare_lock:
        return _draw_scene(config)


def far_spikes(config: SimulationConfig, scene: Scene, block: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Spikes of the far units in one block, Poisson: absolute time in samples (sorted) and unit."""
    if not len(scene.far_rate_hz):
        return np.zeros(0), np.zeros(0, np.int64)
    rng, n = stream(config, 21, block), block_length(config)
    total = scene.far_rate_hz.sum()
    count = rng.poisson(total * n / config.sampling_frequency)
    unit = np.searchsorted(np.cumsum(scene.far_rate_hz) / total, rng.random(count))
    return (block + np.sort(rng.random(count))) * n, np.minimum(unit, len(scene.far_rate_hz) - 1)


@dataclass(frozen=True)
class SimulationSource:
    """Source of a simulated recording: int16 samples as a pure function of the configuration.

    Small, frozen and picklable; satisfies `xephys.graph.plan.Source`. Equal configurations give equal samples in any
    process.

    Examples
    --------
    >>> from xephys.simulation.config import make_config
    >>> from xephys.simulation.source import SimulationSource
    >>> source = SimulationSource(make_config("easy", n_channels=4, n_units=1, duration_s=1.0))
    >>> source.read(100, 200).shape
    (100, 4)
    """

    config: SimulationConfig

    @property
    def n_samples(self) -> int:
        return self.config.n_samples

    @property
    def n_channels(self) -> int:
        return self.config.n_channels

    @property
    def sampling_frequency(self) -> float:
        return self.config.sampling_frequency

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(np.int16)

    @property
    def token(self) -> str:
        return self.config.token

    def __dask_tokenize__(self) -> tuple[str, str]:
        return "xephys.SimulationSource", self.token

    def read(self, start: int, stop: int) -> NDArray[np.int16]:
        """Samples ``[start, stop)`` of all channels, int16 (sample, channel); callers must not modify them.

        Raises
        ------
        ValueError
            If the range is not inside the recording.
        """
        if not 0 <= start <= stop <= self.n_samples:
            raise ValueError(f"samples [{start}, {stop}) are not inside [0, {self.n_samples}); ask for less")
        n = block_length(self.config)
        if start == stop:
            return np.empty((0, self.n_channels), np.int16)
        first, last = start // n, (stop - 1) // n
        parts = [self._block(b)[max(0, start - b * n) : min(n, stop - b * n)] for b in range(first, last + 1)]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _block(self, block: int) -> NDArray[np.int16]:
        """One whole block, from a small cache that neighboring reads share."""
        key = (self.config, block)
        with _cache_lock:
            if key in _blocks:
                _blocks.move_to_end(key)
                return _blocks[key]
        samples = _compute_block(self.config, block)
        samples.flags.writeable = False
        with _cache_lock:
            _blocks[key] = samples
            while len(_blocks) > 2 and sum(b.nbytes for b in _blocks.values()) > CACHE_BYTES:
                _blocks.popitem(last=False)
        return samples


def _compute_block(config: SimulationConfig, block: int) -> NDArray[np.int16]:
    scene, n, fs = draw_scene(config), block_length(config), config.sampling_frequency
    background, layout = scene.background, scene.layout
    start = block * n
    traces = np.zeros((n, config.n_channels), np.float32)
    if config.noise_uv > 0:
        add_thermal(traces, block, config, background)
    if config.n_far_units:
        nearby = [far_spikes(config, scene, b) for b in (block - 1, block, block + 1)]
        time, unit = (np.concatenate(part) for part in zip(*nearby, strict=True))
        one = np.ones(len(time), np.float32)
        _add(traces, start, time, unit, one, one, scene.far_bank, scene, fs)
    trains, reach = scene.trains, REACH_MS * fs / 1000
    cut = slice(*np.searchsorted(trains.time, [start - reach, start + n + reach]))
    _add(
        traces, start, trains.time[cut], trains.unit[cut], trains.scale[cut], trains.stretch[cut],
        scene.population.bank, scene, fs,
    )  # fmt: skip
    if config.field_uv > 0 or config.slow_wave_uv > 0:
        add_field(traces, block, config, background)
    if config.mains_uv > 0:
        add_mains(traces, start, config, background)
    events = scene.artifacts
    for e in np.flatnonzero((events.first < start + n) & (events.first + events.length > start)):
        course, loading = artifact_course(config, layout, int(e), int(events.length[e]), bool(events.movement[e]))
        add_outer(traces, int(events.first[e]) - start, course, loading)
    full_scale = int(config.full_scale_uv / config.gain_uv)
    return digitise(traces, background.offset_uv, background.live, config.gain_uv, full_scale)


def _add(
    traces: NDArray[np.float32], start: int, time: NDArray[np.float64], unit: NDArray[np.int64],
    scale: NDArray[np.float32], stretch: NDArray[np.float32], bank: UnitBank, scene: Scene, fs: float,
) -> None:  # fmt: skip
    moved = scene.motion.displacement(time / fs, bank.position[unit, 1])
    shift = scene.layout.inter_sample_shift
    add_spikes(traces, start, time, unit, scale, stretch, moved, bank, scene.layout.xy, shift)
