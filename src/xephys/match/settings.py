"""Settings of template matching, checked once, and the stage of the plan made from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..checks import check_keywords, check_positive
from ..errors import ParameterError
from ..graph.local import blocks_of, map_in_threads
from ..graph.plan import Stage
from ..per_channel import positions_of
from ..recording.geometry import channel_groups, nearest_channels
from ..templates.average import check_same_probe
from ..templates.low_rank import low_rank

if TYPE_CHECKING:
    from ..kernels.match.model import MatchModel

#: Traces without content above this fraction of the sampling rate are determined by every second sample. With ideal
#: filters the limit would be a quarter.
BAND_FRACTION = 0.2


@dataclass(frozen=True, kw_only=True)
class MatchSettings:
    """Settings of a match with their defaults, which :func:`xephys.match_templates` describes.

    Raises
    ------
    ParameterError
        If a number is outside its limits.
    """

    rank: int = 5
    n_channels_max: int = 64
    match_threshold: float | NDArray[np.float64] = 4.0
    noise_gain: float = 1.0
    amplitude_min: float = 0.5
    amplitude_max: float = 1.5
    amplitude_std: float = 0.1
    refractory_ms: float = 0.5
    freq_max_hz: float | None = None

    def __post_init__(self) -> None:
        check_positive(
            rank=self.rank,
            n_channels_max=self.n_channels_max,
            match_threshold=self.smallest_threshold,
            noise_gain=self.noise_gain,
        )
        if self.freq_max_hz is not None:
            check_positive(freq_max_hz=self.freq_max_hz)
        if not self.amplitude_std > 0:
            raise ParameterError(f"amplitude_std is {self.amplitude_std!r}; it must be greater than 0")
        if not 0 < self.amplitude_min <= 1 <= self.amplitude_max:
            raise ParameterError(
                f"amplitude_min ({self.amplitude_min}) must be in (0, 1] and amplitude_max ({self.amplitude_max}) at "
                "least 1"
            )

    @classmethod
    def read(cls, given: Mapping[str, Any], *, what: str) -> MatchSettings:
        """Settings from the keywords of function ``what``; an unknown one raises an error that suggests the nearest."""
        check_keywords(given, cls, what=what)
        return cls(**given)

    @property
    def smallest_threshold(self) -> float:
        """The threshold, or the smallest one if each template has its own."""
        if isinstance(self.match_threshold, np.ndarray):
            return float(self.match_threshold.min()) if self.match_threshold.size else 1.0
        return self.match_threshold

    def of_kernel(self, sampling_frequency: float) -> dict[str, Any]:
        """The settings in samples, under the names of the kernel."""
        halved = self.freq_max_hz is not None and self.freq_max_hz <= BAND_FRACTION * sampling_frequency
        return {
            "match_threshold": float(self.smallest_threshold),
            "noise_gain": float(self.noise_gain),
            "amplitude_min": float(self.amplitude_min),
            "amplitude_max": float(self.amplitude_max),
            "amplitude_std": float(self.amplitude_std),
            "refractory_samples": round(self.refractory_ms * 1e-3 * sampling_frequency),
            "score_step": 2 if halved else 1,
        }


def spikes_stage(
    recording: xr.DataArray,
    templates: xr.Dataset,
    settings: MatchSettings,
    *,
    components: xr.DataArray | None = None,
    n_nearest: int = 12,
) -> Stage:
    """The stage that emits the spikes of templates, with projections of their waveforms if components are given."""
    from ..kernels.match import templates as kernel

    check_positive(n_nearest=n_nearest)
    shared = _matching_arguments(recording, templates, settings)
    if components is not None:
        return _projection(recording, components, shared, n_nearest=n_nearest)
    return Stage(kernel.match_templates, dtype=kernel.MATCH_DTYPE, emits="events", **shared)


def residual_stage(recording: xr.DataArray, templates: xr.Dataset, settings: MatchSettings) -> Stage:
    """The stage that subtracts the spikes of templates from the traces."""
    return Stage(residual_of_tile, dtype=np.dtype("f4"), **_matching_arguments(recording, templates, settings))


def residual_of_tile(traces: Any, *, before: int, after: int, **parameters: Any) -> Any:
    """The residual as a trace stage, which does not need absolute sample numbers."""
    from ..kernels.match.templates import match_residual as kernel

    return kernel(traces, before=before, after=after, start=0, **parameters)


def match_model(
    templates: xr.Dataset, *, rank: int = 5, n_channels_max: int = 64, steps_per_sample: int = 4
) -> MatchModel:
    """The model of templates that matching needs: of low rank, on the channels that carry energy, with overlaps."""
    from ..kernels.match.model import build_match_model

    temporal, spatial, slots = low_rank(templates, rank=rank, n_channels_max=n_channels_max)
    n_channels = int(templates.attrs["n_channels"])
    return build_match_model(
        temporal=temporal,
        spatial=spatial,
        channels=slots,
        n_channels=n_channels,
        steps_per_sample=steps_per_sample,
        each=map_in_threads,
        blocks=blocks_of(len(temporal)),
    )


def _matching_arguments(recording: xr.DataArray, templates: xr.Dataset, settings: MatchSettings) -> dict[str, Any]:
    """Parameters, arrays and halo shared by all stages that match these templates."""
    from ..kernels.match.templates import match_halo

    check_same_probe(recording, templates)
    model = match_model(templates, rank=settings.rank, n_channels_max=settings.n_channels_max)
    arrays: dict[str, Any] = {f"model.{name}": array for name, array in model.items()}
    if "unexplained" in templates:
        arrays["unexplained"] = np.ascontiguousarray(templates["unexplained"].values, np.float64)
    if isinstance(settings.match_threshold, np.ndarray):
        arrays["match_thresholds"] = _thresholds_of_units(settings.match_threshold, templates.sizes["unit"])
    nbefore = int(templates.attrs["nbefore"])
    before, after = match_halo(templates.sizes["sample"], nbefore=nbefore)
    parameters = {"nbefore": nbefore, **settings.of_kernel(float(recording.attrs["sampling_frequency"]))}
    return {"parameters": parameters, "arrays": arrays, "before": before, "after": after}


def _thresholds_of_units(thresholds: NDArray[np.float64], n_units: int) -> NDArray[np.float64]:
    """Thresholds for single templates, after checking their number."""
    if thresholds.shape != (n_units,):
        raise ParameterError(
            f"match_threshold has the shape {thresholds.shape} and there are {n_units} templates; give one number, or "
            "one for each template"
        )
    return np.ascontiguousarray(thresholds, np.float64)


def _projection(recording: xr.DataArray, components: xr.DataArray, shared: dict[str, Any], *, n_nearest: int) -> Stage:
    """The stage that adds the projections of cleaned waveforms."""
    from ..kernels.match.features import match_and_project
    from ..kernels.match.templates import MATCH_DTYPE

    length, own = shared["arrays"]["model.temporal"].shape[2], shared["parameters"]["nbefore"]
    nbefore = int(components.attrs["nbefore"])
    if components.sizes["sample"] != length or nbefore != own:
        raise ParameterError(
            f"the components have {components.sizes['sample']} samples, {nbefore} of them before the spike, the "
            f"templates {length} and {own}; give both the same window"
        )
    positions = positions_of(recording, why="a projection")
    neighbors = nearest_channels(positions, n_nearest=n_nearest, groups=channel_groups(recording))
    shape = (neighbors.shape[1], components.sizes["component"])
    basis = np.ascontiguousarray(components.values, np.float32)
    arrays = {**shared.pop("arrays"), "components": basis, "neighbors": neighbors}
    dtype = np.dtype([*MATCH_DTYPE.descr, ("projection", "<f4", shape)])
    return Stage(match_and_project, dtype=dtype, arrays=arrays, emits="events", **shared)
