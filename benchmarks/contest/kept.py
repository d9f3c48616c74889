"""A folder that keeps results, so that a table can be put together over several runs and nothing is run twice."""

import hashlib
import inspect
import json
from pathlib import Path
from typing import Any

from . import coincidence, scoring
from .running import identity
from .sets import Recorded

#: Changes when the definition of a score changes: stored sortings are then scored again.
SCORING = hashlib.sha256(
    (inspect.getsource(scoring) + inspect.getsource(coincidence)).encode(), usedforsecurity=False
).hexdigest()[:12]


def place_of(folder: Path, set_name: str, sorter: str) -> Path:
    return folder / "runs" / set_name.replace(":", "-") / identity(sorter).replace("+", "-").replace(":", "-")


def kept_run(folder: Path, recorded: Recorded, sorter: str, *, limit_s: float) -> dict[str, Any] | None:
    """The stored run of this sorter with this code and these parameters on these samples; None if there is none.

    A run that was stopped at a limit shorter than ``limit_s`` does not count.
    """
    path = place_of(folder, recorded.name, sorter) / "run.json"
    if not path.is_file():
        return None
    made: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    stopped = made["state"].startswith("over") and made["limit_s"] < limit_s
    return None if stopped or made["digest"] != recorded.digest else made


def keep(folder: Path, made: dict[str, Any]) -> None:
    """Write the record of a run, whole or not at all."""
    path = place_of(folder, made["set"], made["sorter"]) / "run.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".part")
    partial.write_text(json.dumps(made, indent=1), encoding="utf-8")
    partial.replace(path)


def all_runs(folder: Path) -> list[dict[str, Any]]:
    """Every stored run, including those of earlier code, in order of time."""
    paths = (folder / "runs").glob("*/*/run.json")
    return sorted((json.loads(path.read_text(encoding="utf-8")) for path in paths), key=lambda made: made["when"])
