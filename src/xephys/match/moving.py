"""Template matching on a drifting recording: the templates move, the traces are not changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from .. import schema
from ..errors import ParameterError
from ..graph.events import SpikeTable
from ..graph.plan import Stage
from ..motion.registered import Tissue
from ..per_channel import positions_of
from ..recording.geometry import channel_groups, nearest_channels
from ..recording.stages import recording_plan
from ..templates.average import check_same_probe
from .leftover import with_peak_rules
from .settings import MatchSettings


def match_moving_templates(
    recording: xr.DataArray,
    *,
    templates: xr.Dataset,
    tissue: Tissue,
    components: xr.DataArray | None = None,
    n_nearest: int = 12,
    peaks: Mapping[str, Any] | None = None,
    **settings: Any,
) -> SpikeTable:
    """Find the spikes of templates that move with the tissue, lazily.

    Each tile of the recording is matched with the templates at the displacement of its middle.

    Parameters
    ----------
    recording
        Whitened traces (unit noise), on which the templates were estimated.
    templates
        From :func:`xephys.templates.moving.moving_templates`; with a variable ``unexplained (unit)`` as for
        :func:`xephys.match_templates`.
    tissue
        Motion of the recording.
    components, n_nearest, **settings
        As for :func:`xephys.match_templates`, but with one ``match_threshold`` for all templates.
    peaks
        As for :func:`xephys.match.leftover.match_and_look`: with components, peaks of the residual are found too.

    Returns
    -------
    Lazy table like that of :func:`xephys.match_templates`; ``channel_index`` is the peak channel at that displacement.
    Peaks of the residual have ``unit_index`` -1.

    Raises
    ------
    ParameterError
        If a setting is unknown or a number outside its limits, or the components and the templates have different
        windows.
    RecordingError
        If the templates come from another probe.
    """
    from ..kernels.match.templates import MATCH_DTYPE, match_halo

    info = schema.validate_recording(recording)
    checked = MatchSettings.read(settings, what="match_moving_templates")
    if isinstance(checked.match_threshold, np.ndarray):
        raise ParameterError("templates that move have one match_threshold; give a number")
    check_same_probe(recording, templates)
    nbefore = int(templates.attrs["nbefore"])
    before, after = match_halo(templates.sizes["sample"], nbefore=nbefore)
    arrays, parameters = _model(recording, templates, tissue, checked)
    dtype: Any = MATCH_DTYPE
    if components is not None:
        if components.sizes["sample"] != templates.sizes["sample"] or int(components.attrs["nbefore"]) != nbefore:
            raise ParameterError(
                f"the components have {components.sizes['sample']} samples, {components.attrs['nbefore']} of them "
                f"before the spike, the templates {templates.sizes['sample']} and {nbefore}; give both the same window"
            )
        positions = positions_of(recording, why="a projection")
        neighbors = nearest_channels(positions, n_nearest=n_nearest, groups=channel_groups(recording))
        arrays |= {"components": np.ascontiguousarray(components.values, np.float32), "neighbors": neighbors}
        shape = (neighbors.shape[1], components.sizes["component"])
        dtype = np.dtype([*MATCH_DTYPE.descr, ("projection", "<f4", shape)])
    stage = Stage(
        _kernel(),
        dtype=dtype,
        parameters={"nbefore": nbefore, **parameters, **checked.of_kernel(info.sampling_frequency)},
        arrays=arrays,
        before=before,
        after=after,
        emits="events",
    )
    if peaks is not None:
        stage = with_peak_rules(recording, stage, peaks)
    return SpikeTable.of_plan(recording_plan(recording).then(stage))


def _kernel() -> Any:
    from ..kernels.match.moving import match_moving_templates as kernel

    return kernel


def _model(
    recording: xr.DataArray, templates: xr.Dataset, tissue: Tissue, settings: MatchSettings
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Arrays and parameters of the stage: time courses, patterns, and the position of each unit in each tile."""
    from ..kernels.match.moving import build_moving_model
    from ..kernels.templates.moving import factor_moving

    channels = templates["channel_index"].values.astype(np.int32)
    temporal, patterns = factor_moving(
        templates["waveform"].values,
        counts=templates["num_averaged"].values,
        channels=channels,
        rank=settings.rank,
    )
    plan = recording_plan(recording)
    first, last = plan.start // plan.tile_samples, -(-plan.stop // plan.tile_samples)
    grid = templates["displacement"].values
    nearest = channels[np.arange(len(channels)), (channels >= 0).argmax(axis=1)].astype(np.int64)
    moved = tissue.of_tiles(
        np.arange(first, last) + plan.origin / plan.tile_samples, nearest, tile_samples=plan.tile_samples
    )
    step = grid[1] - grid[0] if len(grid) > 1 else 1.0
    moving = build_moving_model(temporal=temporal, patterns=patterns, channels=channels)
    arrays: dict[str, Any] = {f"moving.{name}": array for name, array in moving.items()}
    arrays["places"] = np.ascontiguousarray((moved - grid[0]) / step)
    if "unexplained" in templates:
        arrays["unexplained"] = np.ascontiguousarray(templates["unexplained"].values, np.float64)
    return arrays, {
        "tile_samples": plan.tile_samples,
        "first_tile": first + plan.origin // plan.tile_samples,
        "n_channels_max": settings.n_channels_max,
    }
