"""A hybrid recording: performance is that of the injected units alone."""

from __future__ import annotations

import numpy as np
import pytest
from spikeinterface.comparison import compare_sorter_to_ground_truth as theirs_of

from xephys.comparison.hybrid import compare_hybrid
from xephys.errors import ParameterError

from .trains import numpy_sorting


def sortings(seed: int) -> tuple[object, object, object]:
    """Three injected units, one merged with an earlier unit; of four earlier units one is lost; and one new unit."""
    rng = np.random.default_rng(seed)
    injected = [np.sort(rng.choice(300_000, 200, replace=False)) for _ in range(3)]
    earlier = [np.sort(rng.choice(300_000, 220, replace=False)) for _ in range(4)]
    found = {
        0: injected[0][:150], 1: injected[1], 2: np.concatenate([injected[2], earlier[0]]), 3: earlier[1],
        4: earlier[2], 5: rng.choice(300_000, 100, replace=False),
    }  # fmt: skip
    return (
        numpy_sorting([dict(enumerate(injected))]),
        numpy_sorting([dict(found)]),
        numpy_sorting([{10 + k: train for k, train in enumerate(earlier)}]),
    )


@pytest.mark.parametrize("seed", range(3))
def test_kinds_and_performance(seed: int) -> None:
    injected, tested, earlier = sortings(seed)
    ours = compare_hybrid(injected, tested, earlier, match_score=0.4)
    theirs = theirs_of(injected, tested, exhaustive_gt=False, match_score=0.4)
    pooled = theirs.get_performance(method="pooled_with_average")
    for name in pooled.index:
        assert ours.summary[name] == pytest.approx(pooled[name])
    kinds = dict(zip(ours.tested_units["tested_unit"].values.tolist(), ours.tested_units["kind"].values, strict=True))
    assert kinds == {0: "injected", 1: "injected", 2: "merged", 3: "earlier", 4: "earlier", 5: "new"}
    assert ours.summary["num_lost"] == 1 and ours.summary["num_merged"] == 1
    assert ours.tested_units["earlier_unit"].values.tolist() == ["", "", "10", "11", "12", ""]


def test_without_an_earlier_sorting() -> None:
    injected, tested, _ = sortings(0)
    ours = compare_hybrid(injected, tested)
    assert set(ours.tested_units["kind"].values) == {"injected", "new"} and "num_lost" not in ours.summary
    with pytest.raises(ParameterError, match="exhaustive_gt"):
        ours.injected.get_bad_units()
