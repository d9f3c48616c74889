"""Labels of density-based tracking beside those of pyDANT 1.1.4 from its own similarities, and what 3,500 units cost.

    python benchmarks/dant_labels.py --dant PYTHON [--quick]

``--dant`` is the Python of an environment with ``pip install pyDANT==1.1.4``. It runs on simulated sessions. The
matrices that it wrote are clustered here again, and all labels, before and after curation, have to be equal, as do
weights and threshold to 1e-9. Runs in which it ended with an error before it wrote labels are counted. Labels before
curation of a hundred random sets of one similarity, and of one of 3,500 units and two, are compared with those of the
package hdbscan in that environment, which pyDANT calls, from the same similarities and weights.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from harness import run_process, seconds, table, write_result
from tracking import PEER, write_folder

#: Sets: name, keywords.
SETS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("20 % missing", {}),
    ("gain, noise, turnover", {"noise_uv": 2.0, "turnover": 0.1, "gain_sd": 0.15}),
    ("over-splits", {"oversplits": 0.1}),
    ("far", {"shift_max_um": 80.0}),
)
SEEDS = (300, 301, 302)
#: The program that clusters all sets of a folder as pyDANT does.
CLUSTERS = """
import sys
from pathlib import Path
import hdbscan, numpy as np
for path in sorted(Path(sys.argv[1]).glob("*.npz")):
    with np.load(path) as given:
        distance = 1.0 / (1.0 + np.tanh(given["sum"]))
        np.fill_diagonal(distance, 0.0)
        model = hdbscan.HDBSCAN(metric="precomputed", min_samples=1, min_cluster_size=2,
                                max_cluster_size=int(given["n_sessions"]), cluster_selection_epsilon=0.0)
        np.save(path.with_suffix(".npy"), model.fit_predict(distance))
"""
N_RANDOM = 100


def same(sessions: Any, python: str) -> bool | None:
    """Whether labels, weights and threshold are equal; None where the peer ended with an error."""
    from xephys.track import dant

    with tempfile.TemporaryDirectory() as name:
        folder, out = Path(name), Path(name) / "out"
        write_folder(sessions, folder)
        try:
            run_process([python, "-c", PEER.replace("LINEAR", "False"), name], OMP_NUM_THREADS="1")
        except RuntimeError:
            return None
        motion = dant.Motion()
        motion.load(out)
        session, depth = np.load(folder / "session_index.npy"), np.load(out / "locations.npy")[:, 1]
        found = dant.cluster_similarities(
            {part: np.load(out / f"{part}_similarity_matrix.npy", mmap_mode="r") for part in ("waveform", "AutoCorr")},
            session,
            depth - motion.get_motion(session, depth),
        )
        before = np.load(out / "ClusteringResults.npz")["idx_cluster_hdbscan"]
        numbers = [("weight", "SimilarityWeights"), ("threshold", "SimilarityThreshold")]
        return (
            np.array_equal(found["cluster"], np.load(out / "IdxCluster.npy"))
            and np.array_equal(found["cluster_before_curation"], before)
            and all(np.allclose(found[own], np.load(out / f"{peer}.npy"), atol=1e-9) for own, peer in numbers)
        )


def clustered_by_peer(sets: Sequence[tuple[Any, Any, Any]], python: str) -> list[bool]:
    """Whether labels before curation are those of the peer, for sets of matrices, sessions, and what was found here."""
    with tempfile.TemporaryDirectory() as name:
        for k, (matrices, session, found) in enumerate(sets):
            weight = dict(zip(found["feature"].values.tolist(), found["weight"].values.tolist(), strict=True))
            total = sum(weight[part] * np.asarray(values) for part, values in matrices.items())
            np.savez(Path(name) / f"{k:03d}.npz", sum=total, n_sessions=len(np.unique(session)))
        run_process([python, "-c", CLUSTERS, name], OMP_NUM_THREADS="1")
        labels = [np.load(Path(name) / f"{k:03d}.npy") for k in range(len(sets))]
    both = zip(labels, (found["cluster_before_curation"].values for _, _, found in sets), strict=True)
    # There, clusters are counted from 0.
    return [bool(np.array_equal(np.where(one < 0, one, one + 1), other)) for one, other in both]


def random_sets(n_sets: int, python: str) -> str:
    """Sets of random sizes, numbers of sessions, and similarities."""
    from xephys.track.dant import cluster_similarities

    sets = []
    for seed in range(n_sets):
        rng = np.random.default_rng([seed, 320])
        n_sessions, n_neurons = int(rng.integers(2, 9)), int(rng.integers(4, 30))
        there = rng.uniform(size=n_sessions * n_neurons) > 0.2
        neuron = np.tile(np.arange(n_neurons), n_sessions)[there]
        session = np.repeat(np.arange(n_sessions) + 1, n_neurons)[there]
        session = np.unique(session, return_inverse=True)[1] + 1
        same = neuron[:, None] == neuron[None]
        values = np.where(same, 2.0, 0.3) + rng.uniform(0.1, 1.5) * rng.standard_normal(same.shape)
        matrices = {"waveform": (values + values.T) / 2}
        np.fill_diagonal(matrices["waveform"], 6.0)
        depth = 30.0 * neuron + rng.standard_normal(len(neuron))
        sets.append((matrices, session, cluster_similarities(matrices, session, depth)))
    equal, sizes = clustered_by_peer(sets, python), [len(session) for _, session, _ in sets]
    return f"{len(equal)} random sets of {min(sizes)} to {max(sizes)} units: {sum(equal)} identical."


def large(n_neurons: int, n_sessions: int, python: str | None = None) -> str:
    """Equal labels for any block, and the time of one run, with matrices in files."""
    from xephys.track.dant import cluster_similarities

    rng = np.random.default_rng(310)
    neuron, session = np.tile(np.arange(n_neurons), n_sessions), np.repeat(np.arange(n_sessions) + 1, n_neurons)
    shapes, n = rng.standard_normal((n_neurons, 40))[neuron], len(neuron)
    with tempfile.TemporaryDirectory() as name:
        matrices = {}
        for part, noise in (("waveform", 0.3), ("AutoCorr", 0.8)):
            noisy = shapes + noise * rng.standard_normal(shapes.shape)
            values = np.arctanh(np.clip(np.corrcoef(noisy), -0.999, 0.999))
            np.fill_diagonal(values, 6.0)
            np.save(Path(name) / f"{part}.npy", values)
            matrices[part] = np.load(Path(name) / f"{part}.npy", mmap_mode="r")
        depth = 20.0 * neuron + rng.standard_normal(n)
        taken, labels = [], []
        for block in (64, 256, n):
            taken.append(
                seconds(lambda block=block: labels.append(cluster_similarities(matrices, session, depth, block=block)))
            )
        beside = clustered_by_peer([(matrices, session, labels[0])], python) if python else []
    equal = all(labels[0].identical(other) for other in labels[1:])
    said = "".join(f" Beside hdbscan: {'identical' if one else 'DIFFERENT'}." for one in beside)
    times = ", ".join(f"{t:.1f} s" for t in taken)
    return (
        f"{n} units in blocks of 64, 256 and all rows: {'identical' if equal else 'DIFFERENT'} labels; {times}.{said}"
    )


def main() -> None:
    from xephys.testing import simulate_sessions

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dant")
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args()
    rows = []
    for name, keywords in SETS if given.dant else ():
        found = [
            same(simulate_sessions(seed=seed, **keywords)[0], given.dant) for seed in SEEDS[: 1 if given.quick else 3]
        ]
        rows.append([name, len(found), found.count(True), found.count(False), found.count(None)])
    parts = [
        "# Labels of density-based tracking",
        table(["set", "runs", "identical", "different", "peer failed"], rows),
        *([random_sets(5 if given.quick else N_RANDOM, given.dant)] if given.dant else []),
        large(20 if given.quick else 195, 3 if given.quick else 18, given.dant),
    ]
    if given.quick:
        print("\n\n".join(parts))
    else:
        write_result("dant_labels", *parts)


if __name__ == "__main__":
    main()
