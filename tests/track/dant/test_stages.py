"""Every step reads what the one before wrote; results have the shapes of pyDANT's."""

import numpy as np
import pytest

from tests.track.dant.data import write_data
from xephys.errors import ParameterError
from xephys.track import dant


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stages")
    settings, _ = write_data(folder, n_neurons=8, n_channels=24)
    n_units = len(np.load(folder / "session_index.npy"))
    peth = np.random.default_rng(0).standard_normal((n_units, 9))
    peth[0] = np.nan
    np.save(folder / "peth.npy", peth)
    dant.preprocess(settings)
    dant.motionEstimation(settings)
    return settings, folder / "out", n_units


def test_similarities_are_returned_and_written(prepared):
    settings, out, n_units = prepared
    waveforms = np.load(out / "waveforms_corrected.npy")
    found, names = dant.computeAllSimilarityMatrix(settings, waveforms, ["Waveform", "ISI", "PETH"])
    assert found.shape == (n_units, n_units, 4) and names == ["Waveform", "ISI", "AutoCorr", "PETH"]
    assert not found[..., 2].any() and np.isfinite(found).all() and not found[0, 1:, 3].any()
    contacts = np.load(out.parent / "channel_locations.npy")
    alone = dant.computeWaveformSimilarityMatrix(settings, waveforms, contacts)
    np.testing.assert_array_equal(alone, found[..., 0])
    np.testing.assert_array_equal(np.load(out / "ISI_similarity_matrix.npy"), found[..., 1])
    with pytest.raises(ParameterError, match="go together"):
        dant.computeWaveformSimilarityMatrix(settings, waveforms[..., 0], contacts)
    with pytest.raises(ParameterError, match="not out of"):
        dant.computeAllSimilarityMatrix(settings, waveforms, ["Shape"])
    with pytest.raises(ParameterError, match="waveforms have shape"):
        dant.computeAllSimilarityMatrix(settings, waveforms[1:], ["Waveform"])


def test_steps_return_nothing_and_agree_with_clusters_of_the_same_matrices(prepared):
    settings, out, _ = prepared
    with pytest.raises(FileNotFoundError, match="call finalClustering first"):
        dant.autoCuration(settings)
    assert dant.finalClustering(settings) is None and dant.autoCuration(settings) is None
    session, places = np.load(out.parent / "session_index.npy"), np.load(out / "locations.npy")
    motion = dant.Motion()
    motion.load(out)
    found = dant.cluster_similarities(
        {name: np.load(out / f"{name}_similarity_matrix.npy") for name in ("waveform", "AutoCorr")},
        session,
        places[:, 1] - motion.get_motion(session, places[:, 1]),
    )
    np.testing.assert_array_equal(np.load(out / "IdxCluster.npy"), found["cluster"])
    np.testing.assert_array_equal(np.load(out / "CurationPairs.npy"), found["pair"])
    assert found["cluster"].max() > 2
    dant.iterativeClustering(settings, ["Waveform"], np.load(out / "waveforms_corrected.npy"))
    assert np.load(out / "SimilarityWeights.npy").tolist() == [1.0]
