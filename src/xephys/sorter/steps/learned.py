"""Store what a sort learned for later sorts, and check whether it fits another recording."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ... import schema
from ...errors import ParameterError, RecordingError
from ...per_channel import bad_channels_of, check_order, positions_of
from ...sorting import validate_sorting

if TYPE_CHECKING:
    from .prepared import Prepared
    from .tidy import Origin

#: Maximum distance between the positions of one contact in two recordings; positions are often rounded.
POSITION_TOLERANCE_UM = 1.0


#: Channel coordinates from which neighborhoods are made.
_CHANNEL_NAMES = ("channel", "x", "y", "probe", "shank", "group")


@dataclass(frozen=True)
class Learned:
    """The node ``/learned`` of a sorting: noise levels, whitening, components, and white templates with their units."""

    channels: xr.Dataset
    whitening: xr.Dataset
    components: xr.DataArray
    templates: xr.Dataset

    @property
    def noise_levels(self) -> xr.DataArray:
        return self.channels["noise_level"]

    @property
    def plain_noise_levels(self) -> xr.DataArray:
        return self.channels["plain_noise_level"]

    @property
    def white_noise_levels(self) -> xr.DataArray:
        return self.channels["white_noise_level"]

    @property
    def noise_gain(self) -> float:
        return float(self.templates.attrs["noise_gain"])

    @property
    def unit_templates(self) -> xr.Dataset:
        """One template per unit, in order of the units."""
        return self.templates.isel(unit=np.flatnonzero(self.templates["represents"].values))

    @property
    def nodes(self) -> dict[str, xr.Dataset]:
        """The nodes in the form that :func:`xephys.sorting.build_sorting` takes."""
        return {
            "channels": self.channels,
            "whitening": self.whitening,
            "components": self.components.to_dataset(name="components"),
            "templates": self.templates,
        }

    def flag_bad(self, recording: xr.DataArray) -> xr.DataArray:
        """Mark the channels that were left out when this was learned."""
        bad = bad_channels_of(recording) | self.channels["bad"].values
        return recording.assign_coords(bad=("channel", bad))

    def check_units(self, filtered: xr.DataArray) -> None:
        """Check that the traces have the unit in which the whitening was learned."""
        own, given = str(self.whitening.attrs.get("units", "")), f"1/{filtered.attrs.get('units', 'counts')}"
        if own != given:
            raise RecordingError(
                f"the recording is in {given[2:]} and the earlier sorting learned in {own[2:]}; give both their gains "
                "(coordinate gain_to_uv), or neither"
            )

    def whitening_without(self, bad: NDArray[np.bool_]) -> xr.Dataset:
        """The whitening without contributions from channels that have become bad since it was learned."""
        lost = bad & ~self.channels["bad"].values
        if not lost.any():
            return self.whitening
        if "matrix" in self.whitening:
            kept = ~lost
            matrix = self.whitening["matrix"]
            return self.whitening.assign(matrix=(matrix.dims, matrix.values * kept[:, None] * kept[None, :]))
        weight, neighbor = self.whitening["weight"], self.whitening["neighbor"].values
        silent = lost[:, None] | (lost[neighbor] & (neighbor >= 0))
        return self.whitening.assign(weight=(weight.dims, np.where(silent, 0, weight.values).astype(weight.dtype)))

    def templates_without(self, bad: NDArray[np.bool_]) -> xr.Dataset:
        """The templates without channels that have become bad since, on which there is nothing to match."""
        lost = bad & ~self.channels["bad"].values
        if not lost.any():
            return self.templates
        channels, waveform = self.templates["channel_index"], self.templates["waveform"]
        gone = lost[channels.values] & (channels.values >= 0)
        return self.templates.assign(
            channel_index=(channels.dims, np.where(gone, -1, channels.values).astype(channels.dtype)),
            waveform=(waveform.dims, np.where(gone[:, None, :], 0, waveform.values).astype(waveform.dtype)),
        )


def learned_nodes(
    prepared: Prepared, templates: xr.Dataset, origin: Origin, *, components: xr.DataArray
) -> dict[str, xr.Dataset]:
    """Datasets for the node ``/learned``.

    Parameters
    ----------
    prepared
        The prepared recording with the estimates used for it.
    templates
        The matched templates, with the attribute ``noise_gain``.
    origin
        How the templates' spikes were assigned to units.
    components
        Temporal components of the features.
    """
    represents = np.zeros(templates.sizes["unit"], bool)
    represents[origin.template_of_unit] = True
    filtered, plain = prepared.filtered, prepared.plain_noise_levels
    assert plain is not None, "prepare() sets them"
    channels = xr.Dataset(
        {
            "plain_noise_level": ("channel", plain.values, plain.attrs),
            "noise_level": ("channel", prepared.noise_levels.values, prepared.noise_levels.attrs),
            "white_noise_level": ("channel", prepared.white_noise_levels.values, prepared.white_noise_levels.attrs),
            "bad": ("channel", bad_channels_of(filtered)),
        },
        coords={name: ("channel", filtered.coords[name].values) for name in _CHANNEL_NAMES if name in filtered.coords},
    )
    matched = templates.reset_coords(drop=True).assign(
        unit_index=("unit", origin.unit_of_template),
        sample_shift=("unit", origin.sample_shift),
        relative_size=("unit", origin.relative_size),
        represents=("unit", represents),
    )
    return Learned(
        channels,
        prepared.whitening.reset_coords(drop=True),
        components,
        matched,
    ).nodes


def read_learned(sorting: Any) -> Learned:
    """Read what an earlier sorting learned.

    Raises
    ------
    TypeError
        If it is not a sorting.
    ParameterError
        If it has nothing learned, or its units were changed after the sort.
    """
    tree = validate_sorting(sorting)
    names = ("channels", "whitening", "components", "templates")
    missing = [name for name in names if name not in getattr(tree.children.get("learned"), "children", ())]
    if missing:
        raise ParameterError(
            f"the sorting given as learned has no node learned/{missing[0]}: it found no units, or comes from "
            "elsewhere; give one that xephys.sort made and that has units"
        )
    channels, whitening, components, templates = (tree[f"learned/{name}"].to_dataset(inherit=False) for name in names)
    if "relative_threshold" not in templates:  # saved by a version with one threshold for all units
        templates = templates.assign(relative_threshold=("unit", np.ones(templates.sizes["unit"])))
    if "neighbour" in whitening:  # saved by a version with this spelling
        whitening = whitening.rename(neighbour="neighbor")
    learned = Learned(channels, whitening, components["components"], templates)
    n_units, n_learned = tree["units"].sizes["unit"], int(templates["represents"].sum())
    if n_units != n_learned:
        raise ParameterError(
            f"the sorting given as learned has {n_units} units and templates of {n_learned}: its units were changed "
            "after the sort; give it as it was saved"
        )
    return learned


def check_fits(learned: Learned, recording: xr.DataArray) -> None:
    """Refuse a recording of another probe or rate.

    Raises
    ------
    RecordingError
        Says what differs, by how much, and what to do.
    """
    n_channels, sampling_frequency = recording.sizes["channel"], float(recording.attrs["sampling_frequency"])
    remedy = "sort this recording without learned, or give a sorting of the same probe"
    n = learned.channels.sizes["channel"]
    if n_channels != n:
        raise RecordingError(
            f"the recording has {n_channels} channels and the templates were learned on {n}: they come from "
            f"another probe; {remedy}"
        )
    rate = float(learned.templates.attrs["sampling_frequency"])
    if abs(sampling_frequency / rate - 1) > schema.RATE_TOLERANCE:
        raise RecordingError(
            f"the recording has {sampling_frequency:g} samples a second and the templates were learned at "
            f"{rate:g}; resample it, or {remedy}"
        )
    if n_channels == 1 and "y" not in recording.coords:
        return
    check_order(recording, learned.channels, what="the sorting given as learned")
    here = positions_of(recording, why="reuse")
    there = np.stack([learned.channels["x"].values, learned.channels["y"].values], axis=1)
    apart = np.linalg.norm(here - there, axis=1)
    worst = int(apart.argmax())
    if apart[worst] > POSITION_TOLERANCE_UM:
        raise RecordingError(
            f"channel {recording.channel.values[worst]} is at ({here[worst, 0]:g}, {here[worst, 1]:g}) um but was at "
            f"({there[worst, 0]:g}, {there[worst, 1]:g}) when the templates were learned, more than "
            f"{POSITION_TOLERANCE_UM:g} um away: another probe, or another order of channels; {remedy}"
        )
