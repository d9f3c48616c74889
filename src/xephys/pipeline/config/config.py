"""``SortingPipelineConfig``: eight groups of fields, their short names, and the same as a TOML file."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import Field, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from ...checks import hint_for, readable
from ...errors import ParameterError
from ...io.store.atomic import whole_or_absent
from ...typing import PathLike
from .execution import ExecutionConfig
from .fields import Group
from .figures import FigureConfig
from .groups import CompilationConfig, CurationConfig, RecordingConfig, RTSortConfig, SorterConfig, WaveformConfig

#: Version of the fields, as written into files.
VERSION = 1
#: Short names that are not the field's own, by group and field.
_ALIASES = {
    ("sorter", "sorter_path"): "kilosort_path",
    ("sorter", "sorter_params"): "kilosort_params",
    ("rt_sort", "save_rt_sort_pickle"): "rt_sort_save_pickle",
    ("waveform", "ms_before"): "waveforms_ms_before",
    ("waveform", "ms_after"): "waveforms_ms_after",
    ("waveform", "compiled_ms_before"): "compiled_waveforms_ms_before",
    ("waveform", "compiled_ms_after"): "compiled_waveforms_ms_after",
    ("waveform", "streaming"): "streaming_waveforms",
    ("figures", "dpi"): "figures_dpi",
    ("figures", "font_size"): "figures_font_size",
    ("figures", "templates_window_ms_before"): "all_templates_window_ms_before_peak",
    ("figures", "templates_window_ms_after"): "all_templates_window_ms_after_peak",
    ("figures", "templates_line_ms_before"): "all_templates_line_ms_before_peak",
    ("figures", "templates_line_ms_after"): "all_templates_line_ms_after_peak",
}


@dataclass(frozen=True)
class SortingPipelineConfig:
    """All that a batch depends on, besides its recordings. A value: changing it makes another one.

    Attributes
    ----------
    recording, sorter, rt_sort, waveform, curation, compilation, figures, execution
        Groups of fields. :func:`config_table` lists fields, short names, defaults, units and meanings.

    Raises
    ------
    ParameterError
        If a value has another type or lies outside its limits.

    Examples
    --------
    >>> config = SortingPipelineConfig.from_kwargs(snr_min=4, freq_min=250)
    >>> config.curation.snr_min, config.override(snr_min=None).curation.snr_min
    (4.0, None)
    >>> SortingPipelineConfig.from_toml(config.to_toml()) == config
    True
    """

    recording: RecordingConfig = field(default_factory=RecordingConfig)
    sorter: SorterConfig = field(default_factory=SorterConfig)
    rt_sort: RTSortConfig = field(default_factory=RTSortConfig)
    waveform: WaveformConfig = field(default_factory=WaveformConfig)
    curation: CurationConfig = field(default_factory=CurationConfig)
    compilation: CompilationConfig = field(default_factory=CompilationConfig)
    figures: FigureConfig = field(default_factory=FigureConfig)
    execution: ExecutionConfig = field(default_factory=ExecutionConfig)

    def __post_init__(self) -> None:
        for group in fields(self):
            kind, value = GROUPS[group.name], getattr(self, group.name)
            if not isinstance(value, kind):
                raise ParameterError(f"{group.name} is {value!r:.60}; give a {kind.__name__}")

    @classmethod
    def from_kwargs(cls, **flat: Any) -> SortingPipelineConfig:
        """A configuration from short names; all other fields have their defaults.

        Raises
        ------
        ParameterError
            If a name is unknown (the nearest one is suggested), or a value does not fit.
        """
        return cls().override(**flat)

    def override(self, **flat: Any) -> SortingPipelineConfig:
        """Another configuration with some fields changed, by short names; this one stays as it is.

        Raises
        ------
        ParameterError
            If a name is unknown (the nearest one is suggested), or a value does not fit.
        """
        names = flat_names()
        changes: dict[str, dict[str, Any]] = {}
        for name, value in flat.items():
            if name in GROUPS and isinstance(value, Group):
                raise ParameterError(f"{name} is a whole group; give SortingPipelineConfig({name}=...), or its fields")
            if name not in names:
                raise ParameterError(f"there is no field {name!r} in the configuration{hint_for(name, names)}")
            group, own = names[name]
            if own in changes.setdefault(group, {}):
                raise ParameterError(f"{name} is given under two names; give {group}.{own} once")
            changes[group][own] = value
        return replace(self, **{group: replace(getattr(self, group), **new) for group, new in changes.items()})

    def to_toml(self, path: PathLike | None = None) -> str:
        """The configuration as TOML, one table per group; also written to a file if a path is given."""
        lines = [f"version = {VERSION}"]
        for group in fields(self):
            lines += ["", f"[{group.name}]"]
            for one in fields(getattr(self, group.name)):
                lines.append(f"{one.name} = {_toml(getattr(getattr(self, group.name), one.name))}")
        text = "\n".join(lines) + "\n"
        if path is not None:
            with whole_or_absent(path, overwrite=True) as hidden:
                hidden.write_text(text, encoding="utf-8")
        return text

    @classmethod
    def from_toml(cls, source: PathLike) -> SortingPipelineConfig:
        """A configuration from a TOML file, or from its text; fields that are left out have their defaults.

        Raises
        ------
        ParameterError
            If it is not TOML, belongs to another version, or a group, field or value does not fit.
        FileNotFoundError
            If there is no such file.
        """
        if isinstance(source, str) and "\n" in source:
            return cls._of_text(source)
        with readable(source, what="a configuration (TOML)"):
            text = Path(source).read_text(encoding="utf-8")
        try:
            return cls._of_text(text)
        except ParameterError as error:
            raise ParameterError(f"{source}: {error}") from error

    @classmethod
    def _of_text(cls, text: str) -> SortingPipelineConfig:
        try:
            stored = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise ParameterError(f"the configuration is not TOML: {error}") from error
        return cls.from_dict(stored)

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """Plain values by group and field."""
        return {
            group.name: {one.name: getattr(part, one.name) for one in fields(part)}
            for group in fields(self)
            for part in [getattr(self, group.name)]
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> SortingPipelineConfig:
        """A configuration from values by group and field, as :meth:`to_dict` returns them.

        Raises
        ------
        ParameterError
            If it belongs to another version, or a group, field or value does not fit.
        """
        version = stored.get("version", VERSION)
        if version != VERSION:
            raise ParameterError(
                f"the configuration is of version {version!r} and this package reads version {VERSION}; write it again "
                "with to_toml of the version at hand"
            )
        made = {}
        for name, values in stored.items():
            if name == "version":
                continue
            if name not in GROUPS or not isinstance(values, Mapping):
                raise ParameterError(f"there is no group {name!r} in the configuration{hint_for(name, GROUPS)}")
            known = [one.name for one in fields(GROUPS[name])]
            for key in values:
                if key not in known:
                    raise ParameterError(f"group {name!r} has no field {key!r}{hint_for(key, known)}")
            made[name] = GROUPS[name](**{key: None if value == "none" else value for key, value in values.items()})
        return cls(**made)


#: The groups by name.
GROUPS: dict[str, type[Group]] = {
    "recording": RecordingConfig,
    "sorter": SorterConfig,
    "rt_sort": RTSortConfig,
    "waveform": WaveformConfig,
    "curation": CurationConfig,
    "compilation": CompilationConfig,
    "figures": FigureConfig,
    "execution": ExecutionConfig,
}


def flat_names() -> dict[str, tuple[str, str]]:
    """Group and field of each short name.

    A field's short name is its own, with the prefix ``rt_sort_`` in that group; some have another one, and those are
    listed under both unless two groups share the field's name.

    Examples
    --------
    >>> names = flat_names()
    >>> names["rt_sort_probe"], names["kilosort_params"], names["sorter_params"]
    (('rt_sort', 'probe'), ('sorter', 'sorter_params'), ('sorter', 'sorter_params'))
    """
    names: dict[str, tuple[str, str]] = {}
    for group, one in _all_fields():
        own = f"rt_sort_{one.name}" if group == "rt_sort" else one.name
        names[own] = group, one.name
        if (group, one.name) in _ALIASES:
            names[_ALIASES[group, one.name]] = group, one.name
    return names


def config_table() -> list[tuple[str, str, str, str, str]]:
    """Group, field, default, unit and meaning of every field.

    Examples
    --------
    >>> config_table()[-1][:3]
    ('execution', 'failure_policy', "'skip'")
    """
    return [
        (group, one.name, repr(one.default), one.metadata["unit"], one.metadata["doc"] or one.metadata["instead"])
        for group, one in _all_fields()
    ]


def _all_fields() -> Iterator[tuple[str, Field[Any]]]:
    for group, kind in GROUPS.items():
        for one in fields(kind):
            yield group, one


def _toml(value: Any) -> str:
    """A value in TOML, which has no null: a text stands for it."""
    if value is None:
        return '"none"'
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(key)} = {_toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, float) and value == int(value) and abs(value) < 1e15:
        return f"{value:.1f}"
    if isinstance(value, (bool, int, float, str)):
        return json.dumps(value, ensure_ascii=False)
    return _toml(value.tolist()) if hasattr(value, "tolist") else json.dumps(str(value))
