"""From a data folder to an output folder: what is joined is right, and every file of pyDANT is there."""

import json

import numpy as np
import pytest

from tests.track.dant.data import write_data
from xephys.track.dant import runDANT

#: Shapes by name: N units, C channels, T samples, S sessions.
FILES = {
    "locations": "N3", "amplitude": "N", "peak_channels": "N", "unit_shanks": "N", "waveforms_corrected": "NCT2",
    "waveforms_centered": "NCT", "waveform_similarity_matrix": "NN", "ISI_similarity_matrix": "NN",
    "AutoCorr_similarity_matrix": "NN", "PETH_similarity_matrix": "NN", "SimilarityMatrix": "NN",
    "DistanceMatrix": "NN", "SimilarityWeights": "2", "SimilarityThreshold": "", "ClusterMatrix": "NN",
    "IdxCluster": "N", "motion_linear_scale": "", "motion_linear": "S", "motion_constant": "S", "RunTimeSec": "",
    "CurationTypeNames": "2",
}  # fmt: skip


@pytest.mark.parametrize(("centering", "recall_min"), [(False, 0.96), (True, 0.8)])
def test_what_is_joined_is_right_and_all_files_are_written(tmp_path, centering, recall_min):
    """Centering moves troughs by whole samples, and noise moves wide ones: fewer units are found again with it."""
    _, truth = write_data(tmp_path, seed=100, n_sessions=5, n_neurons=40, n_channels=96, gain_sd=0.0)
    file = tmp_path / "settings.json"
    file.write_text(
        json.dumps({"path_to_data": ".", "output_folder": "out", "centering_waveforms": centering}) + "// end"
    )
    runDANT(file)
    neuron, out = np.concatenate(truth.neuron), tmp_path / "out"
    label, session = np.load(out / "IdxCluster.npy"), np.load(tmp_path / "session_index.npy")
    i, j = np.triu_indices(len(neuron), 1)
    apart = session[i] != session[j]
    same, joined = apart & (neuron[i] == neuron[j]), (label[i] == label[j]) & (label[i] > 0)
    assert (same & joined).sum() >= 0.98 * joined.sum() and (same & joined).sum() >= recall_min * same.sum()
    sizes = {"N": len(neuron), "C": 96, "T": np.load(tmp_path / "waveform_all.npy").shape[2], "S": 5, "2": 2, "3": 3}
    for name, shape in FILES.items():
        if name == "waveforms_centered" and not centering:
            continue
        assert np.load(out / f"{name}.npy").shape == tuple(sizes[letter] for letter in shape), name
    pairs = np.load(out / "MatchedPairs.npy")
    assert len(pairs) == joined.sum() and (label[pairs[:, 0]] == label[pairs[:, 1]]).all()
    with np.load(out / "Output.npz", allow_pickle=False) as output:
        assert (
            output["NumClusters"] == label.max()
            and json.loads(str(output["Params"]))["centering_waveforms"] == centering
        )
        assert sorted(output["IdxSort"]) == list(range(len(neuron)))
    assert not [path for path in out.iterdir() if path.name.startswith(".") or ".tmp" in path.name]


@pytest.mark.parametrize("kind", ["one session", "two units", "no spikes", "a session without units", "few channels"])
def test_little_input_gives_a_valid_result(tmp_path, kind):
    few = {"one session": 1, "two units": 2}.get(kind, 3)
    settings, _ = write_data(tmp_path, n_sessions=few, n_neurons=6, n_channels=8 if kind == "few channels" else 32)
    session = np.load(tmp_path / "session_index.npy")
    if kind == "two units":
        keep = np.searchsorted(session, [1, 2])
        session = session[keep]
        np.save(tmp_path / "waveform_all.npy", np.load(tmp_path / "waveform_all.npy")[keep])
    if kind == "no spikes":
        for k in range(len(session)):
            np.save(tmp_path / "spike_times" / f"Unit{k}.npy", np.empty(0))
    if kind == "a session without units":
        session = np.where(session == 2, 4, session)
    np.save(tmp_path / "session_index.npy", session)
    runDANT(settings)
    label = np.load(tmp_path / "out" / "IdxCluster.npy")
    assert label.shape == session.shape and ((label == -1) | (label >= 1)).all()
    for number in range(1, label.max() + 1):
        of_cluster = session[label == number]
        assert len(of_cluster) > 1 and len(np.unique(of_cluster)) == len(of_cluster)
    assert np.isfinite(np.load(tmp_path / "out" / "SimilarityMatrix.npy")).all()
