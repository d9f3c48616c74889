"""Configurations: every field of dartsort with its default, from keywords, dictionaries and TOML, and back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from xephys import ParameterError
from xephys.dartsort import DARTsortUserConfig, read_config, write_config

TABLE = Path(__file__).parents[2] / "docs" / "dartsort_names.tsv"
ROWS = [line.split("\t") for line in TABLE.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
FIELDS = [row for row in ROWS if row[0] == "field"]
NUMBERS = {"2.6 + 0.1 / 3": 2.6 + 0.1 / 3, "1.0 / 3.0": 1.0 / 3.0}


@pytest.mark.parametrize("row", FIELDS, ids=lambda row: row[2])
def test_every_field_has_its_default(row: list[str]) -> None:
    _, _, name, _, default = row
    value = getattr(DARTsortUserConfig(), name)
    expected = NUMBERS.get(default, default)
    assert value == expected if isinstance(expected, float) else repr(value) == expected


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"voltage_treshold": 4}, "no field 'voltage_treshold'; did you mean 'voltage_threshold'"),
        ({"voltage_threshold": 0}, "voltage_threshold is 0: Input should be greater than 0"),
        ({"subsampling_presence": 1.5}, "subsampling_presence is 1.5: Input should be less than or equal to 1"),
        ({"preprocessing": "ibl"}, "preprocessing is 'ibl': Input should be 'none', 'standardize'"),
        ({"peak_sign": "negative"}, "peak_sign is 'negative'"),
        ({"correlation_threshold": float("nan")}, "correlation_threshold is nan"),
        ({"ms_before": 1000}, "ms_before is 1000: Input should be less than or equal to 20"),
        ({"voltage_threshold": True}, "voltage_threshold is True: Value error, a truth value; give a number"),
        ({"matching_iterations": True}, "matching_iterations is True: Value error, a truth value; give a number"),
        ({"temporal_pca_rank": 0, "max_dt_s": -1}, "temporal_pca_rank is 0.*max_dt_s is -1"),
    ],
)
def test_wrong_fields(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        DARTsortUserConfig(**fields)
    with pytest.raises(ParameterError, match=message):
        read_config(fields)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"subsampling_spikes": None, "smoothing_um": None, "rigid": True},
        {"tmpdir_parent": 'a "quoted" \\ path µ', "preprocessing": "none", "agg_kind": "none", "max_disp_um": 75},
        {
            "amplitude_scaling_boundary": 1 / 3,
            "ms_after": 2.6 + 0.1 / 3,
            "copy_recording_to_tmpdir": "if_preprocessing",
        },
    ],
)
def test_round_trip_through_toml(fields: dict[str, Any], tmp_path: Path) -> None:
    cfg = DARTsortUserConfig(**fields)
    write_config(cfg, tmp_path / "cfg.toml")
    assert read_config(tmp_path / "cfg.toml") == cfg
    assert read_config(cfg) is cfg
    assert read_config() == DARTsortUserConfig()


def test_paths_are_texts_and_a_configuration_does_not_change() -> None:
    cfg = DARTsortUserConfig(tmpdir_parent=Path("there"), do_motion_estimation=False)
    assert cfg.tmpdir_parent == "there"
    with pytest.raises(ParameterError, match=r"not changed after it is made.*'rigid': True"):
        cfg.rigid = True  # type: ignore[misc]
    with pytest.raises(ParameterError, match="no field '1'"):
        read_config({1: 2})  # type: ignore[dict-item]
    for wrong in (5, [("rigid", True)], DARTsortUserConfig):
        with pytest.raises(ParameterError, match="give a DARTsortUserConfig, a dictionary of its fields, or the path"):
            read_config(wrong)  # type: ignore[arg-type]


def test_files_that_are_not_configurations(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="cannot be read: No such file"):
        read_config(tmp_path / "none.toml")
    (tmp_path / "a.toml").write_text("rigid: true")
    with pytest.raises(ParameterError, match="is not TOML"):
        read_config(tmp_path / "a.toml")
    (tmp_path / "b.toml").write_text("rigit = true")
    with pytest.raises(ParameterError, match="did you mean 'rigid'"):
        read_config(tmp_path / "b.toml")
