"""How well tracks agree with the truth of simulated sessions."""

import numpy as np


def outcome(tracks, truth):
    """Precision and recall of the pairs of units in one track, Brier score, share of units with a probable partner."""
    units = tracks["units"].to_dataset()
    neuron = np.array([truth.neuron[s][r] for s, r in zip(units["session"].values, units["row"].values, strict=True)])
    i, j = np.triu_indices(len(neuron), 1)
    apart = units["session"].values[i] != units["session"].values[j]
    same, joined = neuron[i] == neuron[j], units["track"].values[i] == units["track"].values[j]
    hits = (same & joined & apart).sum()
    pairs = tracks["pairs"].to_dataset()
    first, second, chance = (pairs[name].values for name in ("first", "second", "probability"))
    brier = ((chance - (neuron[first] == neuron[second])) ** 2).mean() if len(chance) else 0.0
    matched = np.unique(np.concatenate([first[chance >= 0.5], second[chance >= 0.5]]))
    return hits / max((joined & apart).sum(), 1), hits / max((same & apart).sum(), 1), brier, len(matched) / len(neuron)
