"""Attributes as text and back."""

import numpy as np
import pytest

import xephys
from xephys.attributes import as_text, from_text, lines_of
from xephys.schema import make_recording


@pytest.mark.parametrize("value", [{"a": [1, 2.5, None, "text"]}, ["x", "y"], {}, [], 3, "text", None])
def test_there_and_back(value):
    assert from_text(as_text(value), value) == value if isinstance(value, (dict, list)) else as_text(value) is value


@pytest.mark.parametrize("value", [{"a": (1, 2)}, {1: "a"}, {"a": np.arange(3)}, [object()]])
def test_values_that_json_cannot_hold_stay_unchanged(value):
    assert as_text(value) is value and from_text(as_text(value), None) is value


def test_a_window_with_every_label_becomes_a_netcdf_file(tmp_path):
    from probeinterface import generate_multi_columns_probe

    probe = generate_multi_columns_probe(num_columns=2, num_contact_per_column=2)
    probe.set_device_channel_indices(np.arange(4))
    np.zeros((3000, 4), "i2").tofile(tmp_path / "a.bin")
    opened = xephys.open_recording(
        tmp_path / "a.bin", sampling_frequency=1000.0, n_channels=4, gain_to_uv=0.2, probe=probe
    )
    theirs = xephys.to_spikeinterface(opened)
    theirs.set_property("stacked", np.arange(12.0).reshape(4, 3)[:, :1].repeat(3, 1))
    opened.attrs["annotations"] = as_text({"subject": {"name": "A", "days": [1, 2]}})
    opened[500:700].to_netcdf(tmp_path / "a.nc")
    import xarray as xr

    back = xr.open_dataarray(tmp_path / "a.nc")
    assert xephys.to_spikeinterface(back).get_annotation("subject") == {"name": "A", "days": [1, 2]}
    assert xephys.to_spikeinterface(back).get_probe().contact_shapes.tolist() == probe.contact_shapes.tolist()


def test_a_history_stored_as_a_list_is_extended():
    recording = make_recording(np.zeros((90, 2)), sampling_frequency=1000.0).assign_attrs(history="one\ntwo")
    longer = xephys.scale(recording, gain=2.0)
    steps = lines_of(longer.attrs["history"])
    assert steps[:2] == lines_of(["one", "two"]) == ["one", "two"]
    assert len(steps) == 3
