"""Templates that are sums of two units. Matching separates the two, and such a template would take their spikes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from .assign import SpikeColumns

#: Coincidences whose lags differ by less than this may fall into one cluster.
COINCIDENT_MS = 0.5


def sums_of_two(
    templates: xr.Dataset,
    counts: NDArray[np.integer[Any]] | NDArray[np.floating[Any]],
    *,
    matched: SpikeColumns | None = None,
    n_samples: int = 0,
) -> NDArray[np.void]:
    """Templates that are the sum of two others, as records of ``kernels.templates.composites.COMPOSITE``.

    ``counts`` are their numbers of spikes. From the ``matched`` spikes, and the number of samples of the recording,
    rare templates are also recognized as coincidences if their average is not a plain sum.
    """
    from ...kernels.templates.coincidences import missed_together
    from ...kernels.templates.composites import find_composites
    from ...match.settings import match_model

    model = match_model(templates, steps_per_sample=0)
    averaged = np.maximum(templates["num_averaged"].values, 1)
    used = (model["channels"] >= 0).sum(axis=1)
    names = ("energies", "pair_starts", "pair_units", "pair_overlaps")
    coincident = 0.0 if matched is None else COINCIDENT_MS * 1e-3 * float(templates.attrs["sampling_frequency"])
    sums = find_composites(
        counts=counts,
        chance=coincident / max(n_samples, 1),
        noise_energies=templates.sizes["sample"] * used / averaged,
        **{name: model[name] for name in names},  # type: ignore[literal-required]
    )
    if matched is None:
        return sums
    missed = missed_together(
        sums, matched["sample_index"], matched["unit_index"], counts=counts, duration_samples=n_samples
    )
    return sums[missed | ~sums["by_chance"]]


def log_of_sums(sums: Iterable[Any], *, step: str, reason: str) -> list[dict[str, Any]]:
    """Log entries for the records of sums."""
    return [{"step": step, "reason": reason, **{n: row[n].item() for n in row.dtype.names or ()}} for row in sums]
