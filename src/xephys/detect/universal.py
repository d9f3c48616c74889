"""Universal templates: every combination of place, envelope and learned shape, before any unit is known."""

from __future__ import annotations

import numpy as np
import xarray as xr

from .. import schema
from ..calls import operation
from ..checks import check_positive
from ..errors import ParameterError, RecordingError
from ..graph.events import SpikeTable
from ..graph.plan import Stage
from ..per_channel import bad_channels_of, check_these_channels, names_of_channels, positions_of
from ..recording.geometry import channel_groups
from ..recording.stages import recording_plan

#: A grid with more places points to a mistake in the geometry or the steps, and would need more memory than a chunk.
PLACES_MAX = 20_000


@operation
def universal_templates(
    recording: xr.DataArray,
    *,
    shapes: xr.Dataset,
    dmin: float | None = None,
    dminx: float = 32.0,
    min_template_size: float = 10.0,
    template_sizes: int = 5,
    nearest_chans: int = 10,
    nearest_templates: int = 100,
    max_channel_distance: float = 32.0,
) -> xr.Dataset:
    """Lay the grid of universal templates over the probe, shank by shank. Reads no samples.

    A template is the product of a place, an envelope ``exp(-(distance / size)²)`` over the contacts around it, and a
    shape in time. Envelope and shape have unit norm.

    Parameters
    ----------
    recording
        Recording whose geometry is used; channels marked ``bad`` are left out.
    shapes
        From :func:`learn_shapes`.
    dmin, dminx
        Twice the step of the grid along and across the probe, in µm. If None, ``dmin`` is the median distance between
        neighboring rows of contacts.
    min_template_size
        Smallest envelope size, in µm; the others are its multiples.
    template_sizes
        Number of sizes.
    nearest_chans
        Contacts per template.
    nearest_templates
        Number of neighboring places that compete for a spike.
    max_channel_distance
        Places farther than this from every contact are left out, in µm.

    Returns
    -------
    Dataset with ``place_x``, ``place_y (place)``, ``contact (place, slot)``, ``envelope (size, place, slot)``,
    ``neighbor (place, rank)`` and ``shape (shape, sample)``; attributes ``nbefore`` and ``n_channels``.

    Raises
    ------
    ParameterError
        If a number is outside its limits, or the grid has more than 20 000 places.
    RecordingError
        If positions are missing, or every channel is bad.

    Notes
    -----
    As in Kilosort4 (Pachitariu, Sridhar, Pennington & Stringer 2024, Nature Methods 21:914), except that each shank has
    a grid of its own.

    Examples
    --------
    >>> from xephys.features.shapes import standard_shapes
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=1, n_channels=8, n_units=2, seed=0)
    >>> templates = universal_templates(recording, shapes=standard_shapes(sampling_frequency=30_000.0))
    >>> templates.sizes["size"], templates.sizes["slot"]
    (5, 8)
    """
    from ..kernels.detect.universal_grid import count_places, row_distance, universal_grid

    check_positive(
        dminx=dminx,
        min_template_size=min_template_size,
        template_sizes=template_sizes,
        nearest_chans=nearest_chans,
        nearest_templates=nearest_templates,
        max_channel_distance=max_channel_distance,
    )
    if dmin is not None:
        check_positive(dmin=dmin)
    positions = positions_of(recording, why="a grid of universal templates")
    good = ~bad_channels_of(recording)
    if not good.any():
        raise RecordingError("every channel is marked bad, so no template has a place; check the coordinate bad")
    step = row_distance(positions[good]) if dmin is None else dmin
    groups = channel_groups(recording)
    shanks = np.zeros(len(positions), np.int64) if groups is None else groups
    n_places = count_places(positions, shanks=shanks, good=good, dmin=step, dminx=dminx)
    if n_places > PLACES_MAX:
        extent = np.ptp(positions[good], axis=0)
        raise ParameterError(
            f"dmin {step:g} and dminx {dminx:g} make a grid of {n_places:.0f} places, more than {PLACES_MAX}, on "
            f"a probe of {extent[0]:g} x {extent[1]:g} um (shanks: {len(np.unique(shanks[good]))}); give larger ones"
        )
    grid = universal_grid(
        positions,
        shanks=shanks,
        good=good,
        dmin=step,
        dminx=dminx,
        min_template_size=min_template_size,
        template_sizes=template_sizes,
        n_contacts=min(nearest_chans, int(good.sum())),
        n_competing=nearest_templates,
        max_channel_distance=max_channel_distance,
    )
    return xr.Dataset(
        {
            "place_x": ("place", grid.places[:, 0]),
            "place_y": ("place", grid.places[:, 1]),
            "contact": (("place", "slot"), grid.contacts),
            "envelope": (("size", "place", "slot"), grid.envelopes),
            "neighbor": (("place", "rank"), grid.neighbors),
            "shape": (("shape", "sample"), np.ascontiguousarray(shapes["shape"].values, np.float32)),
        },
        coords=names_of_channels(recording),
        attrs={"nbefore": int(shapes.attrs["nbefore"]), "n_channels": recording.sizes["channel"], "dmin_um": step},
    )


@operation
def detect_universal(
    recording: xr.DataArray,
    *,
    templates: xr.Dataset,
    detect_threshold: float = 9.0,
    exclude_sweep_samples: int | None = None,
) -> SpikeTable:
    """Detect spikes of either sign by universal templates, lazily.

    Parameters
    ----------
    recording
        Whitened traces with dims ``(time, channel)``.
    templates
        From :func:`universal_templates` on this probe.
    detect_threshold
        Minimum score of a spike, in units of the traces.
    exclude_sweep_samples
        Half width of the window in which only the largest score of a neighborhood is a spike; by default, the number of
        samples that the shapes extend before the spike.

    Returns
    -------
    Lazy table with ``sample_index`` (absolute, of the trough or crest), ``channel_index`` (where the shape fits best),
    ``amplitude`` (the score), ``segment_index``, ``place_index``, ``size_index``, ``shape_index``, ``sign`` and ``x``,
    ``y`` (µm). One task per chunk.

    Raises
    ------
    ParameterError
        If a number is outside its limits.
    RecordingError
        If the templates come from another probe.

    Examples
    --------
    >>> import xephys
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0)
    >>> filtered = xephys.bandpass_filter(recording)
    >>> white = xephys.whiten(filtered, whitening=xephys.estimate_whitening(filtered, n_nearest=4))
    >>> templates = universal_templates(white, shapes=xephys.learn_shapes(white))
    >>> detect_universal(white, templates=templates).fields[4:8]
    ('place_index', 'size_index', 'shape_index', 'sign')
    """
    from ..kernels.detect import universal as kernel

    check_positive(detect_threshold=detect_threshold)
    info = schema.validate_recording(recording)
    if int(templates.attrs["n_channels"]) != info.n_channels:
        raise RecordingError(
            f"the universal templates are for {templates.attrs['n_channels']} channels, the recording has "
            f"{info.n_channels}; make them for this probe"
        )
    check_these_channels(recording, templates, what="the universal templates")
    nbefore, n_samples = int(templates.attrs["nbefore"]), templates.sizes["sample"]
    sweep = max(1, nbefore) if exclude_sweep_samples is None else int(exclude_sweep_samples)
    check_positive(exclude_sweep_samples=sweep)
    before, after = kernel.universal_halo(n_samples=n_samples, nbefore=nbefore, exclude_sweep_samples=sweep)
    stage = Stage(
        kernel.detect_universal,
        dtype=kernel.UNIVERSAL_DTYPE,
        parameters={
            "nbefore": nbefore,
            "threshold": float(detect_threshold),
            "exclude_sweep_samples": sweep,
        },
        arrays={
            "shapes": templates["shape"].values,
            "contacts": templates["contact"].values,
            "envelopes": templates["envelope"].values,
            "neighbors": templates["neighbor"].values,
            "positions": positions_of(recording, why="detection by universal templates"),
        },
        before=before,
        after=after,
        emits="events",
    )
    return SpikeTable.of_plan(recording_plan(recording).then(stage))
