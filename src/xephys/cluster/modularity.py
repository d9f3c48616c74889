"""Clustering by modularity: communities of a nearest-neighbor graph, section by section of the probe."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from .. import schema
from ..calls import operation
from ..checks import check_positive
from ..graph.checkpoint import CheckpointedEvents
from ..graph.columns import count_of
from ..graph.events import run_tasks
from ..per_channel import positions_of
from ..recording.geometry import channel_groups
from .peaks import projected_channels, thinned_members
from .settle import Clustering, take_records, thinned_sections

#: Principal axes of a section's features on which spikes are compared.
N_DIMS = 24
#: Number of communities into which a section is cut before they are merged again.
N_START = 200
#: Minimum number of landmarks in a section with enough spikes: with fewer, the graph does not resolve small units.
N_LANDMARKS_MIN = 4000


@operation
def cluster_by_modularity(
    recording: xr.DataArray,
    peaks: NDArray[Any] | CheckpointedEvents,
    *,
    components: xr.DataArray,
    use_times: bool = False,
    section_um: float = 40.0,
    margin_um: float = 30.0,
    x_centers: int | None = None,
    cluster_neighbors: int = 10,
    cluster_downsampling: int = 20,
    max_cluster_subset: int | None = 25_000,
    n_spikes_min: int = 20,
    n_peaks_per_section_max: int | None = None,
    ccg_threshold: float = 0.25,
    seed: int = 5,
) -> Clustering:
    """Cluster peaks by their projected waveforms, as communities of a graph. Computes.

    Each section of the probe is one task: it computes principal axes of the section's features, links every peak to its
    nearest landmarks, finds the communities of largest modularity, and builds a tree of merges. From the root of the
    tree downwards it then decides which merges to undo (see :mod:`xephys.kernels.cluster.tree`).

    Parameters
    ----------
    recording
        The recording on which the peaks were projected; only its geometry is used, not its samples.
    peaks
        Records with ``sample_index``, ``channel_index`` and ``projection``, in time order.
    components
        The components of the projections.
    use_times
        Whether two sides with a refractory cross-correlogram stay one cluster. Meant for matched spikes, of which
        hardly any are missing.
    section_um, margin_um
        Height of the part of the probe that a section owns, and how far beyond it the section sees. With a margin, a
        cluster is found by every section that sees it and kept by the one that holds most of it; with 0, every peak
        gets a label.
    x_centers
        Columns of sections on each shank; by default, one per 50 µm.
    cluster_neighbors
        Number of landmarks to which a peak is linked.
    cluster_downsampling
        Peaks per landmark, except that a section with enough peaks has at least 4000 landmarks.
    max_cluster_subset
        Maximum number of landmarks of a section, which bounds memory and time. No limit if None.
    n_spikes_min
        Parts with fewer peaks are not split off, and smaller clusters are left out where sections overlap.
    n_peaks_per_section_max
        In a section with more peaks, this number of them, evenly spread over time, is clustered; all if None. A unit
        there needs proportionally more peaks than ``n_spikes_min``: see ``thinned`` of the result.
    ccg_threshold
        Maximum rate in the center of a refractory cross-correlogram, relative to its shoulders.
    seed
        Seed of the initial communities.

    Returns
    -------
    Labels from 0, or -1 for peaks without a cluster; ``sample_shift`` is 0 everywhere; ``decisions`` lists the merges
    that were tested, section by section.

    Raises
    ------
    ParameterError
        If a number is outside its limits, or the number of channels in the projections does not fit.

    Notes
    -----
    Follows Kilosort4 (Pachitariu, Sridhar, Pennington & Stringer 2024, Nature Methods 21:914), except that the null
    model of modularity uses degrees, convergence is tested, and bimodality is judged on spikes that were not used for
    the fit.

    Examples
    --------
    >>> import xephys
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=4, n_channels=8, n_units=2, seed=0)
    >>> filtered = xephys.bandpass_filter(recording)
    >>> peaks = xephys.detect_peaks(filtered, noise_levels=xephys.estimate_noise_levels(filtered))
    >>> components = xephys.learn_components(filtered, peaks, n_components=3)
    >>> peaks = xephys.project_peaks(filtered, peaks, components=components).compute()
    >>> cluster_by_modularity(filtered, peaks, components=components).n_clusters >= 1
    True
    """
    from ..kernels.cluster.parts import join_parts
    from ..kernels.cluster.reconcile import join_sections
    from ..kernels.cluster.sections import centered_sections
    from ..kernels.cluster.tree import DECISION

    check_positive(
        section_um=section_um,
        cluster_neighbors=cluster_neighbors,
        cluster_downsampling=cluster_downsampling,
        n_spikes_min=n_spikes_min,
        ccg_threshold=ccg_threshold,
    )
    for name, value in {"max_cluster_subset": max_cluster_subset, "n_peaks_per_section_max": n_peaks_per_section_max,
                        "x_centers": x_centers}.items():  # fmt: skip
        if value is not None:
            check_positive(**{name: value})
    info = schema.validate_recording(recording)
    positions = positions_of(recording, why="clustering")
    groups = channel_groups(recording)
    neighbors = projected_channels(positions, peaks, components, groups=groups)
    sections = centered_sections(
        positions,
        shanks=np.zeros(len(positions), np.int64) if groups is None else groups,
        height_um=section_um,
        margin_um=margin_um,
        n_x_centers=x_centers,
    )
    n_peaks = count_of(peaks)
    n_seen, wanted = thinned_members(peaks, sections, info.n_channels, n_max=n_peaks_per_section_max)
    rows = np.unique(np.concatenate(wanted)) if wanted else np.zeros(0, np.int64)
    chosen = take_records(peaks, ("sample_index", "channel_index", "projection"), rows)
    members = [np.searchsorted(rows, w) for w in wanted]
    shared = tuple(np.ascontiguousarray(chosen[name]) for name in ("projection", "channel_index", "sample_index"))
    settings = {
        "use_times": use_times,
        "n_neighbors": int(cluster_neighbors),
        "downsampling": int(cluster_downsampling),
        "n_landmarks_max": max_cluster_subset,
        "n_spikes_min": int(n_spikes_min),
        "ratio_max": float(ccg_threshold),
        "bin_samples": max(1, round(1e-3 * info.sampling_frequency)),
        "seed": int(seed),
    }
    jobs = [(section, m, neighbors, settings) for section, m in zip(sections, members, strict=True)]
    found = run_tasks(cluster_section, jobs, shared=shared)
    decisions = [why for _, why in found]
    labels = np.full(n_peaks, -1, np.int32)
    parts = [part for part, _ in found]
    if margin_um > 0:
        labels[rows] = join_sections(shared[1], sections, members, parts, n_spikes_min=n_spikes_min)
    else:
        labels[rows] = join_parts(members, parts, n_spikes=len(rows))
    return Clustering(
        labels,
        np.zeros(n_peaks, np.int64),
        np.concatenate(decisions) if decisions else np.zeros(0, DECISION),
        thinned=thinned_sections(sections, n_seen, [len(w) for w in wanted], n_spikes_min),
    )


def cluster_section(
    projection: NDArray[np.float32],
    channel: NDArray[np.int64],
    sample: NDArray[np.int64],
    section: Any,
    rows: NDArray[np.int64],
    neighbors: NDArray[np.int32],
    settings: dict[str, Any],
) -> tuple[NDArray[np.int32], NDArray[np.void]]:
    """Labels of the peaks of one section and the decisions behind them: the task of :func:`cluster_by_modularity`."""
    from ..kernels.cluster.sections import gather_features, section_channels
    from ..kernels.cluster.split import principal_axes
    from ..kernels.cluster.tree import DECISION

    if not len(rows):
        return np.zeros(0, np.int32), np.zeros(0, DECISION)
    _, slots = section_channels(section, neighbors)
    features = principal_axes(gather_features(projection[rows], channel[rows], slots), n_dims_max=N_DIMS)
    return communities(features, sample[rows] if settings["use_times"] else None, settings)


def communities(
    features: NDArray[np.float32], samples: NDArray[np.int64] | None, settings: dict[str, Any]
) -> tuple[NDArray[np.int32], NDArray[np.void]]:
    """Labels of one cloud of features, and the merges that were tested."""
    from ..kernels.cluster import modularity as graph
    from ..kernels.cluster.tree import DECISION, link_counts, merge_tree, split_tree

    n_spikes = len(features)
    landmarks = graph.landmark_rows(
        n_spikes, downsampling=settings["downsampling"], n_min=N_LANDMARKS_MIN, n_max=settings["n_landmarks_max"]
    )
    links = graph.landmark_graph(features, landmarks, n_neighbors=settings["n_neighbors"])
    if links.size == 0:
        return np.zeros(n_spikes, np.int32), np.zeros(0, DECISION)
    n_start = min(N_START, max(1, n_spikes // settings["n_neighbors"]))
    start = graph.start_labels(features, n_clusters=n_start, seed=settings["seed"])
    labels, landmark_labels = graph.modularity_labels(links, landmarks, start)
    n_labels = int(max(labels.max(), landmark_labels.max())) + 1
    tree = merge_tree(*link_counts(links, labels, landmark_labels, n_labels))
    return split_tree(
        tree,
        features,
        labels,
        samples=samples,
        bin_samples=settings["bin_samples"],
        n_spikes_min=settings["n_spikes_min"],
        ratio_max=settings["ratio_max"],
    )
