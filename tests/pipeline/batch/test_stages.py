"""The stages of a group: what each leaves beside the units, and which epoch judges them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from xephys.pipeline import sort_recording

from .conftest import QUICK


def test_the_history_of_both_stages_is_beside_the_units(write_wells: Callable[..., list[Path]]) -> None:
    (well,) = write_wells(1)
    limits: dict[str, Any] = {**QUICK, "spikes_min_first": 10, "snr_min": 12.0}
    (result,) = sort_recording([well / "file0.bin"], **limits)
    first, second = (
        json.loads((result.folder / ".stages" / f"curation_{stage}" / "history.json").read_text())
        for stage in ("first", "second")
    )
    assert first["rules"] == ["num_spikes >= 10"] and second["initial"] == first["curated_final"]
    assert result.spike_data.unit_ids.tolist() == second["curated_final"]
    assert set(second["failed"]) == {str(unit) for unit in set(second["initial"]) - set(second["curated_final"])}


def test_units_may_be_judged_on_one_epoch(write_wells: Callable[..., list[Path]]) -> None:
    (well,) = write_wells(1)
    (result,) = sort_recording([well], curation_epoch=1, **QUICK)[:1]
    table = result.spike_data.units
    joint = sort_recording([well], **QUICK)[1].spike_data
    by_unit = dict(zip(joint.unit_ids.tolist(), map(len, joint.samples), strict=True))
    for unit, n in zip(table["unit_id"].values.tolist(), table["num_spikes"].values.tolist(), strict=True):
        assert n == by_unit.get(unit, n)
