"""Sources on a small probe, and the arguments of every method of localization."""

from __future__ import annotations

from importlib import import_module

import numpy as np

from xephys.kernels.localize.center_of_mass import localize_center_of_mass
from xephys.kernels.localize.footprint_grid import grid_footprints
from xephys.kernels.localize.grid_convolution import localize_grid_convolution
from xephys.kernels.localize.monopolar_triangulation import localize_monopolar_triangulation
from xephys.kernels.localize.point_source import radial_decrease_steps

N, C, HALO, START, BEFORE, AFTER = 2000, 24, 12, 500, 10, 11
POSITIONS = np.stack([(np.arange(C) % 2) * 32.0, (np.arange(C) // 2) * 20.0], axis=1)


def make_neighbors(radius_um):
    near = np.linalg.norm(POSITIONS[:, None] - POSITIONS[None], axis=2) <= radius_um
    neighbors = np.full((C, near.sum(axis=1).max()), -1, dtype=np.int32)
    for c, row in enumerate(near):
        neighbors[c, : row.sum()] = np.flatnonzero(row)
    return neighbors


NEIGHBORS = make_neighbors(75)


def stage_arguments(**more):
    return {"before": HALO, "after": HALO, "start": START, "positions": POSITIONS, **more}


def windowed(**more):
    return stage_arguments(neighbors=NEIGHBORS, nbefore=BEFORE, nafter=AFTER, **more)


def all_stages():
    tables = grid_footprints(POSITIONS)
    prototype = -np.exp(-((np.arange(-BEFORE, AFTER) / 3.0) ** 2)).astype(np.float32)
    steps = radial_decrease_steps(POSITIONS, NEIGHBORS)
    return {
        "center": (localize_center_of_mass, windowed()),
        "monopolar": (localize_monopolar_triangulation, windowed()),
        "decreasing": (localize_monopolar_triangulation, windowed(decrease_steps=steps)),
        "grid": (localize_grid_convolution, stage_arguments(prototype=prototype, nbefore=BEFORE, **tables)),
    }


def spikeinterface_places(traces, events, node_name, **parameters):
    """Run one of SpikeInterface's localization nodes on the same events."""
    core = import_module("spikeinterface.core")
    from spikeinterface.core.node_pipeline import ExtractDenseWaveforms, PeakRetriever
    from spikeinterface.sortingcomponents import peak_localization

    fs = 10_000.0
    recording = core.NumpyRecording([traces], fs)
    recording.set_dummy_probe_from_locations(POSITIONS)
    peaks = events.copy()
    peaks["sample_index"] += HALO - START
    source = PeakRetriever(recording, peaks)
    waveforms = ExtractDenseWaveforms(recording, nbefore=BEFORE, nafter=AFTER, parents=[source])
    node = getattr(peak_localization.method_list, node_name)(recording, parents=[source, waveforms], **parameters)
    return node.compute(traces, peaks, waveforms.compute(traces, peaks))
