"""Results are in the unit of the traces."""

from __future__ import annotations

import pytest

import xephys
from xephys.testing import simulate_recording


@pytest.mark.parametrize("preset", ["default", "kilosort4"])
def test_without_gains_amplitudes_and_templates_are_in_counts(preset):
    recording, _ = simulate_recording(n_channels=4, n_units=2, probe="tetrode", duration_s=6.0, seed=0)
    for given, unit in ((recording, "uV"), (recording.drop_vars(["gain_to_uv", "offset_to_uv"]), "counts")):
        sorting = xephys.sort(given, preset=preset)
        assert sorting["units"].sizes["unit"] == 2
        values = sorting["spikes"]["amplitude"], sorting["units"]["amplitude"], sorting["templates"]["templates"]
        assert {variable.attrs["units"] for variable in values} == {unit}
