"""The preset ``rt_sort``: detect with the network, learn sequences, assign all spikes, average, judge, assemble.

It follows RT-Sort (van der Molen, Lim et al. 2024, PLOS ONE 19:e0312438) under its parameters. The sorting keeps the
sequences in ``/learned/sequences``; they can sort live samples of the same channels (see ``xephys.realtime``).
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ...graph.checkpoint import CheckpointedEvents
from ...per_channel import positions_of
from ...preprocess.noise import estimate_noise_levels
from ...realtime.assigning import assign_all
from ...realtime.learning import learn_from
from ...realtime.model import codetections_of, network_for
from ...recording.clock import first_sample
from ...templates.average import dense_templates
from ..steps.assemble import Appearance, assemble
from ..steps.judge import judge_units
from ..steps.passes import NoUnits, Run
from ..steps.prepare import in_microvolts
from ..steps.waveforms import mean_waveforms
from .parameters import RTSortParameters
from .prepare import band_passed


def sort_rt_sort(recording: xr.DataArray, parameters: RTSortParameters, run: Run) -> xr.DataTree:
    """Sort one segment. The ``run`` keeps the detections, so that other late parameters do not detect again."""
    p = parameters
    rate = float(recording.attrs["sampling_frequency"])
    filtered = band_passed(in_microvolts(recording, run, seed=p.seed), p)
    noise = run.once(estimate_noise_levels, filtered, seed=p.seed)
    network = network_for(p, rate)
    detected = run.collect("detect", codetections_of(filtered, p, noise_levels=noise, network=network))
    sequences = learn_from(detected, filtered, p, noise_levels=noise, network=network)
    log = json.loads(sequences.attrs["log"])
    if not sequences.sizes["sequence"]:
        raise NoUnits(log)

    spikes, sequences = _used(_assigned(detected, sequences, filtered), sequences)
    log.append({"step": "assign", "num_spikes": len(spikes), "num_units": sequences.sizes["sequence"]})
    if not len(spikes):
        raise NoUnits(log)
    means = mean_waveforms(
        filtered,
        spikes,
        run,
        peak_channels=sequences["root"].values,
        ms_before=p.ms_waveform_before,
        ms_after=p.ms_waveform_after,
        seed=p.seed,
    )
    seen = _appearance(means, filtered, noise)
    limits = {name: getattr(p, name) for name in ("contamination_max", "good_snr_min")}
    quality = judge_units(recording, spikes, seen, n_spikes_min=p.min_seq_spikes_n, **limits)
    return assemble(
        recording,
        spikes,
        seen,
        quality,
        preset=run.preset,
        parameters=p,
        log=log,
        learned={"sequences": sequences},
    )


def _assigned(detected: CheckpointedEvents, sequences: xr.Dataset, filtered: xr.DataArray) -> NDArray[Any]:
    """Spikes in the form in which sortings are assembled; the amplitude is relative to that of the sequence."""
    found = assign_all(detected, sequences)
    first = first_sample(filtered)
    names = ("sample_index", "unit_index", "amplitude", "x", "y", "segment_index")
    spikes = np.zeros(len(found), [(name, "<i8" if name.endswith("index") else "<f8") for name in names])
    spikes["sample_index"] = np.clip(found["sample_index"], first, first + filtered.sizes["time"] - 1)
    spikes["unit_index"] = found["unit_index"]
    root_amplitude = sequences["amplitudes"].values[:, 0]
    spikes["amplitude"] = found["amplitude"] / np.maximum(root_amplitude[found["unit_index"]], 1e-6)
    for axis in ("x", "y"):
        spikes[axis] = sequences[axis].values[found["channel_index"]]
    return spikes


def _used(spikes: NDArray[Any], sequences: xr.Dataset) -> tuple[NDArray[Any], xr.Dataset]:
    """Sequences that have spikes, and their spikes under their new numbers."""
    used, number = np.unique(spikes["unit_index"], return_inverse=True)
    spikes["unit_index"] = number
    return spikes, sequences.isel(sequence=used)


def _appearance(means: xr.Dataset, filtered: xr.DataArray, noise: xr.DataArray) -> Appearance:
    """Waveforms, places and noise of the units."""
    from ...kernels.templates.average import template_peak_channels, template_positions

    waveforms, slots = means["waveform"].values, means["channel_index"].values
    peak_channels = template_peak_channels(waveforms, channels=slots)
    places = positions_of(filtered, why="units")
    return Appearance(
        dense_templates(means).values,
        int(means.attrs["nbefore"]),
        peak_channels,
        template_positions(waveforms, channels=slots, positions_um=places),
        np.maximum(noise.values[peak_channels], 1e-9),
    )
