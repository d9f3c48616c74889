"""Tables of parameters are complete, with limits and units."""

from __future__ import annotations

import pytest

import xephys
from xephys.errors import ParameterError
from xephys.sorter.presets import PRESETS, find_preset


@pytest.mark.parametrize("preset", PRESETS)
def test_every_parameter_has_a_row_with_a_meaning(preset):
    table = xephys.parameters(preset)
    assert [row.name for row in table.rows] == list(find_preset(preset).model.model_fields)
    assert all(row.meaning for row in table.rows)
    text, html, page = repr(table), table._repr_html_(), table.to_markdown()
    for row in table.rows:
        assert row.name in text
        assert f"<td>{row.name}</td>" in html
        assert f"| `{row.name}` |" in page


def test_rows_name_the_accepted_values():
    table = xephys.parameters()
    assert tuple(table["detect_threshold"]) == ("detect_threshold", "4.5", "> 0", "noise", "detection threshold")
    assert table["ms_before"].unit == "ms"
    assert table["filter_order"].limits == "≥ 1, ≤ 10"
    assert table["reference"].limits == "median, average, none"
    assert xephys.parameters("kilosort4")["dminx"].unit == "µm"


def test_listed_defaults_are_those_of_a_sort():
    for preset in PRESETS:
        model, table = find_preset(preset).model(), xephys.parameters(preset)
        for name, value in model.model_dump().items():
            shown = table[name].default
            assert shown == ("" if value is None else f"{value:g}" if isinstance(value, float) else str(value))


def test_an_unknown_preset_is_refused():
    with pytest.raises(ParameterError, match="did you mean 'kilosort4'"):
        xephys.parameters("kilosort")


def test_the_help_of_sort_names_the_table():
    assert "xephys.parameters" in xephys.sort.__doc__


def test_a_pass_band_in_kilohertz_is_refused():
    recording = xephys.testing.simulate_recording(duration_s=1, n_channels=4, n_units=1, seed=0)[0]
    with pytest.raises(ParameterError, match=r"freq_max_hz is 6 Hz, .* if 6 kHz is meant, give 6000"):
        xephys.sort(recording, freq_min_hz=0.3, freq_max_hz=6)
