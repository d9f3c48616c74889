"""``dartsort``: the whole sort into a folder, from a configuration to a sorting and a motion."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import xarray as xr

from ..errors import ParameterError, SilentRecordingError
from ..io.bridge.spikeinterface import from_spikeinterface
from ..io.export.optional import needed
from ..per_channel import positions_of
from ..recording.fingerprint import recording_fingerprint
from ..sorter.dartsort.parameters import DARTsortParameters, DARTsortUserConfig
from ..sorter.dartsort.prepare import check_settings
from ..sorter.dartsort.sort import detect_dartsort, sort_dartsort
from ..sorter.presets import find_preset
from ..sorter.run import sort_with
from ..sorter.steps.passes import NoUnits, Run
from ..typing import PathLike
from .config import read_config, write_config
from .convert import LOCALIZATIONS
from .hdf5 import write_features
from .motion import MotionInfo
from .sorting import DARTsortSorting, features_of

#: Files of the output folder.
SETTINGS, SORTING, FEATURES, MOTION = "dartsort_config.toml", "dartsort_sorting.npz", "matching1.h5", "motion.npz"
#: Positions that differ by less are those of one probe, rounded otherwise.
SAME_PLACE_UM = 0.5
#: Folder of finished passes, and the text that says which recording they are of.
PASSES, RECORDING = "passes", "recording.txt"


class DARTsortReturn(TypedDict):
    """What :func:`dartsort` returns."""

    sorting: DARTsortSorting
    motion: MotionInfo


def dartsort(
    recording: Any,
    output_dir: PathLike,
    cfg: DARTsortUserConfig | Mapping[str, Any] | PathLike | None = None,
    motion: MotionInfo | None = None,
    si_motion: Any = None,
    dredge_motion_est: Any = None,
    overwrite: bool = False,
) -> DARTsortReturn:
    """Sort a recording as dartsort does, into a folder. Computes.

    Parameters
    ----------
    recording
        A recording of this package or of SpikeInterface, of one segment.
    output_dir
        Folder of the results: ``dartsort_sorting.npz``, ``matching1.h5``, ``motion.npz`` and the configuration. A
        finished folder of the same recording and settings is read; an unfinished one is resumed.
    cfg
        Configuration, as :func:`read_config` takes it.
    motion, si_motion, dredge_motion_est
        A motion to use instead of an estimate: a :class:`MotionInfo`, a ``Motion`` of SpikeInterface, or an estimate of
        DREDge. At most one.
    overwrite
        Replace what an earlier run with other settings left.

    Returns
    -------
    dict with ``sorting`` (:class:`DARTsortSorting`) and ``motion`` (:class:`MotionInfo`). With ``dredge_only``, the
    sorting holds the detected events, without labels.

    Raises
    ------
    ParameterError
        If a field is wrong, several motions are given, one of them does not fit, or the folder holds a run of another
        recording or other settings.
    RecordingError
        If the recording cannot be sorted, or has several segments.
    ImportError
        If features are to be written and h5py is not installed.

    Examples
    --------
    >>> import tempfile
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=10, n_channels=16, n_units=3, seed=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     found = dartsort(recording, folder + "/out", {"preprocessing": "ibllikecmr", "save_final_features": False})
    >>> sorted(found)
    ['motion', 'sorting']
    """
    config = read_config(cfg)
    traces = _traces(recording)
    if isinstance(traces, xr.DataTree):
        raise ParameterError(
            f"the recording has {len(traces.children)} segments, and dartsort's files hold one; use "
            "xephys.sort(recording, preset='dartsort'), or concatenate them: xephys.concatenate_segments"
        )
    if config.save_final_features:
        needed("h5py", extra="dartsort", what="save_final_features")
    geom = positions_of(traces, why="dartsort")
    given = _given_motion(motion, si_motion, dredge_motion_est, geom)
    folder = Path(output_dir)
    if _same_run(folder, config, traces, overwrite=overwrite) and (folder / SORTING).exists():
        stored = MotionInfo.try_load(folder)
        return {
            "sorting": DARTsortSorting.load(folder / SORTING),
            "motion": MotionInfo.static(geom) if stored is None else stored,
        }
    write_config(config, folder / SETTINGS)
    (folder / RECORDING).write_text(recording_fingerprint(traces), encoding="utf-8")
    parameters = DARTsortParameters(**config.model_dump())
    with _passes(folder, config) as work:
        if config.dredge_only:
            sorting, found = _events(traces, parameters, work, given)
        else:
            sorting, found = _units(traces, parameters, work, given)
        info = given if given is not None else MotionInfo.of_motion(found, geom=geom)
        info.save(folder, overwrite=True)
        if config.save_final_features:
            sorting = _with_file(sorting, folder / FEATURES, geom)
        sorting.save(folder / SORTING)
    return {"sorting": sorting, "motion": info}


def _traces(recording: Any) -> xr.DataArray | xr.DataTree:
    if isinstance(recording, (xr.DataArray, xr.DataTree)):
        return recording
    try:
        return from_spikeinterface(recording)
    except TypeError as error:
        raise ParameterError(
            f"recording is a {type(recording).__name__}; give one from open_recording or make_recording, or one "
            "of SpikeInterface's"
        ) from error


def _given_motion(motion: Any, si_motion: Any, dredge_motion_est: Any, geom: np.ndarray) -> MotionInfo | None:
    named = {"motion": motion, "si_motion": si_motion, "dredge_motion_est": dredge_motion_est}
    present = [name for name, value in named.items() if value is not None]
    if len(present) > 1:
        raise ParameterError(f"{' and '.join(present)} are given; give at most one motion")
    if isinstance(motion, xr.Dataset):
        motion = MotionInfo.of_motion(motion, geom=geom)
    if motion is not None:
        if not isinstance(motion, MotionInfo):
            raise ParameterError(f"motion is a {type(motion).__name__}; give a MotionInfo")
        if motion.geom.shape != geom.shape:
            raise ParameterError(
                f"the motion is of a probe with {len(motion.geom)} channels and the recording has {len(geom)}; make it "
                "with the recording's positions"
            )
        apart = float(np.abs(motion.geom - geom).max())
        if apart > SAME_PLACE_UM:
            raise ParameterError(
                f"the motion is of a probe whose channels are up to {apart:g} um from the recording's; make it with "
                "the recording's positions"
            )
        return motion
    if not present:
        return None
    return MotionInfo.from_motion_est(geom=geom, dredge_motion_est=dredge_motion_est, si_motion=si_motion)


def _same_run(folder: Path, config: DARTsortUserConfig, recording: xr.DataArray, *, overwrite: bool) -> bool:
    """Whether the folder holds a run of this recording with these settings; one of others is refused or cleared."""
    if not (folder / SETTINGS).exists():
        return False
    earlier = read_config(folder / SETTINGS)
    others = [name for name, value in config.model_dump().items() if getattr(earlier, name) != value]
    file = folder / RECORDING
    same_recording = file.exists() and file.read_text(encoding="utf-8") == recording_fingerprint(recording)
    if not others and same_recording and not overwrite:
        return True
    if not overwrite:
        what = f"other settings ({', '.join(others)})" if others else "another recording"
        raise ParameterError(
            f"{folder} holds a run with {what}; give another output_dir, the same settings, or overwrite=True"
        )
    for name in (SORTING, FEATURES, MOTION):
        (folder / name).unlink(missing_ok=True)
    return False


@contextmanager
def _passes(folder: Path, config: DARTsortUserConfig) -> Iterator[Path]:
    """Where finished passes are kept: removed after success, unless they are asked for."""
    if config.work_in_tmpdir:
        if config.tmpdir_parent is not None and not Path(config.tmpdir_parent).is_dir():
            raise ParameterError(f"tmpdir_parent {config.tmpdir_parent} is not a folder; make it, or leave it None")
        with tempfile.TemporaryDirectory(dir=config.tmpdir_parent) as scratch:
            yield Path(scratch)
        return
    work = folder / PASSES
    work.mkdir(parents=True, exist_ok=True)
    yield work
    if not config.save_intermediates:
        _remove(work)


def _remove(folder: Path) -> None:
    import shutil

    shutil.rmtree(folder, ignore_errors=True)


def _units(
    recording: xr.DataArray, parameters: DARTsortParameters, work: Path, given: MotionInfo | None
) -> tuple[DARTsortSorting, xr.Dataset | None]:
    """The sorted spikes, and the motion that was found."""
    preset = find_preset("dartsort")
    sorter = sort_dartsort if given is None else partial(sort_dartsort, motion=given.motion, motion_is_known=True)
    tree = sort_with(recording, preset, parameters, folder=work, sorter=sorter)
    motion = tree["motion"].to_dataset() if "motion" in tree.children else None
    return DARTsortSorting.from_tree(tree), motion


def _events(
    recording: xr.DataArray, parameters: DARTsortParameters, work: Path, given: MotionInfo | None
) -> tuple[DARTsortSorting, xr.Dataset | None]:
    """The detected events without labels, and the motion that they show."""
    check_settings(parameters)
    known: dict[str, Any] = {} if given is None else {"motion": given.motion, "motion_is_known": True}
    fields = ("sample_index", "channel_index", "amplitude", "x", "y", "z")
    try:
        detected = detect_dartsort(recording, parameters, Run(work, preset="dartsort"), **known)
        records, motion = detected.events.load(fields), detected.motion
    except (NoUnits, SilentRecordingError):
        records, motion = np.zeros(0, [(name, "f8") for name in fields]), known.get("motion")
    places = np.stack([records["x"], records["z"], records["y"]], axis=1).astype("f4")
    sorting = DARTsortSorting(
        times_samples=records["sample_index"],
        channels=records["channel_index"],
        labels=None,
        sampling_frequency=float(recording.attrs["sampling_frequency"]),
        ephemeral_features={
            "collisioncleaned_voltages": records["amplitude"].astype("f4"),
            LOCALIZATIONS: places,
        },
    )
    return sorting, motion


def _with_file(sorting: DARTsortSorting, path: Path, geom: np.ndarray) -> DARTsortSorting:
    """The sorting with its features in an HDF5 file."""
    features = features_of(sorting)
    write_features(path, features, geom=geom, sampling_frequency=sorting.sampling_frequency)
    return DARTsortSorting.from_peeling_hdf5(path)
