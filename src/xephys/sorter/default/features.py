"""Features of spikes: what they are projected on, and how large the projections of noise are."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import xarray as xr

from ...errors import SilentRecordingError
from ...features.components import learn_components
from ...features.noise import estimate_feature_noise
from ...graph.events import SpikeTable
from ..steps.passes import NoUnits, Run
from ..steps.prepared import Prepared
from .parameters import DefaultParameters


@dataclass(frozen=True)
class Features:
    """Features of spikes for clustering.

    Attributes
    ----------
    components
        Temporal components on which waveforms are projected.
    noise
        Standard deviation of the projections of noise.
    noise_at_rest
        The same after peaks were interpolated to where they would be seen if the tissue had not moved.
    """

    components: xr.DataArray
    noise: float
    noise_at_rest: float


def learn_features(prepared: Prepared, peaks: SpikeTable, p: DefaultParameters, run: Run) -> Features:
    """Temporal components of the peaks, and the noise of projections on them."""
    components = run.once(
        _components,
        prepared.whitened,
        peaks,
        n_components=p.n_components,
        ms_before=p.ms_before,
        ms_after=p.ms_after,
        seed=p.seed,
    )
    if components is None:
        raise NoUnits
    noise = run.once(estimate_feature_noise, prepared.whitened, components=components, excerpts=prepared.white_excerpts)
    return Features(components, noise, noise)


def _components(white: xr.DataArray, peaks: SpikeTable, **parameters: Any) -> xr.DataArray | None:
    """Temporal components from some tiles, or from all if those are silent; None if the whole recording is."""
    for n_tiles in (20, None):
        with suppress(SilentRecordingError):
            return learn_components(white, peaks, n_tiles=n_tiles, **parameters)
    return None
