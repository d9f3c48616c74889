"""The folder of a study: recordings or references to them, their ground truth, and the runs of the sorters."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import xarray as xr

from ..errors import OutputError, ParameterError
from ..io.bridge.spikeinterface import from_spikeinterface, to_spikeinterface
from ..io.store.atomic import whole_or_absent
from ..io.store.save import save_recording
from ..io.store.sorting import save_sorting
from ..pipeline.run_folder import RunRecord, read_run
from ..typing import PathLike

STUDY_NAME = "study.json"


def create_folder(study_folder: PathLike, gt_dict: Mapping[str, tuple[Any, Any]]) -> None:
    """Create the folder with its recordings and their truth, whole or not at all."""
    if not gt_dict:
        raise ParameterError("gt_dict is empty; give {name: (recording, truth)}")
    for name in gt_dict:
        if not isinstance(name, str) or not name or name.startswith(".") or "/" in name or "\\" in name:
            raise ParameterError(f"{name!r} cannot be the name of a folder; choose another name for the recording")
    with whole_or_absent(study_folder, overwrite=False) as hidden:
        places = {name: _add(hidden, name, *pair) for name, pair in gt_dict.items()}
        (hidden / STUDY_NAME).write_text(json.dumps({"recordings": places}, indent=1), encoding="utf-8")


def read_places(folder: Path) -> dict[str, str]:
    """Where each recording lies in the folder, by name.

    Raises
    ------
    OutputError
        If the folder holds no study.
    """
    try:
        places: dict[str, str] = json.loads((folder / STUDY_NAME).read_text(encoding="utf-8"))["recordings"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise OutputError(f"{folder} holds no study; make one with GroundTruthStudy.create") from error
    return places


def read_runs(folder: Path) -> dict[tuple[str, str], RunRecord]:
    """The finished and failed runs, by recording and sorter."""
    found = (path.parent for path in sorted((folder / "runs").glob("*/*/run.json")))
    records = {(place.parent.name, place.name): read_run(place) for place in found}
    return {key: record for key, record in records.items() if record is not None}


def truth_path(folder: Path, rec_name: str) -> Path:
    """The sorting that is the truth of a recording."""
    return folder / "ground_truth" / f"{rec_name}.zarr"


def _add(folder: Path, name: str, recording: Any, truth: Any) -> str:
    """Refer to a recording, or save it if it is only in memory; save its truth. Returns where the recording is."""
    lazy = recording if isinstance(recording, (xr.DataArray, xr.DataTree)) else from_spikeinterface(recording)
    (folder / "recordings").mkdir(parents=True, exist_ok=True)
    (folder / "ground_truth").mkdir(exist_ok=True)
    if hasattr(truth, "unit_positions") and isinstance(lazy, xr.DataArray):  # the truth of a simulation
        from ..simulation.sorting import truth_sorting

        truth = truth_sorting(lazy, truth)
    tree = truth if isinstance(truth, xr.DataTree) else from_spikeinterface(truth)
    save_sorting(tree, truth_path(folder, name))
    theirs = to_spikeinterface(lazy)
    if theirs.check_serializability("json"):
        theirs.dump(folder / "recordings" / f"{name}.json")
        return f"recordings/{name}.json"
    save_recording(lazy, folder / "recordings" / f"{name}.zarr")
    return f"recordings/{name}.zarr"
