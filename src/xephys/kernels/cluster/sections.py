"""Cut the probe into overlapping sections that are clustered separately, and assemble their features.

A section owns the channels of its core and also sees the spikes of a margin around it. A unit whose largest channel
varies from spike to spike is thus seen completely by the section that owns it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Section(NamedTuple):
    """Channels clustered together: spikes are taken from ``core`` and ``margin``, units kept from ``core``."""

    core: NDArray[np.int32]
    margin: NDArray[np.int32]


def spatial_sections(
    positions: NDArray[np.float64], *, core_um: float = 40.0, margin_um: float = 30.0
) -> list[Section]:
    """Cut a probe into cells of at most ``core_um`` on a side, each with a margin around it.

    Channels are first separated at horizontal gaps wider than ``core_um`` (shanks, distant columns). Then each group is
    cut into equal intervals of x and of y.

    Parameters
    ----------
    positions : (n_channels, 2 or 3) float64
        Contact positions in µm; the first two columns are used.
    core_um, margin_um : float
        Maximum side of a core, and reach of its margin.

    Returns
    -------
    sections : list of Section
        In order of x, then y. Each channel is in exactly one core. Channel numbers are sorted, int32.

    Raises
    ------
    ValueError
        If a length is not positive, or the positions are not finite.

    Examples
    --------
    >>> import numpy as np
    >>> positions = np.array([[0.0, 20.0 * i] for i in range(4)])
    >>> [(s.core.tolist(), s.margin.tolist()) for s in spatial_sections(positions, core_um=40, margin_um=25)]
    [([0, 1], [2]), ([2, 3], [1])]
    """
    if core_um <= 0 or margin_um < 0:
        raise ValueError(f"core_um is {core_um} and margin_um {margin_um}: give a positive core and margin >= 0.")
    if not np.isfinite(positions).all():
        raise ValueError("Some contact positions are not finite: sections need the x and y of every channel.")
    x, y = positions[:, 0], positions[:, 1]
    cells: list[NDArray[np.intp]] = []
    if len(positions):
        order = np.argsort(x, kind="stable")
        gaps = np.flatnonzero(np.diff(x[order]) > core_um) + 1
        for shank in np.split(order, gaps):
            for column in _intervals(shank, x, core_um):
                cells.extend(_intervals(column, y, core_um))
    sections = []
    for cell in cells:
        # Distance to the nearest channel of the core, so that the margin follows the core's outline.
        distance = np.hypot(x[:, None] - x[cell], y[:, None] - y[cell]).min(axis=1)
        distance[cell] = np.inf
        margin = np.flatnonzero(distance <= margin_um)
        sections.append(Section(np.sort(cell).astype(np.int32), margin.astype(np.int32)))
    return sections


def centered_sections(
    positions: NDArray[np.float64],
    *,
    shanks: NDArray[np.integer],
    height_um: float,
    margin_um: float = 0.0,
    n_x_centers: int | None = None,
) -> list[Section]:
    """Cut each shank into columns around centers in x, and these into cells of at most ``height_um``.

    Parameters
    ----------
    positions : (n_channels, 2 or 3) float64
        Contact positions in µm; the first two columns are used.
    shanks : (n_channels,) int
        Shank of each contact; no section extends beyond one.
    height_um, margin_um : float
        Maximum height of a core, and reach of its margin; 0 for sections that do not overlap.
    n_x_centers : int, optional
        Columns of each shank, centered by k-means on the contacts' x; by default, one per 50 µm.

    Returns
    -------
    sections : list of Section
        Each channel is in exactly one core.

    Raises
    ------
    ValueError
        If a length or a number is not positive.

    Examples
    --------
    >>> positions = np.array([[0.0, 0], [300, 0], [0, 20], [300, 20]])
    >>> parts = centered_sections(positions, shanks=np.zeros(4, int), height_um=40, n_x_centers=2)
    >>> [s.core.tolist() for s in parts]
    [[0, 2], [1, 3]]
    """
    if height_um <= 0 or margin_um < 0 or (n_x_centers is not None and n_x_centers < 1):
        raise ValueError(
            f"height_um is {height_um}, margin_um {margin_um} and n_x_centers {n_x_centers}: give a positive height, "
            "a margin >= 0 and at least one center."
        )
    sections = []
    for shank in np.unique(shanks):
        own = np.flatnonzero(shanks == shank)
        x = positions[own, 0]
        wanted = max(1, round(float(np.ptp(x)) / 50.0)) if n_x_centers is None else n_x_centers
        column = _nearest_center(x, min(wanted, len(np.unique(x))))
        for number in range(int(column.max()) + 1):
            for cell in _intervals(own[column == number], positions[:, 1], height_um):
                distance = np.linalg.norm(positions[own, None, :2] - positions[None, cell, :2], axis=2).min(axis=1)
                margin = own[(distance <= margin_um) & ~np.isin(own, cell)]
                sections.append(Section(np.sort(cell).astype(np.int32), margin.astype(np.int32)))
    return sections


def _nearest_center(values: NDArray[np.float64], n_centers: int) -> NDArray[np.int64]:
    """Number of the nearest center among those that a k-means finds for the values, starting evenly spread."""
    centers = np.quantile(np.unique(values), (np.arange(n_centers) + 0.5) / n_centers)
    nearest = np.zeros(len(values), np.int64)
    for _ in range(100):
        nearest = np.abs(values[:, None] - centers[None]).argmin(axis=1)
        counts = np.bincount(nearest, minlength=n_centers)
        means = np.bincount(nearest, weights=values, minlength=n_centers) / np.maximum(counts, 1)
        moved = np.where(counts > 0, means, centers)
        if np.array_equal(moved, centers):
            break
        centers = moved
    return np.unique(nearest, return_inverse=True)[1].astype(np.int64)


def _intervals(channels: NDArray[np.intp], coordinate: NDArray[np.float64], width: float) -> list[NDArray[np.intp]]:
    """Divide channels into equal intervals of a coordinate, none wider than ``width``; empty intervals are left out."""
    values = coordinate[channels]
    low, extent = values.min(), np.ptp(values)
    # An interval extends one pitch beyond its last contact: two rows 20 µm apart cover 40 µm of probe.
    pitch = np.diff(np.unique(values)).min() if extent > 0 else 0.0
    n_intervals = max(1, int(np.ceil((extent + pitch) / width - 1e-9)))
    place = (values - low) / max(extent + pitch, 1e-9) * n_intervals
    interval = np.minimum((place + 1e-9).astype(np.intp), n_intervals - 1)
    return [channels[interval == i] for i in range(n_intervals) if (interval == i).any()]


def section_channels(
    section: Section, neighbors: NDArray[np.int32], *, n_channels_min: int = 6
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Channels on which the spikes of a section are compared, and where to find them in each spike's features.

    A channel on which only some spikes were measured would separate these from the others of their unit. The channels
    measured around every peak channel of the section are used; if there are too few, those measured around most.

    Parameters
    ----------
    section : Section
    neighbors : (n_channels, k) int32
        Channels on which the features of a peak on each channel were measured, −1 padded.
    n_channels_min : int
        Minimum number of channels, if the probe has them.

    Returns
    -------
    channels : (m,) int32
        Sorted.
    slots : (n_channels, m) int32
        Column of ``neighbors`` that holds each channel for a peak on a channel; −1 if it was not measured.

    Examples
    --------
    >>> import numpy as np
    >>> neighbors = np.array([[0, 1], [0, 1], [1, 2]], np.int32)
    >>> section = Section(np.array([0, 1], np.int32), np.array([2], np.int32))
    >>> channels, slots = section_channels(section, neighbors, n_channels_min=1)
    >>> channels, slots[:, 0]
    (array([1], dtype=int32), array([1, 1, 0], dtype=int32))
    """
    seen_from = np.concatenate([section.core, section.margin])
    around = neighbors[seen_from]
    counts = np.bincount(around[around >= 0].ravel(), minlength=len(neighbors))
    needed = min(n_channels_min, int((counts > 0).sum()))
    threshold = len(seen_from)
    while (counts >= threshold).sum() < needed:
        threshold -= 1
    channels = np.flatnonzero(counts >= max(threshold, 1)).astype(np.int32)
    slots = np.full((len(neighbors), len(channels)), -1, np.int32)
    for column in range(neighbors.shape[1]):
        hit = neighbors[:, column][:, None] == channels[None, :]
        slots[hit] = column
    return channels, slots


def gather_features(
    projection: NDArray[np.float32], channel_index: NDArray[np.int64], slots: NDArray[np.int32]
) -> NDArray[np.float32]:
    """Features of the spikes of a section on its common channels.

    Parameters
    ----------
    projection : (n_spikes, k, n_components) float32
    channel_index : (n_spikes,) int64
        Peak channels.
    slots : (n_channels, m) int32
        From `section_channels`.

    Returns
    -------
    features : (n_spikes, m * n_components) float32
        0 if a channel was not measured.

    Examples
    --------
    >>> import numpy as np
    >>> projection = np.array([[[1.0], [2.0]]], np.float32)
    >>> gather_features(projection, np.array([0]), np.array([[1, -1]], np.int32))
    array([[2., 0.]], dtype=float32)
    """
    slot = slots[channel_index]
    gathered = np.take_along_axis(projection, np.maximum(slot, 0)[:, :, None].astype(np.intp), axis=1)
    gathered = np.where((slot >= 0)[:, :, None], gathered, np.float32(0.0))
    return np.ascontiguousarray(gathered.reshape(len(projection), slot.shape[1] * projection.shape[2]), np.float32)
