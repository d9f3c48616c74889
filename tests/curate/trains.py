"""Spike trains of a tree by the names of its units."""


def trains_of(tree):
    ids, spikes = tree["units"]["unit_id"].values.tolist(), tree["spikes"].dataset
    return {
        unit: spikes["sample_index"].values[spikes["unit_index"].values == k].tolist() for k, unit in enumerate(ids)
    }
