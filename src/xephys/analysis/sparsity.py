"""The channels of a unit: its peak channel, the channels on which it is kept, and the sample at which it peaks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..checks import check_choice, check_positive
from ..errors import ParameterError
from ..recording.geometry import channel_groups, padded
from .reading import Reading, read_spikes
from .results import Analysis
from .subject import Subject

#: Window and number of spikes from which channels are found if the sorting does not name them.
SCOUT_MS, SCOUT_SPIKES = 0.5, 100


class Prior(NamedTuple):
    """Dense templates known before the pass ``(unit, sample, channel)``, and the number of samples before the spike."""

    templates: NDArray[np.float32]
    nbefore: int


def prior_templates(subject: Subject) -> Prior | None:
    """The templates of the sorting's own node; None if there are none, or the recording is in another unit."""
    node = subject.sorting.children.get("templates")
    if node is None or "templates" not in node.dataset or subject.recording.attrs.get("units") != "uV":
        return None
    templates = node.dataset["templates"]
    if templates.sizes["channel"] != subject.n_channels:
        return None
    return Prior(np.asarray(templates.values, np.float32), int(templates.attrs.get("nbefore", 0)))


def scouted_templates(subject: Subject, units: NDArray[np.bool_], *, seed: int) -> Prior:
    """Means of up to a hundred spikes per unit on all channels, from a few tiles of the recording. Computes."""
    from ..kernels.analysis.choice import chosen_spikes, spike_lots

    rate = subject.sampling_frequency
    n = round(SCOUT_MS * 1e-3 * rate)
    lots = spike_lots(subject.sample_index // round(rate), subject.segment_index, seed=seed)
    chosen = chosen_spikes(subject.unit_index, lots, n_units=subject.n_units, n_spikes_max=SCOUT_SPIKES)
    chosen &= units[subject.unit_index]
    everywhere = np.tile(np.arange(subject.n_channels, dtype=np.int32), (subject.n_units, 1))
    found = read_spikes(
        subject,
        Reading(
            wanted=np.zeros(subject.n_spikes, bool), chosen=chosen, channels=everywhere, nbefore=n, nafter=n,
            averages=True, spreads=False,
        ),
    )  # fmt: skip
    if "sums" not in found:
        return Prior(np.zeros((subject.n_units, 2 * n, subject.n_channels), np.float32), n)
    means = found["sums"] / np.maximum(found["counts"], 1)[:, None, None]
    return Prior(means.astype(np.float32), n)


def find_channels(analysis: Analysis, changed: NDArray[np.bool_], parameters: dict[str, Any]) -> xr.Dataset:
    """The node ``sparsity``: ``peak_channel`` and ``channel_index (unit, slot)``, ascending and padded with -1."""
    subject = analysis.subject
    method = parameters["method"]
    check_choice("method", method, METHODS)
    check_positive(**{k: v for k, v in parameters.items() if k in ("radius_um", "n_channels_max", "threshold")})
    prior = prior_templates(subject)
    columns = subject.sorting["units"].dataset
    known = columns["channel_index"].values.astype(np.int64) if "channel_index" in columns else None
    if prior is None and (known is None or METHODS[method].templates):
        prior = scouted_templates(subject, changed, seed=analysis.settings.seed)
    peak = known if known is not None else np.abs(prior.templates).max(axis=1).argmax(axis=1)  # type: ignore[union-attr]
    if len(peak) and not 0 <= peak.min() <= peak.max() < subject.n_channels:
        raise ParameterError(
            f"units name channels {peak.min()} to {peak.max()} and the recording has {subject.n_channels}; give the "
            "recording that was sorted"
        )
    mask = METHODS[method].mask(subject, peak, prior, parameters)
    mask[np.arange(len(peak)), peak] = True
    channels = padded([np.flatnonzero(row) for row in mask]) if len(mask) else np.zeros((0, 1), np.int32)
    return xr.Dataset(
        {
            "peak_channel": ("unit", analysis.by_unit("sparsity", "peak_channel", peak)),
            "channel_index": (
                ("unit", "slot"), analysis.by_unit("sparsity", "channel_index", channels.astype(np.int32), fill=-1)
            ),
        }
    )  # fmt: skip


class Sparsity(NamedTuple):
    """A method: computes the mask ``(unit, channel)`` from peak channels and templates; may need templates."""

    mask: Callable[[Subject, NDArray[np.int64], Prior | None, dict[str, Any]], NDArray[np.bool_]]
    templates: bool


def _distances(subject: Subject, peak: NDArray[np.int64]) -> NDArray[np.float64]:
    """Distance of each channel from a unit's peak channel; infinite for channels of another shank or group."""
    distances = np.linalg.norm(subject.positions[peak][:, None] - subject.positions[None], axis=2)
    groups = channel_groups(subject.recording)
    if groups is not None:
        distances[groups[peak][:, None] != groups[None]] = np.inf
    return np.asarray(distances)


def _radius(subject: Subject, peak: NDArray[np.int64], prior: Prior | None, given: dict[str, Any]) -> Any:
    return _distances(subject, peak) <= given["radius_um"]


def _closest(subject: Subject, peak: NDArray[np.int64], prior: Prior | None, given: dict[str, Any]) -> Any:
    distances = _distances(subject, peak)
    return _first(distances, given["n_channels_max"]) & np.isfinite(distances)


def _best(subject: Subject, peak: NDArray[np.int64], prior: Prior | None, given: dict[str, Any]) -> Any:
    assert prior is not None
    return _first(-np.abs(prior.templates).max(axis=1), given["n_channels_max"])


def _snr(subject: Subject, peak: NDArray[np.int64], prior: Prior | None, given: dict[str, Any]) -> Any:
    assert prior is not None
    return np.abs(prior.templates).max(axis=1) / _noise(subject) >= given["threshold"]


def _amplitude(subject: Subject, peak: NDArray[np.int64], prior: Prior | None, given: dict[str, Any]) -> Any:
    assert prior is not None
    return np.abs(prior.templates).max(axis=1) >= given["threshold"]


def _energy(subject: Subject, peak: NDArray[np.int64], prior: Prior | None, given: dict[str, Any]) -> Any:
    assert prior is not None
    energy = np.sqrt((prior.templates.astype(np.float64) ** 2).sum(axis=1))
    return energy / (_noise(subject) * np.sqrt(prior.templates.shape[1])) >= given["threshold"]


def _property(subject: Subject, peak: NDArray[np.int64], prior: Prior | None, given: dict[str, Any]) -> Any:
    name = given["by_property"]
    if name not in subject.recording.coords:
        raise ParameterError(f"by_property is {name!r} and the channels have no such coordinate; assign it on channel")
    labels = np.asarray(subject.recording.coords[name].values)
    return labels[peak][:, None] == labels[None]


def _all(subject: Subject, peak: NDArray[np.int64], prior: Prior | None, given: dict[str, Any]) -> Any:
    return np.ones((len(peak), subject.n_channels), bool)


def _first(order_by: NDArray[Any], n: int) -> NDArray[np.bool_]:
    mask = np.zeros(order_by.shape, bool)
    np.put_along_axis(mask, np.argsort(order_by, axis=1, kind="stable")[:, :n], True, axis=1)
    return mask


def _noise(subject: Subject) -> NDArray[np.float64]:
    from ..preprocess.noise import estimate_noise_levels

    return np.asarray(estimate_noise_levels(subject.recording).values, np.float64)


#: One row per method.
METHODS = {
    "radius": Sparsity(_radius, False),
    "closest_channels": Sparsity(_closest, False),
    "best_channels": Sparsity(_best, True),
    "snr": Sparsity(_snr, True),
    "amplitude": Sparsity(_amplitude, True),
    "energy": Sparsity(_energy, True),
    "by_property": Sparsity(_property, False),
    "all": Sparsity(_all, False),
}
