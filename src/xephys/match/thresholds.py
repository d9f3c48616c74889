"""A threshold for each template, at which misses and false alarms balance."""

from __future__ import annotations

from functools import partial

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..calls import operation
from ..checks import check_positive
from ..graph.columns import Records, load_columns
from ..graph.local import map_in_threads
from ..recording.excerpts import Excerpts, excerpts_of_these
from ..templates.average import check_same_probe
from ..templates.low_rank import low_rank

#: Range of the thresholds of single templates, as multiples of the usual threshold.
LOWEST, HIGHEST = 0.8, 1.3


@operation
def balance_thresholds(
    recording: xr.DataArray,
    spikes: Records,
    *,
    templates: xr.Dataset,
    match_threshold: float = 5.0,
    noise_gain: float = 1.0,
    amplitude_std: float = 0.1,
    rank: int = 5,
    n_channels_max: int = 64,
    excerpts: Excerpts | None = None,
    seed: int = 0,
    moving: bool = False,
) -> NDArray[np.float64]:
    """Thresholds at which each template's missed spikes and false alarms together are fewest. Computes.

    No single threshold suits all units. For a small unit in quiet surroundings, the usual threshold refuses many
    spikes; where many other units have similar spikes, it admits false ones. Both show in the scores of matches at a
    lower threshold: spikes are distributed around the template's size, false alarms fall off from the threshold.

    Parameters
    ----------
    recording
        Whitened traces (unit noise), on which the spikes were matched.
    spikes
        Matches of :func:`match_templates` with ``0.8 * match_threshold``: records with ``unit_index`` and
        ``amplitude``, in memory or on disk.
    templates, noise_gain, amplitude_std, rank, n_channels_max
        Templates and settings of that match.
    match_threshold
        Threshold of templates with too few matches to tell; the others get between 0.8 and 1.3 times this.
    excerpts
        Excerpts of these same traces, from :func:`sample_traces`; drawn here if None.
    seed
        Seed for drawing them.
    moving
        Whether the templates moved. ``templates`` are then those at rest, ``spikes`` also have a ``gain``, and the
        energy of a template where a spike was matched follows from that spike's amplitude and gain.

    Returns
    -------
    float64 (unit,), for :func:`match_templates`, or for comparison with the square root of ``gain``.

    Examples
    --------
    >>> import numpy as np, xephys
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0)
    >>> spikes = np.array([(1000, 0), (2000, 0)], [("sample_index", "i8"), ("unit_index", "i8")])
    >>> templates = xephys.estimate_templates(recording, spikes, peak_channels=np.array([3]))
    >>> matched = xephys.match_templates(recording, templates=templates, match_threshold=4.0).compute()
    >>> bool(4 <= balance_thresholds(recording, matched, templates=templates)[0] <= 6.5)
    True
    """
    from ..kernels.match.presence import energies_of_matches
    from ..kernels.match.scores import noise_gains
    from ..kernels.match.thresholds import balanced_thresholds

    check_positive(match_threshold=match_threshold, noise_gain=noise_gain, amplitude_std=amplitude_std)
    check_same_probe(recording, templates)
    temporal, spatial, channels = low_rank(templates, rank=rank, n_channels_max=n_channels_max)
    energies = np.einsum("urk,urk->u", spatial, spatial, dtype=np.float64)
    factors = {"temporal": temporal, "spatial": spatial, "channels": channels, "energies": energies}
    parts = excerpts_of_these(recording, excerpts, n_slices=6, seed=seed)
    gains = np.median(map_in_threads(partial(noise_gains, **factors), parts), axis=0)
    units, amplitudes = load_columns(spikes, unit_index=np.int32, amplitude=np.float64)
    matched_energies = None
    if moving:
        matched = {"noise_gain": noise_gain, "amplitude_std": amplitude_std}
        (matched_gains,) = load_columns(spikes, gain=np.float64)
        matched_energies = energies_of_matches(amplitudes, matched_gains, **matched)
    return balanced_thresholds(
        units,
        amplitudes,
        energies=energies,
        gains=gains,
        noise_gain=noise_gain,
        match_threshold=match_threshold,
        lowest=LOWEST,
        highest=HIGHEST,
        amplitude_std=amplitude_std,
        spike_energies=matched_energies,
        each=map_in_threads,
    )
