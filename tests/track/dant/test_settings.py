"""Settings may have comments; what is wrong in them is named."""

import json

import numpy as np
import pytest

from xephys.errors import ParameterError
from xephys.track.dant import getMotionFeatureSets, read_settings
from xephys.track.dant.settings import folders, given_motion


def test_comments_are_left_out_and_text_is_kept(tmp_path):
    file = tmp_path / "settings.json"
    file.write_text(
        '{ // where\n"path_to_data": "a//b", /* here\nand there */ "output_folder": "out",\n'
        '"clustering": {"n_iter": 3, /* last */ }, // end\n}'
    )
    settings = read_settings(file)
    assert settings["path_to_data"] == str(tmp_path / "a//b") and settings["clustering"]["n_iter"] == 3
    assert settings["clustering"]["features"] == ["Waveform", "AutoCorr"]
    assert read_settings(json.loads(json.dumps(settings))) == settings


@pytest.mark.parametrize(
    ("given", "n_rounds"),
    [({}, 2), ({"max_iter": 5}, 2), ({"max_iter": 1}, 1), ({"repeat_last_feature_set": True}, 15)],
    ids=str,
)
def test_rounds_of_motion_are_counted_as_in_pydant(given, n_rounds):
    sets = [["AutoCorr"], ["Waveform"]]
    assert getMotionFeatureSets({"motionEstimation": {"features": sets, **given}}) == (sets, n_rounds)


@pytest.mark.parametrize("shape", [(3,), (1, 3), (3, 1), (2, 3), (3, 2)])
def test_motion_is_read_in_all_its_shapes(tmp_path, shape):
    np.save(tmp_path / "motion.npy", np.arange(np.prod(shape)).reshape(shape))
    settings = read_settings({"waveformCorrection": {"path_to_motion": str(tmp_path / "motion.npy")}})
    motion = given_motion(settings, 3)
    assert motion.shape == (2, 3) and (motion[0].any() == (2 in shape))
    with pytest.raises(ParameterError, match="for 7 sessions"):
        given_motion(settings, 7)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_job": 1}, "unknown key 'n_job'"),
        ({"clustering": {"feature": []}}, "settings.clustering has an unknown key"),
        ({"clustering": {"features": ["Wave"]}}, "Waveform"),
        ({"clustering": {"features": []}}, "list of names"),
        ({"clustering": 3}, "give an object"),
        ({"clustering": {"n_iter": 0}}, "n_iter"),
        ({"spikeLocation": {"location_algorithm": "magic"}}, "center_of_mass"),
        ({"waveformCorrection": {"n_templates": 3}}, "1 or 2"),
        ({"motionEstimation": {"features": []}}, "list of lists"),
    ],
)
def test_what_is_wrong_is_named(settings, message):
    with pytest.raises(ParameterError, match=message):
        read_settings(settings)


def test_files_and_folders_that_are_not_there(tmp_path):
    (tmp_path / "a.json").write_text("{1}")
    (tmp_path / "b.json").write_text("[]")
    with pytest.raises(ParameterError, match="not JSON"):
        read_settings(tmp_path / "a.json")
    with pytest.raises(ParameterError, match="one object"):
        read_settings(tmp_path / "b.json")
    with pytest.raises(FileNotFoundError):
        read_settings(tmp_path / "c.json")
    with pytest.raises(ParameterError, match="no path_to_data and no output_folder"):
        folders(read_settings({}))
