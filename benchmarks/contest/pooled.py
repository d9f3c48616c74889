"""All seeds of a kind taken together: accuracies are averaged, units and spikes are counted."""

from collections.abc import Sequence
from typing import Any

from .kinds import KINDS
from .sets import parsed

Run = dict[str, Any]
#: Scores that are shares; the others are counts.
SHARES = ("accuracy", "recall", "precision", "coincident", "coincident recall")
#: Lists with an entry for each unit, and scores that cannot be pooled if one seed lacks them.
OF_UNITS = ("pieces", "per unit", "matches")


def pooled(runs: Sequence[Run]) -> list[Run]:
    """One run for each kind and sorter scored on every seed of the kind on which ours is scored; none for one seed.

    The set of such a run is called ``kind:10+11+12``.
    """
    done = [m for m in runs if m["state"] == "done" and "score" in m and KINDS[parsed(m["set"])[0]].role != "speed"]
    out = []
    for kind in dict.fromkeys(parsed(made["set"])[0] for made in done):
        own = [made for made in done if parsed(made["set"])[0] == kind]
        seeds = sorted({parsed(made["set"])[1] for made in own if made["sorter"] == "default"})
        if len(seeds) < 2:
            continue
        for sorter in dict.fromkeys(made["sorter"] for made in own):
            of_seed = {parsed(made["set"])[1]: made for made in own if made["sorter"] == sorter}
            if all(seed in of_seed for seed in seeds):
                chosen = [of_seed[seed] for seed in seeds]
                name = f"{kind}:{'+'.join(map(str, seeds))}"
                scores = together([made["score"] for made in chosen])
                out.append({**chosen[0], "set": name, "score": scores})
    return out


def together(scores: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The scores of several seeds as one.

    Examples
    --------
    >>> together([{"well": 3, "accuracy": 0.5, "strata": {"low": {"well": 1}}},
    ...           {"well": 4, "accuracy": 0.7, "strata": {"low": {"well": 2}}}])
    {'well': 7, 'accuracy': 0.6, 'strata': {'low': {'well': 3}}}
    """
    shared = [key for key in scores[0] if all(key in other for other in scores) and key not in OF_UNITS]
    out: dict[str, Any] = {}
    for key in shared:
        values = [score[key] for score in scores]
        if isinstance(values[0], dict):
            out[key] = together(values)
        elif any(value is None or isinstance(value, str) for value in values):
            out[key] = values[0] if all(value == values[0] for value in values) else None
        elif key in SHARES:
            out[key] = sum(values) / len(values)
        elif not isinstance(values[0], list):
            out[key] = sum(values)
    return out
