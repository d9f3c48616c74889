"""Histories are replayed: the same values to the bit from every form of the history, and no other code is run."""

from __future__ import annotations

import json
import tomllib

import numpy as np
import pytest

import xephys
from xephys.errors import ParameterError
from xephys.testing import forbid_compute, simulate_recording


@pytest.fixture(scope="module")
def recording():
    return simulate_recording(duration_s=3, n_channels=16, n_units=2, seed=0)[0]


def _whitened(recording):
    filtered = recording.ephys.bandpass_filter(freq_min_hz=400).ephys.common_reference()
    return filtered.ephys.whiten(whitening=filtered.ephys.estimate_whitening(n_nearest=6))


def _blanked(recording):
    filtered = xephys.highpass_filter(recording)
    levels = xephys.estimate_noise_levels(filtered)
    shifted = xephys.phase_shift(filtered, inter_sample_shift=np.arange(16) / 16)  # noise has the same size after it
    return xephys.blank_common_artifacts(shifted, noise_levels=levels, threshold=4.0)


def _moved(recording):
    motion = xephys.make_motion([[0.0], [7.0]], time_s=[0.0, 3.0], depth_um=[0.0])
    return xephys.correct_motion(xephys.bandpass_filter(recording), motion=motion)


CHAINS = {
    "whitened": _whitened,
    "noise levels of an earlier step": _blanked,
    "noise levels by hand": lambda r: xephys.blank_common_artifacts(
        r, noise_levels=2 * xephys.estimate_noise_levels(r), threshold=3.0
    ),
    "motion": _moved,
    "any filter": lambda r: xephys.filter_with_sos(r, sos=np.array([[0.5, 0.1, 0, 1, -0.4, 0]])),
    "slices and channels": lambda r: xephys.time_slice(xephys.select_channels(r, [5, 2]), 0.5, 2.0).ephys.scale(gain=2),
    "bad channels": lambda r: xephys.interpolate_bad_channels(r, bad=[True] + [False] * 15).ephys.to_uv(),
    "groups": lambda r: xephys.common_reference(r, groups=[0, 1] * 8),
    "excerpts": lambda r: xephys.scale(xephys.spread_slices(r, total_s=0.2, slice_duration_s=0.1), gain=0.5),
}


@pytest.mark.parametrize("form", ["recording", "steps", "lines", "toml", "json", "file"])
@pytest.mark.parametrize("chain", CHAINS)
def test_a_chain_is_made_again(chain, form, recording, tmp_path):
    made = CHAINS[chain](recording)
    history = made
    if form == "steps":
        history = made.attrs["history"].splitlines()
    elif form == "lines":
        history = made.attrs["history"]
    elif form in ("toml", "json"):
        history = xephys.history_text(made, format=form)
    elif form == "file":
        history = tmp_path / "chain.toml"
        history.write_text(xephys.history_text(made), encoding="utf-8")
    again = xephys.replay(history, recording)
    assert again.attrs["history"] == made.attrs["history"]
    assert np.array_equal(again.values, made.values)
    assert again.attrs["units"] == made.attrs["units"]


def test_a_chain_without_estimates_is_made_lazily(recording):
    made = recording.ephys.bandpass_filter().ephys.common_reference()
    with forbid_compute():
        xephys.replay(made, recording)


def test_estimates_are_computed_again_on_another_recording(recording):
    other = simulate_recording(duration_s=3, n_channels=16, n_units=2, seed=1)[0]
    assert np.array_equal(xephys.replay(_whitened(recording), other).values, _whitened(other).values)


def test_history_survives_a_store(recording, tmp_path):
    made = _whitened(recording)
    xephys.save_recording(made, tmp_path / "a.zarr", dtype="float32")
    stored = xephys.open_recording(tmp_path / "a.zarr")
    assert np.array_equal(xephys.replay(stored, recording).values, made.values)


def test_text_is_toml_and_json(recording):
    made = _whitened(recording)
    steps = made.attrs["history"].splitlines()
    assert tomllib.loads(xephys.history_text(made))["steps"] == steps
    assert json.loads(xephys.history_text(made, format="json"))["steps"] == steps
    with pytest.raises(ParameterError, match="did you mean 'toml'"):
        xephys.history_text(made, format="tml")


def test_own_operations_are_given_by_name(recording):
    def halved(recording, *, factor):
        return recording.ephys.scale(gain=1 / factor)

    steps = ["bandpass_filter()", "halved(factor=2)"]
    with pytest.raises(ParameterError, match="step 2, halved, is not an operation"):
        xephys.replay(steps, recording)
    again = xephys.replay(steps, recording, operations={"halved": halved})
    assert np.array_equal(again.values, recording.ephys.bandpass_filter().ephys.scale(gain=0.5).values)


@pytest.mark.parametrize(
    ("history", "message"),
    [
        (["bandpass_filter()", "unknown"], "step 2 of 2 is unknown"),
        (["bandpas_filter()"], "did you mean 'bandpass_filter'"),
        (["save_recording(path='x')"], "is not an operation"),
        (["whiten(whitening=estimate_whitening(after=3))"], "is not after one of the 0 steps"),
        (["whiten(whitening=open_recording(path='x'))"], "is not a value"),
        (["bandpass_filter(freq_min_hz=__import__('os').system('true'))"], "is not a value"),
        ("no such file.toml", "neither a history nor a file"),
        ("steps = [\n", "neither TOML nor JSON"),
        ('{"steps": 3}\n(', "neither TOML nor JSON"),
        ('{"steps": [3], "a": "("}', "no list of steps"),
        (3, "history is a int"),
    ],
)
def test_what_cannot_be_replayed_is_refused(history, message, recording, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ParameterError, match=message):
        xephys.replay(history, recording)
    assert not list(tmp_path.iterdir())


def test_a_recording_without_history_is_refused(recording):
    with pytest.raises(ParameterError, match="no history"):
        xephys.replay(recording, recording)


def test_work_folders_are_not_part_of_a_step(recording, tmp_path):
    made = xephys.checkpoint(recording.ephys.bandpass_filter(), tmp_path / "a").ephys.scale(gain=2)
    again = xephys.replay(made, recording)
    assert [step.partition("(")[0] for step in again.attrs["history"].splitlines()] == ["bandpass_filter", "scale"]
