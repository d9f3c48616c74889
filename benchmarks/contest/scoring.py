"""The scores of a sorting: SpikeInterface's comparison, and what it does not report.

A unit is *well detected* at an accuracy of 0.8, and *correct* if one minus its shares of false and of missed spikes is
at least as much; *found throughout* refers to the units with an SNR above 6 that are present for the whole recording. A
tested unit is *unmatched* if its agreement with every true unit is below 0.2, and *active* from 0.5 spikes a second.
Active unmatched units are artifacts (half of their spikes fall into movements or stimulation), fragments (half are
spikes of one true unit), far (half are spikes of the hash within 60 µm) or other.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .coincidence import (
    Train,
    doubles_across_units,
    doubles_of_one_unit,
    near,
    share_beyond_chance,
    untrue_doubles,
)
from .sets import Recorded

WELL, MATCH, PARTIAL = 0.8, 0.5, 0.2
ACTIVE_HZ, AGREE_MS, FAR_UM = 0.5, 0.4, 60.0
COINCIDENT_MS, COINCIDENT_UM = 1.0, 100.0
HIGH_SNR = 6.0
SNR_LIMITS = (0.0, 4.0, 6.0, 10.0, np.inf)
#: A piece of a true unit holds at least this share of its spikes, and consists of them to at least this share.
PIECE_SHARE, PIECE_PURITY = 0.05, 0.5
N_SPIKES_OF_PLACE, HALF_WINDOW = 150, 20


@dataclass(frozen=True)
class Found:
    """A sorting: samples in order, the unit of each spike, and which units are labelled good, if any labels exist."""

    sample: NDArray[np.int64]
    unit: NDArray[np.int64]
    n_units: int
    good: NDArray[np.bool_] | None = None

    def trains(self) -> dict[int, Train]:
        order = np.lexsort((self.sample, self.unit))
        counts = np.bincount(self.unit, minlength=self.n_units)
        return dict(enumerate(np.split(self.sample[order], np.cumsum(counts)[:-1]))) if self.n_units else {}

    def to_spikeinterface(self, rate_hz: float) -> Any:
        from spikeinterface import NumpySorting

        units = np.arange(self.n_units)
        return NumpySorting.from_samples_and_labels([self.sample], [self.unit], rate_hz, unit_ids=units)


def score(found: Found, recorded: Recorded) -> dict[str, Any]:
    """Everything that the tables report about a sorting, as plain numbers.

    Raises
    ------
    ValueError
        From SpikeInterface, if a spike lies outside the recording.
    """
    from spikeinterface import load

    recording = load(recorded.path)
    rate_hz, duration_s = recording.sampling_frequency, recording.get_total_duration()
    trains = found.trains()
    active = {u: t for u, t in trains.items() if len(t) / duration_s >= ACTIVE_HZ}
    out: dict[str, Any] = {
        "units": found.n_units,
        "active": len(active),
        "good": None if found.good is None else int(found.good.sum()),
        "double same": doubles_of_one_unit(trains, rate_hz),
    }
    places = peak_places(trains, recording, recorded)
    out["double across"], out["double chance"] = doubles_across_units(
        trains, places, rate_hz=rate_hz, duration_s=duration_s
    )
    truth = recorded.truth
    true_trains = {u: truth.get_unit_spike_train(u, segment_index=0).astype(np.int64) for u in truth.unit_ids}
    unmatched = list(trains)
    if true_trains:
        accuracy, unmatched = compared(found, truth, out)
        of_units(out, accuracy, recorded)
        coincident(out, found, true_trains, recorded)
        truly_double(out, true_trains, recorded)
        stands_for = {match: true_trains[u] for u, match in zip(true_trains, out["matches"], strict=True) if match >= 0}
        out["double untrue"] = untrue_doubles(trains, places, stands_for, rate_hz=rate_hz, agree_ms=AGREE_MS)
    if recorded.simulated_truth is not None:
        explained(out, {u: trains[u] for u in unmatched}, active, places, list(true_trains.values()), recorded)
    return out


def compared(found: Found, truth: Any, out: dict[str, Any]) -> tuple[NDArray[np.float64], list[int]]:
    """Compare with an exhaustive truth by SpikeInterface. Returns the true units' accuracy and the unmatched units."""
    from spikeinterface.comparison import compare_sorter_to_ground_truth

    n = len(truth.unit_ids)
    out["truth units"] = n
    if found.n_units == 0:
        extra = "false positive", "redundant", "overmerged", "split"
        zero = "accuracy", "recall", "precision", "well", "correct", *extra
        out |= dict.fromkeys(zero, 0) | {"matches": [-1] * n, "per unit": [0.0] * n, "pieces": [0] * n}
        return np.zeros(n), []
    tested = found.to_spikeinterface(truth.sampling_frequency)
    comparison = compare_sorter_to_ground_truth(
        truth, tested, exhaustive_gt=True, match_score=MATCH, delta_time=AGREE_MS
    )
    performance = comparison.get_performance().astype(float).fillna(0.0)
    accuracy = performance["accuracy"].to_numpy()
    agreement = comparison.agreement_scores.loc[truth.unit_ids, tested.unit_ids].to_numpy()
    events = comparison.match_event_count.loc[truth.unit_ids, tested.unit_ids].to_numpy()
    spikes = np.maximum(np.bincount(found.unit, minlength=found.n_units), 1)
    true_spikes = np.array(list(truth.count_num_spikes_per_unit().values()))
    pieces = (events >= PIECE_PURITY * spikes) & (events >= PIECE_SHARE * true_spikes[:, None])
    matches = comparison.hungarian_match_12.to_numpy().astype(int).tolist()
    out |= {
        "accuracy": float(accuracy.mean()),
        "recall": float(performance["recall"].mean()),
        "precision": float(performance["precision"].mean()),
        "well": int((accuracy >= WELL).sum()),
        "correct": int((performance["recall"] + performance["precision"] - 1 >= WELL).sum()),
        "false positive": comparison.count_false_positive_units(),
        "redundant": comparison.count_redundant_units(),
        "overmerged": comparison.count_overmerged_units(),
        "split": int((pieces.sum(axis=1) > 1).sum()),
        "pieces": pieces.sum(axis=1).tolist(),
        "per unit": [round(float(a), 4) for a in accuracy],
        "matches": matches,
    }
    matched = set(matches)
    return accuracy, [u for u in range(found.n_units) if u not in matched and agreement[:, u].max() < PARTIAL]


def of_units(out: dict[str, Any], accuracy: NDArray[np.float64], recorded: Recorded) -> None:
    """Scores by stratum of the true units: by their size, and by what our simulator tells of them."""
    snr, simulated = recorded.snr, recorded.simulated_truth
    info = [] if simulated is None else simulated.units_info()
    names = ("bursting", "partial", "positive")
    flags = {name: np.array([unit[name] for unit in info] or np.zeros(len(snr)), bool) for name in names}
    masks = {f"SNR {low:g}-{high:g}": (snr >= low) & (snr < high) for low, high in pairwise(SNR_LIMITS)} | flags
    masks["throughout"] = (snr > HIGH_SNR) & ~flags["partial"]
    masks["positive, SNR > 6"] = flags["positive"] & (snr > HIGH_SNR)
    if info:
        masks["overlapping"] = np.array([unit["overlap"] >= 0.8 for unit in info])
    out["strata"] = {
        name: {"units": int(mask.sum()), "well": int((accuracy[mask] >= WELL).sum())}
        | ({"accuracy": float(accuracy[mask].mean())} if mask.any() else {})
        for name, mask in masks.items()
    }


def coincident(out: dict[str, Any], found: Found, true_trains: dict[Any, Train], recorded: Recorded) -> None:
    """Recall of the spikes that fall within 1 ms of a spike of another true unit at most 100 µm away."""
    if recorded.simulated_truth is None:
        return
    position, rate_hz = recorded.simulated_truth.unit_positions, recorded.truth.sampling_frequency
    trains, n, hits, total = found.trains(), 0, 0, 0
    for index, (u, train) in enumerate(true_trains.items()):
        close = np.linalg.norm(position - position[index], axis=1) <= COINCIDENT_UM
        others = [t for v, t in true_trains.items() if v != u and close[int(v)]]
        mask = near(train, np.sort(np.concatenate([np.zeros(0, np.int64), *others])), COINCIDENT_MS * rate_hz / 1000)
        match = out["matches"][index]
        n, total = n + int(mask.sum()), total + len(train)
        if match in trains:
            hits += int(near(train[mask], trains[match], AGREE_MS * rate_hz / 1000).sum())
    out |= {"coincident": n / max(total, 1), "coincident recall": hits / n if n else None}


def truly_double(out: dict[str, Any], true_trains: dict[Any, Train], recorded: Recorded) -> None:
    """The same count of double spikes for the truth itself, since units that are driven together do fire together."""
    truth = recorded.simulated_truth
    if truth is None:
        return
    xy = truth.layout.xy[truth.peak_channels]
    places = {u: xy[int(u)] for u in true_trains}
    rate_hz = recorded.truth.sampling_frequency
    out["truth double across"], out["truth double chance"] = doubles_across_units(
        true_trains, places, rate_hz=rate_hz, duration_s=recorded.duration_s
    )


def explained(
    out: dict[str, Any],
    unmatched: dict[int, Train],
    active: dict[int, Train],
    places: dict[int, NDArray[np.float64]],
    true_trains: list[Train],
    recorded: Recorded,
) -> None:
    """Classify the unmatched units; artifacts are also counted among the units that are hardly active."""
    truth, rate_hz = recorded.simulated_truth, recorded.truth.sampling_frequency
    assert truth is not None
    edges, reach = truth.artifacts_s * rate_hz, AGREE_MS * rate_hz / 1000
    far = truth.far_spikes()
    order = np.argsort(far["sample"], kind="stable")
    far_sample, far_unit, far_xy = far["sample"][order], far["unit"][order], np.stack([far["x"], far["y"]], axis=1)
    kinds, artifacts = dict.fromkeys(("artifact", "fragment", "far", "other"), 0), 0
    for u, train in unmatched.items():
        inside = sum(np.searchsorted(train, end) - np.searchsorted(train, start) for start, end in edges)
        is_artifact = len(train) > 0 and inside >= len(train) / 2
        artifacts += is_artifact
        if u not in active:
            continue
        around = np.linalg.norm(far_xy - places[u], axis=1) <= FAR_UM
        if is_artifact:
            kinds["artifact"] += 1
        elif any(share_beyond_chance(train, other, reach, rate_hz) >= PIECE_PURITY for other in true_trains):
            kinds["fragment"] += 1
        elif len(far_unit) and share_beyond_chance(train, far_sample[around[far_unit]], reach, rate_hz) >= PIECE_PURITY:
            kinds["far"] += 1
        else:
            kinds["other"] += 1
    out |= {"unmatched active": sum(kinds.values()), "kinds": kinds, "artifact units": int(artifacts)}


def peak_places(trains: dict[int, Train], recording: Any, recorded: Recorded) -> dict[int, NDArray[np.float64]]:
    """Position of each unit's peak channel: the largest peak-to-peak value of the median waveform over the noise."""
    xy, n_samples = recording.get_channel_locations(), recording.get_num_samples()
    truth = recorded.simulated_truth
    weight = np.ones(len(xy)) if truth is None else 1.0 / np.maximum(truth.noise_per_channel_uv, 1e-3)
    if truth is not None:
        weight[truth.dead_channels] = 0.0
    rng, window = np.random.default_rng(0), np.arange(-HALF_WINDOW, HALF_WINDOW)
    places = {}
    for u, train in trains.items():
        inside = train[(train > HALF_WINDOW) & (train < n_samples - HALF_WINDOW)]
        if len(inside) == 0:
            places[u] = np.full(2, np.nan)
            continue
        chosen = np.sort(rng.choice(inside, min(N_SPIKES_OF_PLACE, len(inside)), replace=False))
        ends = [(s + window[0], s + window[-1] + 1) for s in chosen]
        waveforms = np.stack([recording.get_traces(start_frame=a, end_frame=b) for a, b in ends]).astype(np.float32)
        middle = np.median(waveforms - waveforms.mean(axis=1, keepdims=True), axis=0)
        places[u] = xy[int((np.ptp(middle, axis=0) * weight).argmax())]
    return places
