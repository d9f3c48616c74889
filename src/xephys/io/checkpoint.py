"""``checkpoint``: compute traces once, for a pipeline that branches from them."""

from __future__ import annotations

from pathlib import Path

import xarray as xr

from .. import schema
from ..errors import OutputError
from ..recording.stages import recording_plan
from ..typing import PathLike

#: Attribute of a stored recording: identity of the traces that the checkpoint wrote.
_TOKEN = "checkpoint"


def checkpoint(recording: xr.DataArray, path: PathLike) -> xr.DataArray:
    """Write a recording's traces to a Zarr store, or open the store if it already holds them. Computes.

    A pipeline that branches (detection and waveforms from the same filtered traces) reads and filters twice, because
    the branches share no task. A checkpoint turns the branch point into a source.

    Parameters
    ----------
    recording
        Traces with dims ``(time, channel)``.
    path
        Path of the store. A path that ends in ``.zarr`` is used as it is; to any other path the identity of the traces
        is appended, so that each set of parameters has its own store.

    Returns
    -------
    The same traces with the store as their source.

    Raises
    ------
    OutputError
        If the store at a path that ends in ``.zarr`` holds other traces.

    Notes
    -----
    At the two ends of the recording, traces after a checkpoint are padded again, so samples within one halo of the ends
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
    token = content_token(recording_plan(recording))
    named = place.suffix == ".zarr"
    store = place if named else place.with_name(f"{place.name}-{token}.zarr")
    if store.exists():
        stored = open_recording(store)
        if named and (isinstance(stored, xr.DataTree) or stored.attrs.get(_TOKEN) != token):
            raise OutputError(
                f"{store} holds other traces than these; give another path, one without .zarr (each set of parameters "
                "then gets its own store), or remove it"
            )
    else:
        stored = save_recording(recording.assign_attrs({_TOKEN: token}), store)
    assert isinstance(stored, xr.DataArray)
    return schema.wrap_like(recording, stored.data, step="checkpoint")
