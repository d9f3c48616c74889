"""Stages of a batch that are kept on disk under the content they follow from, and repeated only when it changes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

from ... import __version__
from ...errors import OutputError
from ...io.store.atomic import whole_or_absent
from ...sorting import plain_value

#: File with the key of what a folder holds; written together with it.
KEY_NAME = "xephys.json"


def content_key(*parts: Any) -> str:
    """A digest of plain values, groups of a configuration, and other keys; another version of the package differs.

    Examples
    --------
    >>> content_key("a", {"x": 1}) == content_key("a", {"x": 1}), content_key("a") == content_key("b")
    (True, False)
    """
    plain = [asdict(part) if is_dataclass(part) and not isinstance(part, type) else part for part in parts]
    text = json.dumps([__version__, *plain], default=plain_value, sort_keys=True)
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()[:16]


def key_in(folder: Path) -> str | None:
    """The key of what a folder holds; None if it holds nothing that is whole."""
    try:
        stored = json.loads((folder / KEY_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return str(stored.get("key")) if isinstance(stored, Mapping) else None


def keep_stage(folder: Path, key: str, write: Callable[[Path], None], *, repeat: bool = False) -> bool:
    """Write a stage's results unless the folder holds those of the same key; whether they were written.

    Raises
    ------
    OutputError
        If the folder cannot be written to, or holds something else.
    """
    if not repeat and key_in(folder) == key:
        return False
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot create {folder.parent}: {error.strerror}; choose another folder") from error
    with whole_or_absent(folder, overwrite=True) as hidden:
        hidden.mkdir()
        write(hidden)
        (hidden / KEY_NAME).write_text(json.dumps({"key": key}), encoding="utf-8")
    return True
