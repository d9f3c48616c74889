"""Labels of density-based tracking beside those of pyDANT 1.1.4 from its own similarities, and what 3,500 units cost.

    python benchmarks/dant_labels.py --dant PYTHON [--quick]

``--dant`` is the Python of an environment with ``pip install pyDANT==1.1.4``. It runs on simulated sessions. The
matrices that it wrote are clustered here again, and all labels, before and after curation, have to be equal, as do
weights and threshold to 1e-9. Runs in which it ended with an error before it wrote labels are counted.
"""

from __future__ import annotations

import argparse
import tempfile
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


def large(n_neurons: int, n_sessions: int) -> str:
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
    equal = all(labels[0].identical(other) for other in labels[1:])
    times = ", ".join(f"{t:.1f} s" for t in taken)
    return f"{n} units in blocks of 64, 256 and all rows: {'identical' if equal else 'DIFFERENT'} labels; {times}."


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
        large(20 if given.quick else 195, 3 if given.quick else 18),
    ]
    if given.quick:
        print("\n\n".join(parts))
    else:
        write_result("dant_labels", *parts)


if __name__ == "__main__":
    main()
