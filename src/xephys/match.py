"""Template matching: spikes of known templates, found lazily, overlapping ones resolved."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from . import schema
from .errors import ParameterError
from .extending import as_lazy, check_positive, extend_recording
from .graph.build import extend_plan
from .graph.events import SpikeTable
from .graph.local import map_in_threads
from .graph.plan import Stage
from .neighbours import nearest_channels
from .preprocess.noise import Sample, sample_traces
from .templates import check_same_probe

if TYPE_CHECKING:
    from .kernels.match_model import MatchModel


#: Traces that hold nothing above this fraction of the sampling rate are known from every second sample. The limit would
#: be a quarter if filters were sharp.
BAND_FRACTION = 0.2


def match_templates(
    recording: xr.DataArray,
    *,
    templates: xr.Dataset,
    rank: int = 5,
    n_channels_max: int = 64,
    detect_threshold: float = 4.0,
    noise_gain: float = 1.0,
    amplitude_min: float = 0.5,
    amplitude_max: float = 1.5,
    amplitude_std: float = 0.1,
    refractory_ms: float = 0.5,
    freq_max_hz: float | None = None,
    components: xr.DataArray | None = None,
    n_nearest: int = 12,
    segment_index: int = 0,
) -> SpikeTable:
    """Find the spikes of known templates by greedy matching pursuit, lazily.

    Parameters
    ----------
    recording
        Whitened traces (unit noise), on which the templates were estimated.
    templates
        From :func:`estimate_templates`. If a variable ``unexplained (unit)`` says what share of a spike's energy each
        leaves, two spikes that explain more than one, beyond that, are taken in its place.
    rank
        Most time courses kept of each template; those that carry nothing are dropped.
    n_channels_max
        Most channels kept of each template; those that carry nothing are dropped.
    detect_threshold
        A spike must lower the squared residual by the square of this, in units of the noise along a template.
    noise_gain
        Variance of that noise, from :func:`estimate_noise_gain`; 1 for noise that is white in time.
    amplitude_min, amplitude_max
        Limits of a spike's amplitude as a multiple of its template.
    amplitude_std
        Standard deviation of the amplitude's prior around 1; ``inf`` leaves the amplitude free within its limits.
    refractory_ms
        Two spikes of one unit are farther apart than this.
    freq_max_hz
        Upper corner of the band-pass through which the traces went. Up to a fifth of the sampling rate, templates are
        compared with every second sample and the scores between interpolated: less work for the same spikes, but for
        one in thousands. None makes every score by itself.
    components
        From :func:`learn_components`, in the window of the templates: each spike's waveform, without the spikes that
        overlap it, is projected on them; not if None.
    n_nearest
        How many channels around the peak channel of its template, itself included, are projected.
    segment_index
        Written into every record.

    Returns
    -------
    Lazy table with ``sample_index``, ``unit_index``, ``channel_index``, ``amplitude`` (multiple of the template),
    ``sample_offset`` (sub-sample delay) and ``gain`` (drop of the squared residual); with components ``projection``
    (float32, channel by component).

    Raises
    ------
    ParameterError
        If a number is outside its limits, or a name unknown.
    RecordingError
        If the templates come from another probe.

    Examples
    --------
    >>> import numpy as np, xephys
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0)
    >>> spikes = np.array([(1000, 0), (2000, 0)], [("sample_index", "i8"), ("unit_index", "i8")])
    >>> templates = xephys.estimate_templates(recording, spikes, peak_channels=np.array([3]))
    >>> match_templates(recording, templates=templates).fields[0]
    'sample_index'
    """
    given = dict(locals())
    info = schema.validate_recording(recording)
    stage = _stage(recording, given, emits="events")
    return SpikeTable.of_plan(extend_plan(as_lazy(recording), stage, sampling_frequency=info.sampling_frequency))


def estimate_noise_gain(
    recording: xr.DataArray,
    *,
    templates: xr.Dataset,
    rank: int = 5,
    n_channels_max: int = 64,
    sample: Sample | None = None,
    seed: int = 0,
) -> float:
    """Variance of the noise along the templates, relative to white noise of the traces' own variance. Computes.

    Filtered noise has fewer independent samples than white noise, so that along a template it is stronger: by about
    2.8 after a band-pass of 300 to 6000 Hz at 30 kHz.

    Parameters
    ----------
    recording
        Whitened traces (unit noise), on which the templates were estimated.
    templates, rank, n_channels_max
        As for :func:`match_templates`.
    sample
        Stretches of these very traces, from :func:`sample_traces`; drawn here if None.
    seed
        Of that drawing.

    Returns
    -------
    The median over templates and stretches; at least 1.

    Examples
    --------
    >>> import numpy as np, xephys
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0)
    >>> spikes = np.array([(1000, 0), (2000, 0)], [("sample_index", "i8"), ("unit_index", "i8")])
    >>> templates = xephys.estimate_templates(recording, spikes, peak_channels=np.array([3]))
    >>> estimate_noise_gain(recording, templates=templates) >= 1
    True
    """
    from .kernels.match_scores import estimate_noise_gain as kernel

    check_same_probe(recording, templates)
    temporal, spatial, channels = low_rank(templates, rank=rank, n_channels_max=n_channels_max)
    # The time courses are orthonormal, so the patterns hold the energy.
    factors = {
        "temporal": temporal,
        "spatial": spatial,
        "channels": channels,
        "energies": np.einsum("urk,urk->u", spatial, spatial, dtype=np.float64),
    }
    parts = sample_traces(recording, n_slices=6, seed=seed) if sample is None else sample
    gains = map_in_threads(partial(kernel, **factors), parts)
    return max(1.0, float(np.median(gains)))


def match_residual(recording: xr.DataArray, *, templates: xr.Dataset, **parameters: Any) -> xr.DataArray:
    """What the matched spikes leave of the traces, lazily: look at it to see what was missed.

    Parameters are those of :func:`match_templates`.
    """
    return extend_recording(
        recording, _stage(recording, {"templates": templates, **_defaults(), **parameters}, emits="traces")
    )


def _defaults() -> dict[str, Any]:
    import inspect

    given = inspect.signature(match_templates).parameters
    return {n: p.default for n, p in given.items() if p.default is not inspect.Parameter.empty}


def _stage(recording: xr.DataArray, given: dict[str, Any], *, emits: str) -> Stage:
    from .kernels import match as kernel

    unknown = set(given) - set(_defaults()) - {"recording", "templates"}
    if unknown:
        raise ParameterError(f"no parameter {', '.join(sorted(unknown))}; there are {', '.join(_defaults())}")
    templates = given["templates"]
    check_same_probe(recording, templates)
    check_positive(
        rank=given["rank"],
        n_channels_max=given["n_channels_max"],
        detect_threshold=given["detect_threshold"],
        noise_gain=given["noise_gain"],
        n_nearest=given["n_nearest"],
    )
    if given["freq_max_hz"] is not None:
        check_positive(freq_max_hz=given["freq_max_hz"])
    if not given["amplitude_std"] > 0:
        raise ParameterError(f"amplitude_std is {given['amplitude_std']!r}; it must be greater than 0")
    if not 0 < given["amplitude_min"] <= 1 <= given["amplitude_max"]:
        raise ParameterError(
            f"amplitude_min ({given['amplitude_min']}) must be in (0, 1] and amplitude_max "
            f"({given['amplitude_max']}) at least 1"
        )
    rate = recording.attrs["sampling_frequency"]
    arrays: dict[str, Any] = dict(match_model(templates, rank=given["rank"], n_channels_max=given["n_channels_max"]))
    if "unexplained" in templates:
        arrays["unexplained"] = np.ascontiguousarray(templates["unexplained"].values, np.float64)
    nbefore, length = int(templates.attrs["nbefore"]), templates.sizes["sample"]
    before, after = kernel.match_halo(length, n_before=nbefore)
    parameters = {
        "n_before": nbefore,
        "threshold": float(given["detect_threshold"]),
        "noise_gain": float(given["noise_gain"]),
        "amplitude_min": float(given["amplitude_min"]),
        "amplitude_max": float(given["amplitude_max"]),
        "amplitude_std": float(given["amplitude_std"]),
        "refractory_samples": round(given["refractory_ms"] * 1e-3 * rate),
        "score_step": 2 if given["freq_max_hz"] is not None and given["freq_max_hz"] <= BAND_FRACTION * rate else 1,
    }
    if emits == "traces":
        return Stage(
            residual_of_tile,
            dtype=np.dtype("f4"),
            parameters=parameters,
            arrays=arrays,
            before=before,
            after=after,
        )
    parameters["segment_index"] = int(given["segment_index"])
    if given["components"] is not None:
        return _projecting(recording, given["components"], parameters, arrays, before, after, given["n_nearest"])
    return Stage(
        kernel.match_templates,
        dtype=kernel.MATCH_DTYPE,
        parameters=parameters,
        arrays=arrays,
        before=before,
        after=after,
        emits="events",
    )


def _projecting(
    recording: xr.DataArray,
    components: xr.DataArray,
    parameters: dict[str, Any],
    arrays: dict[str, Any],
    before: int,
    after: int,
    n_nearest: int,
) -> Stage:
    """The stage that adds the projections of cleaned waveforms."""
    from .kernels.match import MATCH_DTYPE
    from .kernels.match_features import match_and_project

    length, n_before = arrays["temporal"].shape[2], int(components.attrs["nbefore"])
    if components.sizes["sample"] != length or n_before != parameters["n_before"]:
        raise ParameterError(
            f"the components have {components.sizes['sample']} samples, {n_before} of them before the spike, the "
            f"templates {length} and {parameters['n_before']}; give both the same window"
        )
    neighbours = nearest_channels(schema.positions_of(recording, why="a projection"), n_nearest=n_nearest)
    shape = (neighbours.shape[1], components.sizes["component"])
    return Stage(
        match_and_project,
        dtype=np.dtype([*MATCH_DTYPE.descr, ("projection", "<f4", shape)]),
        parameters=parameters,
        arrays={**arrays, "components": np.ascontiguousarray(components.values, np.float32), "neighbours": neighbours},
        before=before,
        after=after,
        emits="events",
    )


def match_model(
    templates: xr.Dataset, *, rank: int = 5, n_channels_max: int = 64, steps_per_sample: int = 4
) -> MatchModel:
    """What matching needs to know of templates: of low rank, on the channels that carry something, with overlaps."""
    from .kernels.match_model import build_match_model

    temporal, spatial, slots = low_rank(templates, rank=rank, n_channels_max=n_channels_max)
    n_channels = int(templates.attrs["n_channels"])
    return build_match_model(
        temporal=temporal, spatial=spatial, channels=slots, n_channels=n_channels, steps_per_sample=steps_per_sample
    )


def low_rank(
    templates: xr.Dataset, *, rank: int, n_channels_max: int
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int32]]:
    """Time courses, patterns and channels of templates, without those that carry nothing."""
    from .kernels.templates import low_rank_templates, select_channels, without_weak_ranks

    counts = templates["num_averaged"].values
    waveforms, slots = select_channels(
        templates["waveform"].values,
        channels=templates["channel_index"].values.astype(np.int32),
        max_channels=n_channels_max,
        counts=counts,
    )
    temporal, spatial = low_rank_templates(waveforms, rank=rank)
    return *without_weak_ranks(temporal, spatial, counts=counts), slots


def residual_of_tile(traces: Any, *, before: int, after: int, **parameters: Any) -> Any:
    """The residual as a trace stage: it needs no absolute sample."""
    from .kernels.match import match_residual as kernel

    return kernel(traces, before=before, after=after, start=0, **parameters)
