"""The last part of every sort: positions and amplitudes of the units, and the tree that holds everything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ... import schema
from ...kernels.lib.records import row_blocks
from ...metrics.table import empty_columns, unit_variables
from ...per_channel import positions_of
from ...sorting import build_sorting
from ...templates.average import dense_templates
from .assign import SpikeColumns
from .prepared import Prepared

if TYPE_CHECKING:
    from ..presets import Parameters


@dataclass(frozen=True)
class Appearance:
    """How units appear in the filtered traces.

    Attributes
    ----------
    waveform
        Mean waveforms ``(unit, sample, channel)``, in the recording's unit.
    nbefore
        Number of samples of a waveform before the spike.
    channel_index
        Peak channel of each unit.
    positions
        ``(unit, 2)``, µm.
    noise
        Noise level of the peak channel.
    """

    waveform: NDArray[np.float32]
    nbefore: int
    channel_index: NDArray[np.int64]
    positions: NDArray[np.float64]
    noise: NDArray[np.floating[Any]]

    @property
    def amplitude(self) -> NDArray[np.float32]:
        """Maximum absolute value of the waveform on the peak channel."""
        peak = self.waveform[np.arange(len(self.waveform)), :, self.channel_index]
        return np.asarray(np.abs(peak).max(axis=1))


def appearance_of(means: xr.Dataset, prepared: Prepared) -> Appearance:
    """Positions and amplitudes of units, from their mean waveforms on the filtered traces."""
    from ...kernels.templates.average import template_peak_channels, template_positions

    waveforms, slots = means["waveform"].values, means["channel_index"].values
    places = positions_of(prepared.filtered, why="units")
    peak_channels = template_peak_channels(waveforms, channels=slots)
    return Appearance(
        dense_templates(means).values,
        int(means.attrs["nbefore"]),
        peak_channels,
        template_positions(waveforms, channels=slots, positions_um=places),
        noise_on(peak_channels, prepared),
    )


def with_earlier_where(
    few: NDArray[np.bool_], seen: Appearance, earlier: xr.DataTree, prepared: Prepared
) -> Appearance:
    """The appearance, with that of an earlier sorting for some units: a mean of few spikes is mostly noise."""
    units = earlier["units"].dataset
    places = np.stack([units["x"].values, units["y"].values], axis=1)
    peak_channels = np.where(few, units["channel_index"].values, seen.channel_index)
    return replace(
        seen,
        waveform=np.where(few[:, None, None], earlier["templates"]["templates"].values, seen.waveform),
        channel_index=peak_channels,
        positions=np.where(few[:, None], places, seen.positions),
        noise=noise_on(peak_channels, prepared),
    )


def noise_on(channels: NDArray[np.integer[Any]], prepared: Prepared) -> NDArray[np.floating[Any]]:
    """Noise levels of the filtered traces on some channels; never zero."""
    return np.asarray(np.maximum(prepared.noise_levels.values[channels], 1e-9))


def assemble(
    recording: xr.DataArray,
    spikes: SpikeColumns,
    seen: Appearance,
    quality: Mapping[str, NDArray[Any]],
    *,
    preset: str,
    parameters: Parameters,
    log: Sequence[Mapping[str, Any]],
    unit_ids: NDArray[Any] | None = None,
    motion: xr.Dataset | None = None,
    learned: Mapping[str, xr.Dataset] | None = None,
) -> xr.DataTree:
    """Build the sorting.

    Parameters
    ----------
    recording
        The recording that was sorted.
    spikes
        Columns ``sample_index``, ``unit_index``, ``amplitude`` (as a multiple of the unit's waveform), ``x`` and ``y``.
        The sorting holds them itself where they have its types, so they belong to it from now on.
    seen
        Waveforms and positions of the units.
    quality
        Label and metrics of the units, by column of ``/units``, one value per unit.
    preset, parameters, log
        Provenance of the sorting.
    unit_ids
        Names of the units; 0 to n - 1 if None.
    motion
        Motion for the node ``/motion``.
    learned
        Datasets for the node ``/learned``.
    """
    scale, unit_index = spikes["amplitude"], spikes["unit_index"]
    amplitude = np.empty(len(scale), np.float32)
    for block in row_blocks(len(scale)):
        amplitude[block] = scale[block] * seen.amplitude[unit_index[block]]
    return build_sorting(
        recording,
        spikes={
            "sample_index": spikes["sample_index"],
            "unit_index": unit_index,
            "amplitude": amplitude,
            "scale": scale.astype(np.float32),
            "x": spikes["x"].astype(np.float32, copy=False),
            "y": spikes["y"].astype(np.float32, copy=False),
        },
        copy=False,
        units={
            "channel_index": seen.channel_index,
            **groups_of(recording, seen.channel_index),
            "x": seen.positions[:, 0],
            "y": seen.positions[:, 1],
            **quality,
        },
        templates=seen.waveform,
        nbefore=seen.nbefore,
        unit_ids=unit_ids,
        motion=motion,
        learned=learned,
        preset=preset,
        parameters=parameters.model_dump(),
        log=log,
    )


def groups_of(recording: xr.DataArray, channel_index: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
    """Shank and group of each unit's peak channel for ``/units``, if the recording has them."""
    known = [name for name in ("shank", "group") if name in recording.coords]
    return {name: recording.coords[name].values[channel_index] for name in known}


def empty_sorting(
    recording: xr.DataArray, *, preset: str, parameters: Parameters, log: Sequence[Mapping[str, Any]] = ()
) -> xr.DataTree:
    """A sorting without units, the correct result for a silent recording."""
    nbefore, n_samples = parameters.template_window(float(recording.attrs["sampling_frequency"]))
    return build_sorting(
        recording,
        spikes=empty_columns(schema.SPIKE_VARIABLES),
        units={**empty_columns(unit_variables()), **groups_of(recording, np.zeros(0, np.int64))},
        templates=np.empty((0, n_samples, recording.sizes["channel"]), np.float32),
        nbefore=nbefore,
        preset=preset,
        parameters=parameters.model_dump(),
        log=log,
    )
