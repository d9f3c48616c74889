"""Tetrodes with the same coordinates: all units, and the same spikes as with the tetrodes moved apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from probeinterface import ProbeGroup, generate_tetrode

import xephys
from xephys.testing import simulate_recording

N_TETRODES, UNITS_PER_TETRODE = 3, 2


@pytest.fixture(scope="module")
def tetrodes(tmp_path_factory: pytest.TempPathFactory) -> xr.DataArray:
    """Three tetrodes at (0, 0), opened with an ordinary probe group."""
    parts = [
        simulate_recording(
            duration_s=12, n_channels=4, n_units=UNITS_PER_TETRODE, probe="tetrode", seed=10 + k,
            amplitude_range_uv=(60, 120), rate_median_hz=12.0,
        )[0]
        for k in range(N_TETRODES)
    ]  # fmt: skip
    path: Path = tmp_path_factory.mktemp("tetrodes") / "raw.dat"
    np.concatenate([part.values for part in parts], axis=1).tofile(path)
    group = ProbeGroup()
    for _ in parts:
        group.add_probe(generate_tetrode())
    group.set_global_device_channel_indices(np.arange(4 * N_TETRODES))
    raw = {"n_channels": 4 * N_TETRODES, "sampling_frequency": 30_000.0, "gain_to_uv": 0.195}
    return xephys.open_recording(path, **raw, probe=group)


def test_a_probe_group_tells_them_apart(tetrodes: xr.DataArray) -> None:
    assert tetrodes.probe.values.tolist() == np.repeat(np.arange(N_TETRODES), 4).tolist()


@pytest.mark.parametrize("parameters", [{}, {"preset": "kilosort4", "nblocks": 0}], ids=["default", "kilosort4"])
def test_all_units_are_found_with_the_spikes_of_the_separated_layout(tetrodes: xr.DataArray, parameters: dict) -> None:
    number = tetrodes.probe.values
    moved = tetrodes.assign_coords(x=("channel", tetrodes.x.values + 500.0 * number))
    by_shank = tetrodes.drop_vars("probe").assign_coords(shank=("channel", number))
    found = xephys.sort(tetrodes, **parameters)
    of_units = found["units"]["channel_index"].values // 4
    if not parameters:
        assert np.bincount(of_units).tolist() == [UNITS_PER_TETRODE] * N_TETRODES
    assert np.ptp(found["units"]["x"].values) < 40
    templates = found["templates"]["templates"].values
    for unit, own in enumerate(of_units):
        elsewhere = np.delete(templates[unit], np.arange(4 * own, 4 * own + 4), axis=1)
        assert not elsewhere.any()
    for other in (moved, by_shank):
        again = xephys.sort(other, **parameters)
        for name in ("sample_index", "unit_index"):
            np.testing.assert_array_equal(again["spikes"][name].values, found["spikes"][name].values)


def test_every_localization_stays_on_the_own_tetrode(tetrodes: xr.DataArray) -> None:
    """Also with tetrodes at different places: each spike is located at its own tetrode."""
    number = tetrodes.probe.values
    moved = tetrodes.assign_coords(x=("channel", tetrodes.x.values + 70.0 * number))
    for method in ("center_of_mass", "monopolar_triangulation", "grid_convolution"):
        places = {}
        for name, one in (("here", tetrodes), ("moved", moved)):
            filtered = xephys.bandpass_filter(one).isel(time=slice(0, 60_000))
            peaks = xephys.detect_peaks(filtered, noise_levels=xephys.estimate_noise_levels(filtered))
            places[name] = xephys.localize_peaks(filtered, peaks, method=method).compute()
        own = number[places["here"]["channel_index"]]
        np.testing.assert_array_equal(places["here"]["channel_index"], places["moved"]["channel_index"])
        for axis, moved_by in (("x", 70.0 * own), ("y", 0.0)):
            apart = np.abs(places["moved"][axis] - moved_by - places["here"][axis])
            if method == "monopolar_triangulation":  # four unknowns from four wires: some fits end elsewhere
                assert np.mean(apart < 1.0) > 0.9
            else:
                assert apart.max() < 1e-3
