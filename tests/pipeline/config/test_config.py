"""The whole configuration: short names, changes that make another one, and files."""

from __future__ import annotations

from pathlib import Path

import pytest

from xephys.errors import ParameterError
from xephys.pipeline.config.config import SortingPipelineConfig, flat_names
from xephys.pipeline.config.groups import CurationConfig
from xephys.pipeline.config.presets import KILOSORT4


def test_every_short_name_sets_its_field() -> None:
    config = SortingPipelineConfig()
    for name, (group, own) in flat_names().items():
        value = getattr(getattr(config, group), own)
        assert config.override(**{name: value}) == config


def test_a_change_makes_another_configuration() -> None:
    changed = KILOSORT4.override(snr_min=None, waveforms_ms_before=1.5, rt_sort_probe="neuropixels")
    assert (changed.curation.snr_min, changed.waveform.ms_before, changed.rt_sort.probe) == (None, 1.5, "neuropixels")
    assert KILOSORT4.curation.snr_min == 5.0


@pytest.mark.parametrize(
    ("flat", "message"),
    [
        ({"snr_mn": 3}, "did you mean 'snr_min'"),
        ({"detect_treshold": 3}, "no field 'detect_treshold'"),
        ({"kilosort_params": {}, "sorter_params": {}}, "give sorter.sorter_params once"),
        ({"curation": CurationConfig()}, "whole group"),
    ],
)
def test_unknown_and_repeated_names_are_refused(flat: dict[str, object], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        SortingPipelineConfig.from_kwargs(**flat)


def test_a_group_has_to_be_of_its_kind() -> None:
    with pytest.raises(ParameterError, match="give a RecordingConfig"):
        SortingPipelineConfig(recording=CurationConfig())  # type: ignore[arg-type]


def test_a_file_holds_everything(tmp_path: Path) -> None:
    config = SortingPipelineConfig.from_kwargs(
        snr_min=None, rec_chunks_s=[(0, 1.5), (2, 1e9)], sorter_params={"Th": [9, 8], "text": 'a "quoted" name'}
    )
    config.to_toml(tmp_path / "config.toml")
    assert SortingPipelineConfig.from_toml(tmp_path / "config.toml") == config
    assert SortingPipelineConfig.from_dict(config.to_dict()) == config


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("version = 2\n", "of version 2 and this package reads version 1"),
        ("[curaton]\nsnr_min = 3\n", "did you mean 'curation'"),
        ("[curation]\nsnr = 3\n", "did you mean 'snr_min'"),
        ("snr_min = 3\n", "no group 'snr_min'"),
        ("[curation\n", "is not TOML"),
    ],
)
def test_a_file_of_something_else_is_refused(text: str, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        SortingPipelineConfig.from_toml(text)


@pytest.mark.parametrize(("text", "said"), [("[curation\n", "is not TOML"), ("[curaton]\n", "did you mean 'curation'")])
def test_a_file_that_does_not_fit_is_named(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ParameterError, match=f"bad.toml: .*{said}"):
        SortingPipelineConfig.from_toml(path)
