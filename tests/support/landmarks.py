"""Clouds of points, and the communities of the graph of their landmarks."""

from __future__ import annotations

import numpy as np

from xephys.kernels.cluster import modularity as graph


def blobs(*sizes, distance=8.0, dims=5, seed=0):
    rng = np.random.default_rng(seed)
    centers = distance * np.eye(max(dims, len(sizes)))[: len(sizes), :dims]
    points = np.concatenate([c + rng.standard_normal((n, dims)) for c, n in zip(centers, sizes, strict=True)])
    return points.astype(np.float32), np.repeat(np.arange(len(sizes)), sizes)


def communities(features, *, n_neighbors=10, n_clusters=50, landmarks=None):
    rows = np.arange(len(features)) if landmarks is None else landmarks
    links = graph.landmark_graph(features, rows, n_neighbors=n_neighbors)
    start = graph.start_labels(features, n_clusters=n_clusters, seed=0)
    return links, rows, start, *graph.modularity_labels(links, rows, start)
