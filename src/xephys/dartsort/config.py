"""Configurations of dartsort from keywords, dictionaries and TOML files, and back."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import ParameterError
from ..io.store.atomic import whole_or_absent
from ..sorter.dartsort.parameters import DARTsortUserConfig
from ..typing import PathLike


def read_config(cfg: DARTsortUserConfig | Mapping[str, Any] | PathLike | None = None) -> DARTsortUserConfig:
    """A configuration from itself, a dictionary or the path of a TOML file; the defaults if None.

    Parameters
    ----------
    cfg
        Fields that are left out keep their defaults.

    Returns
    -------
    DARTsortUserConfig

    Raises
    ------
    ParameterError
        If the file is not TOML, a field does not exist (the nearest is suggested), or a value is outside its limits.

    Examples
    --------
    >>> read_config({"rigid": True}).rigid
    True
    """
    if cfg is None:
        return DARTsortUserConfig()
    if isinstance(cfg, DARTsortUserConfig):
        return cfg
    if isinstance(cfg, Mapping):
        return DARTsortUserConfig(**{str(name): value for name, value in cfg.items()})
    if not isinstance(cfg, (str, os.PathLike)):
        raise ParameterError(
            f"cfg is a {type(cfg).__name__}; give a DARTsortUserConfig, a dictionary of its fields, or the path of a "
            "TOML file"
        )
    path = Path(cfg)
    try:
        fields = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ParameterError(f"{path} is not TOML: {error}; write one line 'field = value' for each field") from error
    except OSError as error:
        raise ParameterError(f"{path} cannot be read: {error.strerror}; give the path of a TOML file") from error
    return DARTsortUserConfig(**fields)


def write_config(cfg: DARTsortUserConfig, path: PathLike) -> None:
    """Write every field of a configuration to a TOML file, from which :func:`read_config` makes it again.

    TOML has no null: None is the text ``"none"``, and a field whose default is None is left out.

    Parameters
    ----------
    cfg
        The configuration.
    path
        File that is written, or replaced.

    Raises
    ------
    OutputError
        If the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_config(DARTsortUserConfig(max_dt_s=100), f"{folder}/cfg.toml")
    ...     read_config(f"{folder}/cfg.toml").max_dt_s
    100.0
    """
    text = "".join(f"{name} = {_toml(value)}\n" for name, value in cfg.model_dump().items() if _is_needed(name, value))
    with whole_or_absent(path, overwrite=True) as hidden:
        hidden.write_text(text, encoding="utf-8")


def _is_needed(name: str, value: Any) -> bool:
    return value is not None or DARTsortUserConfig.model_fields[name].default is not None


def _toml(value: Any) -> str:
    """A value in TOML, which for text, numbers and truth values is JSON."""
    return json.dumps("none" if value is None else value)
