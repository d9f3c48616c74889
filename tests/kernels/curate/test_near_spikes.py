"""Near spikes beside SpikeInterface's."""

from __future__ import annotations

import numpy as np
import pytest
from spikeinterface.curation.curation_tools import find_duplicated_spikes

from xephys.kernels.curate.near_spikes import near_spikes


@pytest.mark.parametrize("method", ["keep_first", "keep_last", "keep_first_iterative", "keep_last_iterative"])
def test_each_train_equals_spikeinterfaces(method: str) -> None:
    rng = np.random.default_rng(0)
    parts = [np.sort(rng.integers(0, 2000, n)) for n in (300, 0, 1, 80)]
    gone = near_spikes(
        np.concatenate(parts), np.cumsum([0, *map(len, parts)]), 6, "last" in method, "iterative" in method
    )
    for train, mine in zip(parts, np.split(gone, np.cumsum([*map(len, parts)])[:-1]), strict=True):
        expected = find_duplicated_spikes(train, 6, method=method) if len(train) else np.zeros(0)
        assert np.flatnonzero(mine).tolist() == expected.tolist()
    assert gone.sum() > 50
