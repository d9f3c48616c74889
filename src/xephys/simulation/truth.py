"""The truth of a simulated recording: spikes, units, motion and artifacts, and files for the scoring tool."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.simulation.spikes import rest_templates
from xephys.simulation.background import block_length
from xephys.simulation.config import SimulationConfig
from xephys.simulation.motion import Motion
from xephys.simulation.probe import ProbeLayout, make_layout, to_probeinterface
from xephys.simulation.source import Scene, SimulationSource, draw_scene, far_spikes
from xephys.simulation.units import TEMPLATE_AFTER_MS, TEMPLATE_BEFORE_MS

from ..kernels.lib.constants import MAD_OF_NORMAL

if TYPE_CHECKING:
    from probeinterface import Probe
    from spikeinterface import NumpySorting

SPIKE_DTYPE = np.dtype(
    [("sample_index", np.int64), ("unit_index", np.int64), ("amplitude", np.float64), ("segment_index", np.int64)]
)
NOISE_WINDOWS, NOISE_WINDOW_S = 4, 1.0
NOISE_BAND_HZ = (300.0, 6000.0)


@dataclass(frozen=True, eq=False)
class Truth:
    """Everything known about a simulated recording. Arrays are computed on first access.

    Sample indices are on the common clock: with ``inter_sample_shift``, they are those of the recording after
    ``phase_shift``. They mark the extremum on the unit's peak channel at rest; under drift or widening, it moves by a
    sample where conduction is slow.
    """

    config: SimulationConfig

    def __repr__(self) -> str:
        c = self.config
        return (
            f"<Truth of a simulated recording: {c.n_units} units on {c.n_channels} channels ({c.probe}), "
            f"{c.duration_s:g} s, seed {c.seed}\n"
            " spikes, templates, unit_positions, peak_channels, noise_per_channel_uv, motion, artifacts_s: as arrays\n"
            " units_info(), to_spikeinterface(): the units as dictionaries and as a sorting>"
        )

    @property
    def scene(self) -> Scene:
        return draw_scene(self.config)

    @property
    def layout(self) -> ProbeLayout:
        """Contacts: positions, shanks, groups, inter-sample shifts."""
        config = self.config
        return make_layout(config.probe, config.n_channels, inter_sample_shift=config.inter_sample_shift)

    @property
    def n_units(self) -> int:
        return self.config.n_units

    @property
    def motion(self) -> Motion:
        """Displacement as a function: ``truth.motion.displacement(time_s, y_um)``."""
        return self.scene.motion

    @property
    def unit_positions(self) -> NDArray[np.float64]:
        """(unit, 2) x and y of the somata at rest, µm."""
        return self.scene.population.bank.position

    @cached_property
    def spikes(self) -> NDArray[np.void]:
        """Spikes of the scored units, in order of time; ``amplitude`` is signed, in µV, as at rest."""
        trains, population = self.scene.trains, self.scene.population
        out = np.zeros(len(trains.time), SPIKE_DTYPE)
        out["sample_index"] = np.rint(trains.time)
        out["unit_index"] = trains.unit
        sign = np.where(population.kind == "positive", 1.0, -1.0)
        out["amplitude"] = (sign * population.amplitude_uv)[trains.unit] * trains.scale
        return out

    @cached_property
    def templates(self) -> NDArray[np.float32]:
        """(unit, sample, channel) in µV at rest; row ``nbefore`` is the extremum on the peak channel."""
        after = round(TEMPLATE_AFTER_MS * self.config.sampling_frequency / 1000)
        return rest_templates(self.scene.population.bank, self.layout.xy, nbefore=self.nbefore, nafter=after)

    @property
    def nbefore(self) -> int:
        return round(TEMPLATE_BEFORE_MS * self.config.sampling_frequency / 1000)

    @cached_property
    def peak_channels(self) -> NDArray[np.int64]:
        """(unit,) channel of the largest absolute value of each template."""
        return np.asarray(np.abs(self.templates).max(axis=1).argmax(axis=1), np.int64)

    @property
    def dead_channels(self) -> NDArray[np.int64]:
        return np.flatnonzero(~self.scene.background.live)

    @property
    def noisy_channels(self) -> NDArray[np.int64]:
        return np.flatnonzero(self.scene.background.noisy)

    @property
    def artifacts_s(self) -> NDArray[np.float64]:
        """(window, 2) start and end of stimulation trains and movements, seconds."""
        return self.scene.artifacts.windows_s

    @cached_property
    def noise_per_channel_uv(self) -> NDArray[np.float64]:
        """MAD / 0.6745 of each channel between 300 and 6000 Hz, over a few seconds spread over the recording."""
        from scipy.signal import butter, sosfiltfilt

        source, fs = SimulationSource(self.config), self.config.sampling_frequency
        high = min(NOISE_BAND_HZ[1], 0.45 * fs)
        sos = butter(3, [NOISE_BAND_HZ[0], high], "bandpass", fs=fs, output="sos")
        length = min(round(NOISE_WINDOW_S * fs), source.n_samples)
        starts = np.unique(np.linspace(0, source.n_samples - length, NOISE_WINDOWS + 2)[1:-1].astype(int))
        found = []
        for start in starts:
            traces = source.read(start, start + length) * self.config.gain_uv
            traces = sosfiltfilt(sos, traces, axis=0)
            found.append(np.median(np.abs(traces - np.median(traces, axis=0)), axis=0) / MAD_OF_NORMAL)
        return np.asarray(np.median(found, axis=0), np.float64)

    @cached_property
    def overlap(self) -> NDArray[np.float64]:
        """(unit,) largest cosine of a unit's template with that of another."""
        flat = self.templates.reshape(self.n_units, -1).astype(np.float64)
        flat /= np.linalg.norm(flat, axis=1, keepdims=True)
        cosine = flat @ flat.T
        np.fill_diagonal(cosine, 0.0)
        return np.asarray(cosine.max(axis=1, initial=0.0), np.float64)

    def units_info(self) -> list[dict[str, Any]]:
        """One dictionary per unit; ``snr`` is the maximum over channels of peak amplitude / noise."""
        population, noise = self.scene.population, np.maximum(self.noise_per_channel_uv, 1e-3)
        counts = np.bincount(self.scene.trains.unit, minlength=self.n_units)
        alive = np.where(self.scene.background.live, np.abs(self.templates).max(axis=1) / noise, 0.0)
        return [
            {
                "unit": u,
                "snr": round(float(alive[u].max()), 3),
                "spikes": int(counts[u]),
                "overlap": round(float(self.overlap[u]), 4),
                "bursting": bool(population.bursting[u]),
                "partial": bool(population.partial[u]),
                "positive": bool(population.kind[u] == "positive"),
                "real_waveform": False,
                "kind": str(population.kind[u]),
                "amplitude_uv": round(float(population.amplitude_uv[u]), 3),
                "peak_channel": int(self.peak_channels[u]),
                "x": float(self.unit_positions[u, 0]),
                "y": float(self.unit_positions[u, 1]),
                "synchronous_with": int(population.partner[u]),
            }
            for u in range(self.n_units)
        ]

    def far_spikes(self) -> dict[str, NDArray[Any]]:
        """Spikes of the far units that form the hash: ``sample``, ``unit``, and ``x``, ``y`` of each unit (µm)."""
        scene, n = self.scene, block_length(self.config)
        found = [far_spikes(self.config, scene, b) for b in range(-(-self.config.n_samples // n))]
        time = np.concatenate([t for t, _ in found]) if found else np.zeros(0)
        unit = np.concatenate([u for _, u in found]) if found else np.zeros(0, np.int64)
        inside = time < self.config.n_samples - 0.5
        position = scene.far_bank.position
        return {
            "sample": np.rint(time[inside]).astype(np.int64), "unit": unit[inside],
            "x": position[:, 0], "y": position[:, 1],
        }  # fmt: skip

    def write_score_files(self, folder: str | Path) -> tuple[Path, Path]:
        """Write ``info.json`` and ``far.npz``, from which the scoring tool defines its strata; returns both paths."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        info = {
            "duration": self.config.duration_s,
            "noise_per_channel_uV": [round(float(v), 4) for v in self.noise_per_channel_uv],
            "dead_channels": self.dead_channels.tolist(),
            "units_info": self.units_info(),
        }
        info_path, far_path = folder / "info.json", folder / "far.npz"
        info_path.write_text(json.dumps(info, indent=1))
        far = self.far_spikes()
        np.savez(far_path, artifacts_s=self.artifacts_s, sample=far["sample"], unit=far["unit"], x=far["x"], y=far["y"])
        return info_path, far_path

    def to_spikeinterface(self) -> NumpySorting:
        """The units as a SpikeInterface sorting; unit ids are the unit indices."""
        from spikeinterface import NumpySorting

        sorting = NumpySorting.from_samples_and_labels(
            [self.spikes["sample_index"]], [self.spikes["unit_index"]], self.config.sampling_frequency,
            unit_ids=np.arange(self.n_units),
        )  # fmt: skip
        sorting.segments[0]._t_start = 0.0  # the clock of a simulated recording
        return sorting

    def probe(self) -> Probe:
        """The layout as a ProbeInterface probe."""
        return to_probeinterface(self.layout)
