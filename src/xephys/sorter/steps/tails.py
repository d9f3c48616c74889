"""Units that noise alone could have made, and whether the scores of their matches tell of a neuron."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ...graph.columns import Records, load_columns

#: Threshold crossings of noise have features whose mean has a norm of 4.5 times the noise to the second figure, and so
#: have small neurons whose larger spikes were detected. Where units are judged at the end, only clusters of matched
#: spikes below the first are dropped at once: matching finds the smaller spikes too, so that the mean becomes smaller.
STRENGTH_MIN, STRENGTH_OF_CROSSINGS = 5.0, 6.0
#: What a unit no larger than crossings needs: evidence for a neuron for each match, as a logarithm of the odds.
#: 0.29 to 1.95 was seen of simulated neurons, and -0.02 to 0.17 of units made by noise and by neurons far away.
EVIDENCE_MIN = 0.2


class Weakest(NamedTuple):
    """What was matched at a threshold below the usual one, and the units that it judges.

    Attributes
    ----------
    matches
        Records with ``unit_index`` and ``gain``.
    threshold
        Nothing was matched below this.
    judged
        Mask of the templates that are judged; all if None.
    evidence_min
        A judged unit is kept if the evidence for a neuron is at least this for each match, as a logarithm of the odds.
    """

    matches: Records
    threshold: float
    judged: NDArray[np.bool_] | None = None
    evidence_min: float = 0.0


def strength_of(templates: xr.Dataset, components: xr.DataArray, *, feature_noise: float) -> NDArray[np.float64]:
    """Norm of the projections of each template, in units of the ``feature_noise``, as for a cluster's mean."""
    waveforms, basis = templates["waveform"].values.astype(np.float64), components.values.astype(np.float64)
    projections = np.einsum("ks,usc->ukc", basis, waveforms, optimize=True)
    return np.asarray(np.sqrt((projections**2).sum(axis=(1, 2))) / feature_noise)


def only_weak(weakest: Weakest, templates: xr.Dataset, *, components: xr.DataArray, feature_noise: float) -> Weakest:
    """The same matches, by which only units are judged that are so weak that noise could have made them."""
    strength = strength_of(templates, components, feature_noise=feature_noise)
    return weakest._replace(judged=strength < STRENGTH_OF_CROSSINGS, evidence_min=EVIDENCE_MIN)


def without_neuron(weakest: Weakest, target: NDArray[np.int64], alive: NDArray[np.bool_]) -> dict[int, float]:
    """The units among those ``alive`` whose scores do not tell of a neuron, and the evidence for one.

    ``target`` is the unit of each template; a unit is judged if its own template is.
    """
    from ...kernels.match.tails import evidence_by_unit

    units = np.flatnonzero(alive if weakest.judged is None else alive & weakest.judged)
    if not units.size:
        return {}
    templates, gains = load_columns(weakest.matches, unit_index=np.int32, gain=np.float64)
    own, scores = target.astype(np.int32)[templates], np.sqrt(gains, out=gains)
    evidence = evidence_by_unit(scores, own, units, weakest.threshold, per_match_min=weakest.evidence_min)
    fails = evidence < weakest.evidence_min
    return dict(zip(units[fails].tolist(), evidence[fails].tolist(), strict=True))
