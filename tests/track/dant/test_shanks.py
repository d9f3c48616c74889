"""Each shank is tracked as if it were alone, and the results are merged in the order of all units."""

import shutil

import numpy as np
import pytest

from tests.track.dant.data import write_data
from xephys.errors import ParameterError
from xephys.track import dant


@pytest.fixture(scope="module")
def two_shanks(tmp_path_factory):
    """Two copies of one probe, 1 mm apart, with other neurons on each; units alternate between them."""
    first, second, both = (tmp_path_factory.mktemp(name) for name in ("first", "second", "both"))
    write_data(first, n_neurons=15, n_channels=32, seed=1)
    write_data(second, n_neurons=15, n_channels=32, seed=2)
    one, other = (np.load(folder / "waveform_all.npy") for folder in (first, second))
    contacts = np.load(first / "channel_locations.npy")
    shank = np.concatenate([np.zeros(len(one)), np.ones(len(other))])
    order = np.random.default_rng(0).permutation(len(shank))
    whole = np.zeros((len(shank), 64, one.shape[2]))
    whole[: len(one), :32], whole[len(one) :, 32:] = one, other
    np.save(both / "waveform_all.npy", whole[order])
    session = np.concatenate([np.load(folder / "session_index.npy") for folder in (first, second)])
    np.save(both / "session_index.npy", session[order])
    np.save(both / "channel_locations.npy", np.concatenate([contacts, contacts + np.array([1000.0, 0.0])]))
    np.save(both / "channel_shanks.npy", np.repeat([1, 2], 32))
    (both / "spike_times").mkdir()
    for k, unit in enumerate(order.tolist()):
        folder, row = (first, unit) if unit < len(one) else (second, unit - len(one))
        np.save(both / f"spike_times/Unit{k}.npy", np.load(folder / f"spike_times/Unit{row}.npy"))
    settings = {"path_to_data": str(both), "output_folder": str(both / "out")}
    dant.runDANTMultiShank(settings)
    return settings, both / "out", shank[order], order, (first, second)


def test_shanks_are_tracked_as_if_each_were_alone(two_shanks):
    _, out, shank, order, folders = two_shanks
    label = np.load(out / "IdxCluster.npy")
    np.testing.assert_array_equal(np.load(out / "unit_shanks.npy"), shank + 1)
    for number, folder in enumerate(folders):
        dant.runDANT({"path_to_data": str(folder), "output_folder": str(folder / "out")})
        alone = np.load(folder / "out" / "IdxCluster.npy")
        here = np.flatnonzero(shank == number)
        expected, found = alone[order[here] - number * len(np.load(folders[0] / "session_index.npy"))], label[here]
        np.testing.assert_array_equal(found > 0, expected > 0)
        np.testing.assert_array_equal(
            (found[:, None] == found[None]) & (found > 0), (expected[:, None] == expected[None]) & (expected > 0)
        )
        assert (found > 0).any()
        # The far shank enters the interpolation, in which it weighs next to nothing.
        np.testing.assert_allclose(
            np.load(out / "motion_constant.npy")[number], np.load(folder / "out" / "motion_constant.npy"), atol=0.5
        )


def test_merged_results_agree_with_one_another(two_shanks):
    _, out, shank, _, _ = two_shanks
    label, similarity = np.load(out / "IdxCluster.npy"), np.load(out / "SimilarityMatrix.npy")
    assert sorted(set(label[label > 0])) == list(range(1, label.max() + 1))
    assert not similarity[np.ix_(shank == 0, shank == 1)].any() and (similarity == similarity.T).all()
    assert np.load(out / "SimilarityWeights.npy").shape == (2, 2) and np.load(out / "motion_linear.npy").shape == (2, 3)
    pairs = np.load(out / "MatchedPairs.npy")
    assert (label[pairs[:, 0]] == label[pairs[:, 1]]).all() and np.load(out / "ClusterMatrix.npy").sum() == len(
        label
    ) + 2 * len(pairs)
    with np.load(out / "Output.npz", allow_pickle=False) as output:
        assert (output["IdxShank"] == shank + 1).all() and output["NumClusters"] == label.max()
    contacts = np.load(out.parent / "channel_locations.npy")
    peak = np.load(out / "peak_channels.npy")
    assert (np.abs(np.load(out / "locations.npy")[:, 1] - contacts[peak, 1]) < 60).all()


def test_shanks_have_to_be_known(two_shanks, tmp_path):
    settings, _, shank, _, _ = two_shanks
    with pytest.raises(ParameterError, match="give the shank of each unit"):
        dant.merge_multishank_outputs(settings, [1], shank + 1)
    plain, _ = write_data(tmp_path, n_neurons=4, n_channels=16)
    with pytest.raises(FileNotFoundError, match="channel_shanks"):
        dant.runDANTMultiShank(plain)


def test_a_shank_may_lack_the_last_session(two_shanks, tmp_path):
    settings, _, shank, _, _ = two_shanks
    data = tmp_path / "data"
    shutil.copytree(settings["path_to_data"], data, ignore=shutil.ignore_patterns("out", "spike_times"))
    session = np.load(data / "session_index.npy")
    kept = (shank == 0) | (session < 3)
    np.save(data / "session_index.npy", session[kept])
    np.save(data / "waveform_all.npy", np.load(data / "waveform_all.npy")[kept])
    only = {"clustering": {"features": ["Waveform"]}}
    dant.runDANTMultiShank({"path_to_data": str(data), "output_folder": str(tmp_path / "out"), **only})
    motion = np.load(tmp_path / "out" / "motion_constant.npy")
    assert (
        motion.shape == (2, 3) and motion[1, 2] == 0 and len(np.load(tmp_path / "out" / "IdxCluster.npy")) == kept.sum()
    )
