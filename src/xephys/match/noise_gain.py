"""Amount of noise in the scores of template matching."""

from __future__ import annotations

from functools import partial

import numpy as np
import xarray as xr

from ..calls import operation
from ..graph.local import map_in_threads
from ..recording.excerpts import Excerpts, excerpts_of_these
from ..templates.average import check_same_probe
from ..templates.low_rank import low_rank


@operation
def estimate_noise_gain(
    recording: xr.DataArray,
    *,
    templates: xr.Dataset,
    rank: int = 5,
    n_channels_max: int = 64,
    excerpts: Excerpts | None = None,
    seed: int = 0,
) -> float:
    """Variance of the noise along the templates, relative to white noise of the same variance. Computes.

    Filtered noise has fewer independent samples than white noise, and is therefore stronger along a template: by about
    2.8 after a band-pass of 300 to 6000 Hz at 30 kHz.

    Parameters
    ----------
    recording
        Whitened traces (unit noise), on which the templates were estimated.
    templates, rank, n_channels_max
        As for :func:`match_templates`.
    excerpts
        Excerpts of these same traces, from :func:`sample_traces`; drawn here if None.
    seed
        Seed for drawing them.

    Returns
    -------
    The median over templates and excerpts; at least 1.

    Examples
    --------
    >>> import numpy as np, xephys
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0)
    >>> spikes = np.array([(1000, 0), (2000, 0)], [("sample_index", "i8"), ("unit_index", "i8")])
    >>> templates = xephys.estimate_templates(recording, spikes, peak_channels=np.array([3]))
    >>> estimate_noise_gain(recording, templates=templates) >= 1
    True
    """
    from ..kernels.match.scores import estimate_noise_gain as kernel

    check_same_probe(recording, templates)
    temporal, spatial, channels = low_rank(templates, rank=rank, n_channels_max=n_channels_max)
    # The time courses are orthonormal, so the energy is in the patterns.
    factors = {
        "temporal": temporal,
        "spatial": spatial,
        "channels": channels,
        "energies": np.einsum("urk,urk->u", spatial, spatial, dtype=np.float64),
    }
    parts = excerpts_of_these(recording, excerpts, n_slices=6, seed=seed)
    gains = map_in_threads(partial(kernel, **factors), parts)
    return max(1.0, float(np.median(gains)))
