"""Groups of input and units: values cannot be changed, and every field says what it means."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from xephys.pipeline.config.config import GROUPS, config_table
from xephys.pipeline.config.groups import RecordingConfig


def test_groups_are_values() -> None:
    assert RecordingConfig() == RecordingConfig(freq_min=300)
    with pytest.raises(FrozenInstanceError):
        RecordingConfig().freq_min = 5  # type: ignore[misc]


def test_every_field_says_what_it_means() -> None:
    explained = {"figures"}  # names such as bar_x_label say it themselves
    assert [row[:2] for row in config_table() if not row[4] and row[0] not in explained] == []


def test_the_number_of_fields_is_that_of_the_interface_one_policy_and_options_of_readers() -> None:
    sizes = {name: sum(row[0] == name for row in config_table()) for name in GROUPS}
    assert sizes == {
        "recording": 13, "sorter": 4, "rt_sort": 10, "waveform": 12, "curation": 10, "compilation": 9, "figures": 26,
        "execution": 54,
    }  # fmt: skip
