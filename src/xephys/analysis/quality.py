"""Quality metrics by SpikeInterface's names: one row each, from which columns, requirements and reading follow."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..checks import check_choice
from ..graph.local import map_in_threads, run_as_ready
from .facts import Facts
from .results import Analysis
from .spikes import Rows
from .subject import content_key

Columns = dict[str, NDArray[Any]]
PRESENCE_BIN_S, RATE_BIN_S, DRIFT_BIN_S = 60.0, 5.0, 60.0
ISI_MS, REFRACTORY_MS, CENSORED_MS, REPEAT_MS = 1.5, 1.0, 0.0, 4.0
SLIDING_BIN_MS, SLIDING_MAX_MS, SLIDING_EXCLUDE_MS = 0.25, 10.0, 0.5


class QualityMetric(NamedTuple):
    """A row: the function for the columns of all units, what it needs first, and on which units a value depends.

    ``about``: ``"own"`` if a unit's value depends on that unit alone, ``"near"`` if also on units on its channels,
    ``"all"`` if on every spike.
    """

    compute: Callable[[Facts], Columns]
    columns: dict[str, str]
    needs: tuple[str, ...] = ()
    about: str = "own"


def _counts(facts: Facts) -> Columns:
    n = facts.num_spikes
    return {"num_spikes": n}


def _rates(facts: Facts) -> Columns:
    n = facts.num_spikes
    return {"firing_rate": np.where(n > 0, n / facts.duration_s, np.nan)}


def _presence(facts: Facts) -> Columns:
    from ..kernels.metrics import activity

    length = int(PRESENCE_BIN_S * facts.rate)
    if facts.total_samples < length:
        return {"presence_ratio": np.full(len(facts.num_spikes), np.nan)}
    edges = activity.bin_edges(facts.n_samples, length)
    counts = activity.counts_in_bins(facts.joined, facts.bounds, edges)
    return {"presence_ratio": activity.presence_ratios(counts, facts.num_spikes, np.zeros(len(counts)))}


def _snr(facts: Facts) -> Columns:
    noise = facts.node("noise_levels")["noise_level"].values[facts.peak_channels]
    return {"snr": np.abs(facts.main_templates).max(axis=1) / noise}


def _isi(facts: Facts) -> Columns:
    from ..kernels.metrics import violations

    found = violations.short_intervals(facts.apart, facts.bounds, ISI_MS * 1e-3 * facts.rate)
    ratio = violations.isi_violations_ratio(
        found, facts.num_spikes, duration_s=facts.duration_s, threshold_s=ISI_MS * 1e-3
    )
    return {"isi_violations_ratio": ratio, "isi_violations_count": np.where(facts.num_spikes > 0, found, -1)}


def _rp(facts: Facts) -> Columns:
    from ..kernels.metrics import violations

    refractory, censored = (round(ms * 1e-3 * facts.rate) for ms in (REFRACTORY_MS, CENSORED_MS))
    found = violations.near_pairs(facts.apart, facts.bounds[:-1], facts.bounds[1:], refractory)
    share = violations.rp_contaminations(
        found, facts.num_spikes, total_samples=facts.total_samples, refractory_samples=refractory,
        censored_samples=censored,
    )  # fmt: skip
    return {"rp_contamination": share, "rp_violations": np.where(facts.num_spikes > 0, found, -1)}


def _sliding(facts: Facts) -> Columns:
    from ..kernels.metrics import violations
    from ..kernels.metrics.correlograms import add_own_pairs

    bin_samples = max(1, round(SLIDING_BIN_MS * 1e-3 * facts.rate))
    n_bins = int(SLIDING_MAX_MS * 1e-3 * facts.rate / bin_samples)
    counts = np.zeros((len(facts.num_spikes), 2 * n_bins), np.int64)
    add_own_pairs(counts, facts.apart, facts.bounds, bin_samples, n_bins)
    found = violations.sliding_violations(
        counts[:, n_bins:], facts.num_spikes, duration_s=facts.duration_s, bin_s=bin_samples / facts.rate,
        exclude_s=SLIDING_EXCLUDE_MS * 1e-3,
    )  # fmt: skip
    return {"sliding_rp_violation": found}


def _synchrony(facts: Facts) -> Columns:
    from ..kernels.metrics.activity import SYNCHRONY_SIZES, synchrony

    subject = facts.analysis.subject
    moments = subject.sample_index + subject.segment_index * (1 << 40)
    found = synchrony(moments, subject.unit_index, n_units=subject.n_units)
    return {f"sync_spike_{size}": found[:, k] for k, size in enumerate(SYNCHRONY_SIZES)}


def _firing_range(facts: Facts) -> Columns:
    from ..kernels.metrics import activity

    length = int(RATE_BIN_S * facts.rate)
    if facts.total_samples < length:
        return {"firing_range": np.full(len(facts.num_spikes), np.nan)}
    counts = activity.counts_in_bins(facts.joined, facts.bounds, activity.bin_edges(facts.n_samples, length))
    return {"firing_range": activity.firing_ranges(counts / RATE_BIN_S, facts.num_spikes)}


def _cv(facts: Facts) -> Columns:
    from ..kernels.metrics.amplitude_shape import spreads_of_units

    amplitudes = facts.spike_values("spike_amplitudes", "amplitude")
    found = spreads_of_units(facts.samples, amplitudes, facts.parts, facts.n_samples)
    return {"amplitude_cv_median": found[:, 0], "amplitude_cv_range": found[:, 1]}


def _cutoff(facts: Facts) -> Columns:
    from ..kernels.metrics.amplitude_shape import amplitude_cutoffs

    scales = facts.spike_values("amplitude_scalings", "scale")
    return {"amplitude_cutoff": amplitude_cutoffs(scales, facts.bounds[:-1], facts.bounds[1:])}


def _noise_cutoff(facts: Facts) -> Columns:
    from ..kernels.metrics.amplitude_shape import noise_cutoffs

    found = noise_cutoffs(facts.spike_values("spike_amplitudes", "amplitude"), facts.bounds)
    return {"noise_cutoff": found[:, 0], "noise_ratio": found[:, 1]}


def _median(facts: Facts) -> Columns:
    from ..kernels.metrics.amplitude_shape import over_units

    amplitudes = facts.spike_values("spike_amplitudes", "amplitude")
    return {"amplitude_median": over_units(amplitudes, facts.bounds, np.median)}


def _drift(facts: Facts) -> Columns:
    from ..kernels.metrics.drift import drifts

    places = facts.spike_values("spike_locations", "y")
    length = int(DRIFT_BIN_S * facts.rate)
    found = drifts(facts.samples, places, facts.parts, facts.n_samples, bin_samples=length)
    return {f"drift_{name}": found[:, k] for k, name in enumerate(("ptp", "std", "mad"))}


def _sd_ratio(facts: Facts) -> Columns:
    from ..kernels.metrics.amplitude_shape import sd_ratios

    found = sd_ratios(
        facts.samples,
        facts.spike_values("spike_amplitudes", "amplitude"),
        facts.parts,
        censored_samples=round(REPEAT_MS * 1e-3 * facts.rate),
        noise_std=facts.node("noise_levels")["noise_std"].values[facts.peak_channels],
        templates=facts.main_templates,
        total_samples=facts.total_samples,
    )
    return {"sd_ratio": found}


def _isolation(facts: Facts) -> Columns:
    from ..kernels.metrics.isolation import NOTHING, Isolation, isolation, unit_scores

    analysis, node = facts.analysis, facts.node("waveforms")
    scores = unit_scores(
        analysis.nodes["principal_components"]["projection"].values,
        analysis.subject.unit_index[node["waveform_spike"].values],
        node["channel_index"].values,
        facts.peak_channels,
    )
    wanted = np.flatnonzero(facts.units).tolist()
    found = np.tile(np.array(NOTHING), (analysis.subject.n_units, 1))
    if wanted:
        found[wanted] = np.array(map_in_threads(partial(isolation, scores), wanted))
    return {name: found[:, k] for k, name in enumerate(Isolation._fields)}


def _advanced(facts: Facts) -> Columns:
    from ..kernels.metrics.neighborhood import neighborhoods

    analysis, node = facts.analysis, facts.node("waveforms")
    measure = partial(
        neighborhoods,
        node["waveform"].values,
        analysis.subject.unit_index[node["waveform_spike"].values],
        node["channel_index"].values,
        facts.node("noise_waveforms")["waveform"].values,
        num_spikes=facts.num_spikes,
        seed=analysis.settings.seed,
    )
    wanted = np.flatnonzero(facts.units).tolist()
    found = np.full((analysis.subject.n_units, 2), np.nan)
    if wanted:
        found[wanted] = np.array(map_in_threads(measure, wanted))
    return {"nn_isolation": found[:, 0], "nn_noise_overlap": found[:, 1]}


_AMPLITUDES, _COMPONENTS = ("spike_amplitudes",), ("waveforms", "principal_components")

#: Every metric by SpikeInterface's name, with its columns and their units.
QUALITY_METRICS: dict[str, QualityMetric] = {
    "num_spikes": QualityMetric(_counts, {"num_spikes": ""}),
    "firing_rate": QualityMetric(_rates, {"firing_rate": "Hz"}),
    "presence_ratio": QualityMetric(_presence, {"presence_ratio": ""}),
    "snr": QualityMetric(_snr, {"snr": ""}, ("templates", "noise_levels")),
    "isi_violation": QualityMetric(_isi, {"isi_violations_ratio": "", "isi_violations_count": ""}),
    "rp_violation": QualityMetric(_rp, {"rp_contamination": "", "rp_violations": ""}),
    "sliding_rp_violation": QualityMetric(_sliding, {"sliding_rp_violation": ""}),
    "synchrony": QualityMetric(_synchrony, {f"sync_spike_{size}": "" for size in (2, 4, 8)}, about="all"),
    "firing_range": QualityMetric(_firing_range, {"firing_range": "Hz"}),
    "amplitude_cv": QualityMetric(_cv, {"amplitude_cv_median": "", "amplitude_cv_range": ""}, _AMPLITUDES),
    "amplitude_cutoff": QualityMetric(_cutoff, {"amplitude_cutoff": ""}, ("amplitude_scalings",)),
    "noise_cutoff": QualityMetric(_noise_cutoff, {"noise_cutoff": "", "noise_ratio": ""}, _AMPLITUDES),
    "amplitude_median": QualityMetric(_median, {"amplitude_median": "uV"}, _AMPLITUDES),
    "drift": QualityMetric(_drift, {f"drift_{name}": "um" for name in ("ptp", "std", "mad")}, ("spike_locations",)),
    "sd_ratio": QualityMetric(_sd_ratio, {"sd_ratio": ""}, (*_AMPLITUDES, "templates", "noise_levels")),
    "mahalanobis": QualityMetric(_isolation, {"isolation_distance": "", "l_ratio": ""}, _COMPONENTS, "near"),
    "d_prime": QualityMetric(_isolation, {"d_prime": ""}, _COMPONENTS, "near"),
    "nearest_neighbor": QualityMetric(_isolation, {"nn_hit_rate": "", "nn_miss_rate": ""}, _COMPONENTS, "near"),
    "silhouette": QualityMetric(_isolation, {"silhouette": ""}, _COMPONENTS, "near"),
    "nn_advanced": QualityMetric(
        _advanced, {"nn_isolation": "", "nn_noise_overlap": ""}, ("waveforms", "noise_waveforms"), "near"
    ),
}
#: Metrics computed by default: all but the slow one, as in SpikeInterface.
DEFAULT = tuple(name for name in QUALITY_METRICS if name != "nn_advanced")


def metric_names(names: Iterable[str] | None) -> list[str]:
    """Metrics by their own names or those of their columns, in the order of the table.

    Raises
    ------
    ParameterError
        If a name is neither a metric nor a column.

    Examples
    --------
    >>> metric_names(["l_ratio", "snr"])
    ['snr', 'mahalanobis']
    """
    if names is None:
        return list(DEFAULT)
    of_column = {column: name for name, metric in QUALITY_METRICS.items() for column in metric.columns}
    known = {**of_column, **{name: name for name in QUALITY_METRICS}}
    given = [names] if isinstance(names, str) else list(names)
    for name in given:
        check_choice("metric", name, known)
    wanted = {known[name] for name in given}
    return [name for name in QUALITY_METRICS if name in wanted]


def needs_of(parameters: dict[str, Any]) -> tuple[str, ...]:
    """The extensions that the wanted metrics are computed from."""
    wanted = [QUALITY_METRICS[name] for name in metric_names(parameters["names"])]
    needed = [need for metric in wanted for need in metric.needs]
    if any(metric.about == "near" for metric in wanted):
        needed.append("sparsity")
    return tuple(dict.fromkeys(needed))


def quality(analysis: Analysis, rows: Rows, parameters: dict[str, Any]) -> xr.Dataset:
    """The node ``quality_metrics``: one column per metric column, by unit.

    Recomputed are units that changed, units whose neighbors changed if the metric depends on these, and all units if it
    depends on every spike.
    """
    name = "quality_metrics"
    names = metric_names(parameters["names"])
    changed = analysis.changed[name]
    about_near = any(QUALITY_METRICS[one].about == "near" for one in names)
    neighbors = _neighborhoods(analysis) if about_near else analysis.subject.unit_keys
    old = analysis.old(name, "neighborhood_key")
    near = changed if old is None else changed | (old != neighbors)
    every = np.ones(len(changed), bool)
    scope = {"own": changed, "near": near, "all": every}
    done: dict[Any, Columns] = {}
    columns: dict[str, Any] = {}

    def measure(metric: QualityMetric) -> None:
        done[metric.compute] = metric.compute(Facts(analysis, rows, scope[metric.about]))

    # Several metrics share a function; the slow one comes first, and the short ones fill the gaps in its work.
    functions = {QUALITY_METRICS[one].compute: QUALITY_METRICS[one] for one in names}
    ordered = sorted(functions.values(), key=lambda metric: metric.about != "near")
    run_as_ready({str(number): partial(measure, metric) for number, metric in enumerate(ordered)}, {})
    for one in names:
        metric = QUALITY_METRICS[one]
        units = scope[metric.about]
        for column, physical in metric.columns.items():
            values = done[metric.compute][column]
            known = analysis.old(name, column)
            merged = values if known is None else np.where(units, values, known)
            columns[column] = ("unit", merged.astype(values.dtype), {"units": physical} if physical else {})
    return xr.Dataset({**columns, "neighborhood_key": ("unit", neighbors)})


def _neighborhoods(analysis: Analysis) -> NDArray[np.int64]:
    """A number for each unit that depends on the units near it."""
    from .reading import channel_mask

    node, keys = analysis.nodes["sparsity"], analysis.subject.unit_keys
    mask = channel_mask(node["channel_index"].values, analysis.subject.n_channels)
    shared = mask.astype(np.int32) @ mask.T.astype(np.int32) > 0
    return np.array([content_key(np.sort(keys[row])) for row in shared], np.int64)
