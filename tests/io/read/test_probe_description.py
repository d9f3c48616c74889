"""A probe on a recording is one line for people and the complete description for programs and files."""

from __future__ import annotations

import copy
import json
import pickle

import numpy as np
import pytest
import xarray as xr

import xephys
from xephys.io.read.probe import probegroup_of
from xephys.io.read.probe_description import ProbeDescription


@pytest.fixture
def recording(tmp_path):
    from probeinterface import ProbeGroup, generate_multi_columns_probe, write_probeinterface

    probe = generate_multi_columns_probe(num_columns=2, num_contact_per_column=16)
    probe.set_device_channel_indices(np.arange(32))
    probe.model_name = "A32"
    group = ProbeGroup()
    group.add_probe(probe)
    write_probeinterface(tmp_path / "probe.json", group)
    np.zeros((600, 32), "int16").tofile(tmp_path / "raw.bin")
    return xephys.open_recording(
        tmp_path / "raw.bin", n_channels=32, sampling_frequency=30_000.0, probe=tmp_path / "probe.json"
    )


def test_people_see_one_line_and_programs_everything(recording):
    described = recording.attrs["probegroup"]
    assert repr(described) == "<probe A32 of 32 contacts, as text>"
    assert len(repr(recording)) < 3000
    assert len(recording._repr_html_()) < 60_000
    assert "contact_positions" not in recording._repr_html_()
    assert probegroup_of(recording).get_contact_count() == 32


@pytest.mark.parametrize("suffix", ["zarr", "nc", "binary"])
def test_files_hold_the_complete_description(recording, suffix, tmp_path):
    described = recording.attrs["probegroup"]
    if suffix == "nc":
        recording.compute().reset_index("time", drop=True).drop_vars("time", errors="ignore").to_netcdf(
            tmp_path / "a.nc"
        )
        assert xr.open_dataarray(tmp_path / "a.nc").attrs["probegroup"][:] == described[:]
        return
    xephys.save_recording(recording, tmp_path / f"a.{suffix}", format=suffix)
    again = xephys.open_recording(tmp_path / f"a.{suffix}")
    assert "A32" in repr(again.attrs["probegroup"])
    assert probegroup_of(again).get_contact_count() == 32


def test_the_description_is_a_text_that_survives_pickling(recording):
    described = recording.attrs["probegroup"]
    for same in (copy.deepcopy(described), pickle.loads(pickle.dumps(described)), described[:]):
        assert same == described
        assert json.loads(same)["probes"]


def test_several_probes_and_no_probe():
    one = {"contact_positions": [[0, 0]] * 4}
    assert repr(ProbeDescription(json.dumps({"probes": [one, one]}))) == "<2 probes of 8 contacts, as text>"
    assert repr(ProbeDescription("no probe")) == "'no probe'"
