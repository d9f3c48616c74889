"""Probes with some of the channels, with unconnected contacts, and with positions in other units than µm."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from probeinterface import ProbeGroup, generate_linear_probe, write_probeinterface

import xephys
from tests.support.command_line import run
from xephys.errors import RecordingError, XephysWarning
from xephys.io.read.open import open_recording
from xephys.recording.geometry import channel_groups
from xephys.schema import make_recording

SAMPLES = np.random.default_rng(0).integers(-200, 200, (600, 9)).astype("int16")
RAW = {"n_channels": 9, "sampling_frequency": 1000.0}


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    SAMPLES.tofile(tmp_path / "nine.dat")
    return tmp_path / "nine.dat"


def linear(wiring: list[int]) -> ProbeGroup:
    probe = generate_linear_probe(len(wiring), ypitch=20.0)
    probe.set_device_channel_indices(wiring)
    group = ProbeGroup()
    group.add_probe(probe)
    return group


@pytest.mark.parametrize("wiring", [[0, 1, 2, 3, 4, 5, 6, 7], [8, 3, -1, 1, 5], [2]])
def test_channels_without_a_contact_are_left_out(raw: Path, tmp_path: Path, wiring: list[int]) -> None:
    wired = sorted(k for k in wiring if k >= 0)
    left = [k for k in range(9) if k not in wired]
    gains = 0.1 * np.arange(1, 10)
    xephys.save_recording(open_recording(raw, **RAW, gain_to_uv=gains), tmp_path / "nine.zarr")
    with pytest.warns(XephysWarning, match=f"on {len(wired)} of 9 channels; without one are {left[0]}"):
        of_raw = open_recording(raw, **RAW, gain_to_uv=gains, probe=linear(wiring))
    with pytest.warns(XephysWarning, match="left out"):
        of_zarr = open_recording(tmp_path / "nine.zarr", probe=linear(wiring))
    for opened in (of_raw, of_zarr):
        assert opened.channel.values.tolist() == wired
        np.testing.assert_array_equal(opened.values, SAMPLES[:, wired])
        np.testing.assert_allclose(opened.gain_to_uv.values, gains[wired])
        assert opened.y.values.tolist() == [20.0 * wiring.index(k) for k in wired]


def test_channels_are_mapped_as_spikeinterface_maps_them(raw: Path) -> None:
    import spikeinterface.core as si

    group = linear([8, 3, -1, 1, 5])
    theirs = si.read_binary(raw, 1000.0, "int16", 9).select_channels_with_probegroup(group)
    with pytest.warns(XephysWarning, match="left out"):
        ours = open_recording(raw, **RAW, probe=group)
    order = np.argsort(theirs.channel_ids)
    np.testing.assert_array_equal(ours.values, theirs.get_traces()[:, order])
    np.testing.assert_array_equal(np.stack([ours.x, ours.y], 1), theirs.get_channel_locations()[order])


def test_a_probe_is_given_on_the_command_line(raw: Path, tmp_path: Path) -> None:
    write_probeinterface(tmp_path / "eight.json", linear(list(range(8))))
    result = run("info", raw, "--n-channels", 9, "--sampling-frequency", 1000, "--probe", tmp_path / "eight.json")
    assert "warning: the probe has contacts on 8 of 9 channels; without one are 8: left out" in result.stderr
    assert "8 (0 to 7)" in result.stdout


@pytest.mark.parametrize(
    ("probe", "message"),
    [
        (linear([-1, -1, -1]), "none of the 3 contacts of the probe is connected"),
        (linear(list(range(10))), "10 connected contacts and the recording 9 channels"),
        (linear([3, 9]), "run from 3 to 9; they must lie in 0 to 8, each at most once"),
        (np.stack([np.zeros(8), np.arange(8)], axis=1), "8 connected contacts and the recording 9 channels"),
        (generate_linear_probe(8), "8 connected contacts and the recording 9 channels"),
    ],
    ids=["unconnected", "too many", "beyond", "positions", "no wiring"],
)
def test_a_probe_that_does_not_fit_is_refused(raw: Path, probe: object, message: str) -> None:
    with pytest.raises(RecordingError, match=message):
        open_recording(raw, **RAW, probe=probe)


@pytest.mark.parametrize(
    ("factor", "message"),
    [(1e-3, "lie 0.02 um apart, less than 1: if they are in mm"), (1e3, "lie 20 mm apart, more than 5"), (1.0, None)],
)
def test_positions_in_another_unit_are_reported(raw: Path, factor: float, message: str | None) -> None:
    positions = np.stack([np.zeros(9), 20.0 * np.arange(9)], axis=1) * factor
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        open_recording(raw, **RAW, probe=positions)
    said = [str(one.message) for one in caught if issubclass(one.category, XephysWarning)]
    assert [message in one for one in said] == ([] if message is None else [True])
    silent = make_recording(
        np.zeros((3000, 9), "int16"),
        sampling_frequency=1000.0,
        coordinates={"x": positions[:, 0], "y": positions[:, 1]},
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        xephys.sort(silent)
    assert any("apart" in str(one.message) for one in caught) is (message is not None)


def test_contacts_in_one_place_cause_no_warning(raw: Path) -> None:
    places = np.repeat(np.arange(3), 3)
    recording = make_recording(
        SAMPLES, sampling_frequency=1000.0, coordinates={"x": np.zeros(9), "y": 0.0 * places, "shank": places}
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error", XephysWarning)
        xephys.recording.geometry.warn_odd_spacing(recording)


@pytest.mark.parametrize(("layout", "n_groups"), [("together", 1), ("tetrodes", 2), ("apart", 8)])
def test_layouts_say_which_channels_are_together(tmp_path: Path, layout: str, n_groups: int) -> None:
    file = tmp_path / "eight.dat"
    SAMPLES[:, :8].tofile(file)
    opened = open_recording(file, n_channels=8, sampling_frequency=1000.0, probe=layout)
    np.testing.assert_array_equal(opened.values, SAMPLES[:, :8])
    groups = channel_groups(opened)
    found = np.zeros(8, np.int64) if groups is None else groups
    assert found.tolist() == np.repeat(np.arange(n_groups), 8 // n_groups).tolist()
    places = np.stack([opened.x.values, opened.y.values], axis=1)[found == 0]
    assert len(np.unique(places, axis=0)) == 8 // n_groups
    text = run("info", file, "--n-channels", 8, "--sampling-frequency", 1000, "--probe", layout).stdout
    assert "8" in text


def test_tetrodes_have_four_channels(raw: Path) -> None:
    with pytest.raises(RecordingError, match="probe is 'tetrodes', 4 channels each, and the recording has 9"):
        open_recording(raw, **RAW, probe="tetrodes")
    with pytest.raises(FileNotFoundError, match="or give together, tetrodes, apart"):
        open_recording(raw, **RAW, probe="tetrod")
