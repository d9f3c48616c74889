"""Motion is found, or kept as given, and the waveforms are moved by it."""

import numpy as np
import pytest

from tests.track.dant.data import write_data
from xephys.errors import ParameterError
from xephys.track import dant


@pytest.mark.parametrize("kind", [{"shift_max_um": 80.0}, {"tilt_max_um": 60.0}], ids=["far", "tilted"])
def test_motion_is_found(tmp_path, kind):
    settings, truth = write_data(tmp_path, n_neurons=40, n_channels=96, seed=3, **kind)
    settings["waveformCorrection"] = {"linear_correction": "tilt_max_um" in kind}
    dant.preprocess(settings)
    dant.motionEstimation(settings)
    motion = dant.Motion()
    motion.load(tmp_path / "out")
    depth = np.load(tmp_path / "channel_locations.npy")[:, 1]
    at = np.linspace(depth.min() + 50, depth.max() - 50, 5)
    found = np.array([motion.get_motion([s] * 5, at) for s in (1, 2, 3)])
    true = truth.shift_um[:, None] + truth.tilt_um[:, None] * (at - (depth.min() + depth.max()) / 2) / np.ptp(depth)
    error = (found - found.mean(axis=0)) - (true - true.mean(axis=0))
    assert np.sqrt((error**2).mean()) < 4.0 and np.abs(true).max() > 15


def test_given_motion_is_kept_and_moves_waveforms(tmp_path):
    settings, _ = write_data(tmp_path, n_neurons=6, n_channels=24)
    np.save(tmp_path / "moved.npy", [10.0, 0.0, -10.0])
    settings["waveformCorrection"] = {"path_to_motion": str(tmp_path / "moved.npy"), "n_templates": 1}
    dant.preprocess(settings)
    waveforms = np.load(tmp_path / "waveform_all.npy")
    moved, motion = dant.initializeMotion(settings, waveforms)
    assert motion.Constant.tolist() == [10.0, 0.0, -10.0] and moved.shape == (*waveforms.shape, 1)
    contacts = np.load(tmp_path / "channel_locations.npy")
    np.testing.assert_allclose(
        moved[0, ..., 0], dant.waveformEstimation(waveforms[0], [0, 10.0], contacts, [0, 0.0]), atol=1e-6
    )
    dant.motionEstimation(settings)
    np.testing.assert_array_equal(np.load(tmp_path / "out" / "motion_constant.npy"), motion.Constant)
    np.testing.assert_array_equal(np.load(tmp_path / "out" / "waveforms_corrected.npy"), moved)
    with pytest.raises(ParameterError, match="waveforms have shape"):
        dant.computeWaveformFeatures(settings, waveforms[1:], motion)


def test_steps_in_the_wrong_order(tmp_path):
    settings, _ = write_data(tmp_path, n_neurons=4, n_channels=16)
    (tmp_path / "out").mkdir()
    with pytest.raises(FileNotFoundError, match="call preprocess first"):
        dant.motionEstimation(settings)


def test_motion_from_clusters_agrees_with_that_from_footprints(tmp_path):
    settings, truth = write_data(tmp_path, n_neurons=20, seed=3)
    with pytest.raises(FileNotFoundError):
        dant.computeMotion(settings)
    dant.runDANT(settings)
    searched = np.load(tmp_path / "out" / "motion.npy")
    with np.load(tmp_path / "out" / "SimilarityForCorretion.npz") as pairs:
        session = np.load(tmp_path / "session_index.npy")[pairs["idx_unit_pairs"]]
        assert (session[:, 0] < session[:, 1]).all() and pairs["similarity_all"].shape == (len(session), 7)
    motion = dant.computeMotion(settings)
    true = truth.shift_um - truth.shift_um.mean()
    np.testing.assert_allclose(motion.Constant, true, atol=1.0)
    np.testing.assert_allclose(motion.Constant, searched[1], atol=1.0)
    with np.load(tmp_path / "out" / "SimilarityForCorretion.npz") as pairs:
        assert pairs["similarity_names"].tolist() == ["weighted"] and len(pairs["idx_unit_pairs"]) > 20
    again = {**settings, "waveformCorrection": {"path_to_motion": str(tmp_path / "out" / "motion.npy")}}
    dant.motionEstimation(again)
    np.testing.assert_array_equal(np.load(tmp_path / "out" / "motion_constant.npy"), motion.Constant)
