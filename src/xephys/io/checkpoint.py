"""``checkpoint``: compute the traces once, for a pipeline that branches from them."""

from __future__ import annotations

from pathlib import Path

import xarray as xr

from .. import schema
from ..recording.stages import recording_plan
from ..typing import PathLike


def checkpoint(recording: xr.DataArray, path: PathLike) -> xr.DataArray:
    """Write a recording's traces to a Zarr store, or reopen them if they are there already. Computes.

    A pipeline that branches (detection and waveforms from the same filtered traces) reads and filters twice, because
    the two share no task. A checkpoint makes the branch point a source of its own.

    Parameters
    ----------
    recording
        Traces with dims ``(time, channel)``.
    path
        The store. Its name gets the identity of the traces added, so that the same path never returns the traces of
        other parameters.

    Returns
    -------
    The same traces with the store as their source.

    Notes
    -----
    Traces after a checkpoint are padded at the recording's true ends once more, so samples within one halo of these
    may differ from those of the unbroken chain.

    Examples
    --------
    >>> import tempfile, xephys
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=2, n_channels=4, n_units=2, seed=0)
    >>> filtered = xephys.bandpass_filter(recording)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     stored = checkpoint(filtered, folder + "/filtered")
    ...     bool((stored.isel(time=slice(0, 100)) == filtered.isel(time=slice(0, 100))).all())
    True
    """
    from ..graph.checkpoint import content_token
    from .read.open import open_recording
    from .store.save import save_recording

    schema.validate_recording(recording)
    place = Path(path)
    store = place.with_name(f"{place.name}-{content_token(recording_plan(recording))}.zarr")
    stored = open_recording(store) if store.exists() else save_recording(recording, store)
    assert isinstance(stored, xr.DataArray)
    return schema.wrap_like(recording, stored.data, step="checkpoint")
