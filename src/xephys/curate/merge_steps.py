"""Steps of the search for units to be merged, one row each, and presets that are lists of steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..analysis.results import current_results
from ..analysis.subject import Subject
from ..errors import ParameterError


@dataclass
class Search:
    """State of a search over pairs of units.

    Attributes
    ----------
    subject
        Sorting and recording.
    nodes
        Results of the analysis by extension.
    pairs
        ``(pair, 2)``, all pairs of units.
    left
        Mask of the pairs that no step has rejected.
    scores
        Scores of each pair, NaN if a step was not evaluated.
    """

    subject: Subject
    nodes: dict[str, xr.Dataset]
    pairs: NDArray[np.int64]
    left: NDArray[np.bool_]
    scores: dict[str, NDArray[np.float64]] = field(default_factory=dict)

    @classmethod
    def of(cls, tree: xr.DataTree, recording: xr.DataArray | xr.DataTree) -> Search:
        """All pairs of units of an analyzed sorting."""
        subject = Subject.of(tree, recording)
        pairs = np.column_stack(np.triu_indices(subject.n_units, 1)).astype(np.int64)
        return cls(subject, current_results(tree), pairs, np.ones(len(pairs), bool))

    @property
    def num_spikes(self) -> NDArray[np.int64]:
        return np.bincount(self.subject.unit_index, minlength=self.subject.n_units).astype(np.int64)

    def samples(self, duration_ms: float) -> int:
        """A duration in samples."""
        return round(duration_ms * 1e-3 * self.subject.sampling_frequency)

    def trains(self, gap_samples: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Spikes train after train on one axis, with this gap between segments, and the start of each train."""
        subject = self.subject
        ends = np.cumsum(subject.n_samples + gap_samples + 1)
        shift = np.concatenate([[0], ends[:-1]]) - subject.first_samples
        samples = subject.sample_index + shift[subject.segment_index]
        order = np.argsort(subject.unit_index, kind="stable")
        return samples[order], np.concatenate([[0], np.cumsum(self.num_spikes)])

    def contaminations(self, parameters: dict[str, Any]) -> NDArray[np.float64]:
        """Contamination of each unit by violations of its refractory period."""
        from ..kernels.metrics.violations import near_pairs

        refractory, censored = self.periods(parameters)
        samples, bounds = self.trains(refractory)
        return self.contamination_of(
            near_pairs(samples, bounds[:-1], bounds[1:], refractory), self.num_spikes, refractory, censored
        )

    def periods(self, parameters: dict[str, Any]) -> tuple[int, int]:
        """Refractory and censored period in samples.

        Raises
        ------
        ParameterError
            If the censored period is not the shorter one.
        """
        refractory, censored = (self.samples(parameters[name]) for name in ("refractory_ms", "censored_ms"))
        if not 0 <= censored < refractory:
            raise ParameterError(
                f"censored_ms is {parameters['censored_ms']:g} and refractory_ms {parameters['refractory_ms']:g}; the "
                "first must be at least 0 and less than the second"
            )
        return refractory, censored

    def contamination_of(
        self, violations: NDArray[np.int64], num_spikes: NDArray[np.int64], refractory: int, censored: int
    ) -> NDArray[np.float64]:
        from ..kernels.metrics.violations import rp_contaminations

        return rp_contaminations(
            violations,
            num_spikes,
            total_samples=int(self.subject.n_samples.sum()),
            refractory_samples=refractory,
            censored_samples=censored,
        )

    def put(self, name: str, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Store a score of the remaining pairs; returns values for all pairs, NaN for the others."""
        scores = np.full(len(self.pairs), np.nan)
        scores[self.left] = values
        self.scores[name] = scores
        return scores

    def both(self, met: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Mask of the pairs of which both units meet a condition."""
        return np.asarray(met[self.pairs].all(axis=1))


def enough_spikes(search: Search, parameters: dict[str, Any]) -> NDArray[np.bool_]:
    return search.both(search.num_spikes >= parameters["n_spikes_min"])


def enough_snr(search: Search, parameters: dict[str, Any]) -> NDArray[np.bool_]:
    return search.both(~(search.nodes["quality_metrics"]["snr"].values < parameters["snr_min"]))


def clean_units(search: Search, parameters: dict[str, Any]) -> NDArray[np.bool_]:
    return search.both(~(search.contaminations(parameters) > parameters["contamination_max"]))


def near_units(search: Search, parameters: dict[str, Any]) -> NDArray[np.bool_]:
    node = search.nodes["unit_locations"]
    places = np.column_stack([node["x"].values, node["y"].values])[search.pairs[search.left]]
    distance = search.put("distance_um", np.linalg.norm(places[:, 0] - places[:, 1], axis=1))
    return np.asarray(distance <= parameters["distance_max_um"])


def similar_templates(search: Search, parameters: dict[str, Any]) -> NDArray[np.bool_]:
    similarity = search.nodes["template_similarity"]["similarity"].values
    left = search.pairs[search.left]
    difference = search.put("template_difference", 1 - similarity[left[:, 0], left[:, 1]])
    return np.asarray(difference < parameters["difference_max"])


def similar_correlograms(search: Search, parameters: dict[str, Any]) -> NDArray[np.bool_]:
    from ..kernels.curate.correlogram_difference import correlogram_differences, smoothed

    node = search.nodes["correlograms"]
    lags = node["bin"].values
    edges = np.append(lags, 2 * lags[-1] - lags[-2]) if len(lags) > 1 else lags
    values = smoothed(
        node["counts"].values, edges, censored_ms=parameters["censored_ms"], sigma_ms=parameters["sigma_ms"]
    )
    apart = correlogram_differences(
        values, search.num_spikes, search.pairs[search.left], window_share=parameters["window_share"]
    )
    return np.asarray(search.put("correlogram_difference", apart) < parameters["difference_max"])


def apart_in_time(search: Search, parameters: dict[str, Any]) -> NDArray[np.bool_]:
    from ..kernels.curate.pair_trains import presence_distances

    subject, bin_s = search.subject, parameters["bin_s"]
    bin_samples = bin_s * subject.sampling_frequency
    apart = []
    for segment, (n_samples, first) in enumerate(zip(subject.n_samples, subject.first_samples, strict=True)):
        n_bins = max(int(np.ceil(n_samples / bin_samples)) - 1, 1)  # the last bin is shorter and left out
        own = subject.segment_index == segment
        place = (subject.sample_index[own] - first) // bin_samples
        # A spike on the last edge belongs to the last bin.
        place = np.where(subject.sample_index[own] - first == n_bins * bin_samples, n_bins - 1, place).astype(np.int64)
        inside = place < n_bins
        flat = subject.unit_index[own][inside] * n_bins + place[inside]
        counts = np.bincount(flat, minlength=subject.n_units * n_bins).reshape(subject.n_units, n_bins)
        apart.append(presence_distances(counts, search.pairs[search.left], bin_s=bin_s))
    known = np.isfinite(apart)
    mean = np.where(known, apart, 0).sum(axis=0) / np.where(known.any(axis=0), known.sum(axis=0), np.nan)
    return np.asarray(search.put("presence_distance_s", mean) > parameters["distance_min_s"])


def among_neighbors(search: Search, parameters: dict[str, Any]) -> NDArray[np.bool_]:
    from ..kernels.curate.neighboring_units import count_neighbors

    places = search.nodes["spike_locations"]
    columns = [search.nodes["spike_amplitudes"]["amplitude"].values, places["x"].values, places["y"].values]
    counts = count_neighbors(
        np.column_stack(columns).astype(np.float64), search.subject.unit_index, n_units=search.subject.n_units,
        n_neighbors=parameters["n_neighbors"],
    )  # fmt: skip
    left = search.pairs[search.left]
    return np.asarray(search.put("n_neighboring_spikes", counts[left[:, 0], left[:, 1]].astype(np.float64)) > 0)


def few_foreign_spikes(search: Search, parameters: dict[str, Any]) -> NDArray[np.bool_]:
    from ..kernels.curate.pair_trains import count_near, cross_contaminations

    refractory, censored = search.periods(parameters)
    samples, bounds = search.trains(refractory)
    left = search.pairs[search.left]
    near = count_near(samples, bounds, left, refractory) - count_near(samples, bounds, left, censored)
    share, p_value = cross_contaminations(
        near,
        search.num_spikes,
        left,
        search.contaminations(parameters),
        total_samples=int(search.subject.n_samples.sum()),
        refractory_samples=refractory,
        contamination_max=parameters["contamination_max"],
    )
    search.put("cross_contamination", share)
    return np.asarray(search.put("cross_contamination_p", p_value) > parameters["p_min"])


def better_together(search: Search, parameters: dict[str, Any]) -> NDArray[np.bool_]:
    from ..kernels.curate.pair_trains import merged_violations

    refractory, censored = search.periods(parameters)
    samples, bounds = search.trains(refractory)
    left = search.pairs[search.left]
    number, violations = merged_violations(samples, bounds, left, censored, refractory)
    weight = 1 + parameters["contamination_weight"]
    duration_s = int(search.subject.n_samples.sum()) / search.subject.sampling_frequency
    alone = search.num_spikes / duration_s * (1 - weight * search.contaminations(parameters))
    merged = number / duration_s * (1 - weight * search.contamination_of(violations, number, refractory, censored))
    gain = search.put("quality_gain", merged - alone[left].max(axis=1, initial=-np.inf))
    return ~(gain < 0)


def slay_score(search: Search, parameters: dict[str, Any]) -> NDArray[np.bool_]:
    from ..kernels.curate.slay import PERIODS, correlogram_significances, shared_refractoriness

    node = search.nodes["correlograms"]
    left, lags = search.pairs[search.left], node["bin"].values
    if len(lags) < 2 * PERIODS[-1]:
        raise ParameterError(
            f"correlograms have {len(lags)} bins and slay_score needs {2 * PERIODS[-1]}; give a longer window_ms or a "
            "shorter bin_ms"
        )
    counts, bin_ms = node["counts"].values[left[:, 0], left[:, 1]], float(lags[1] - lags[0])
    similarity = search.nodes["template_similarity"]["similarity"].values[left[:, 0], left[:, 1]]
    score = (
        similarity
        + parameters["correlogram_weight"] * correlogram_significances(counts, bin_ms=bin_ms)
        - parameters["refractory_weight"] * shared_refractoriness(counts, bin_ms=bin_ms)
    )
    return np.asarray(search.put("slay_score", score) > parameters["score_min"])


class Step(NamedTuple):
    """A row: which pairs stay, the extensions and parameters needed, and the condition in words."""

    keeps: Callable[[Search, dict[str, Any]], NDArray[np.bool_]]
    needs: tuple[str, ...]
    parameters: dict[str, Any]
    doc: str


_PERIODS = {"refractory_ms": 1.0, "censored_ms": 0.3}

#: Every step by SpikeInterface's name.
STEPS: dict[str, Step] = {
    "num_spikes": Step(enough_spikes, (), {"n_spikes_min": 100}, "both units have enough spikes"),
    "snr": Step(enough_snr, ("quality_metrics",), {"snr_min": 2.0}, "both stand out of the noise"),
    "remove_contaminated": Step(
        clean_units, (), {"contamination_max": 0.2, **_PERIODS}, "neither is contaminated by itself"
    ),
    "unit_locations": Step(near_units, ("unit_locations",), {"distance_max_um": 150.0}, "they are near each other"),
    "template_similarity": Step(
        similar_templates,
        ("template_similarity",),
        {"method": "l1", "difference_max": 0.25},
        "their templates are similar",
    ),
    "correlogram": Step(
        similar_correlograms,
        ("correlograms",),
        {"difference_max": 0.16, "censored_ms": 0.15, "sigma_ms": 0.6, "window_share": 0.5},
        "the cross-correlogram is like both autocorrelograms",
    ),
    "presence_distance": Step(
        apart_in_time, (), {"distance_min_s": 100.0, "bin_s": 2.0}, "they are there at different times"
    ),
    "knn": Step(
        among_neighbors,
        ("spike_locations", "spike_amplitudes"),
        {"n_neighbors": 10},
        "spikes of the one are among the nearest of the other's, by place and amplitude",
    ),
    "cross_contamination": Step(
        few_foreign_spikes,
        (),
        {"contamination_max": 0.1, "p_min": 0.2, **_PERIODS},
        "coincidences do not say that the second is foreign to the first",
    ),
    "quality_score": Step(
        better_together,
        (),
        {"contamination_weight": 1.5, **_PERIODS},
        "rate, less what contamination takes away, is not lower than that of either",
    ),
    "slay_score": Step(
        slay_score,
        ("correlograms", "template_similarity"),
        {"correlogram_weight": 0.25, "refractory_weight": 1.0, "score_min": 0.5},
        "similarity, the cross-correlogram and a shared refractory period together",
    ),
}

_FIRST = ("num_spikes", "remove_contaminated", "unit_locations", "template_similarity")
#: SpikeInterface's presets.
PRESETS: dict[str, tuple[str, ...]] = {
    "similarity_correlograms": (*_FIRST, "correlogram", "quality_score"),
    "temporal_splits": (*_FIRST, "presence_distance", "quality_score"),
    "x_contaminations": (*_FIRST, "cross_contamination", "quality_score"),
    "feature_neighbors": ("num_spikes", "snr", "remove_contaminated", "unit_locations", "knn", "quality_score"),
    "slay": ("template_similarity", "slay_score"),
}
