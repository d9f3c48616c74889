"""``sort``: the entry point for every preset."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import xarray as xr

from .. import schema
from ..checks import keywords_of
from ..errors import ParameterError, RecordingError, SilentRecordingError, warn_user
from ..graph.keep.folder import scratch_folder
from ..graph.keep.traces import forget_kept
from ..graph.results import KEPT_RESULTS
from ..graph.scheduler import active_client
from ..recording.device import to_device
from ..recording.geometry import warn_odd_spacing
from ..recording.slicing import spread_slices
from ..recording.stages import as_lazy
from ..typing import PathLike
from ..unit_mark import check_unit_stated
from .presets import DEFAULT_PRESET, Preset, Sorter, find_preset, read_parameters
from .progress import shown_progress
from .segments import join_segments, sorting_of_segments
from .steps.filtered_before import band_notes, check_not_filtered_away
from .steps.passes import NoUnits, Report, Run


def sort(
    recording: xr.DataArray | xr.DataTree,
    *,
    preset: str = DEFAULT_PRESET,
    learned: xr.DataTree | None = None,
    learn_s: float | None = None,
    device: str = "cpu",
    folder: PathLike | None = None,
    cache: str = "auto",
    cache_bytes_max: int | None = None,
    progress: Report | bool | None = None,
    **parameters: Any,
) -> xr.DataTree:
    """Sort the spikes of a recording. Computes.

    Parameters
    ----------
    recording
        Raw traces with dims ``(time, channel)`` and positions ``x``, ``y`` on the channels; or a DataTree of segments
        with the same channels (:func:`xephys.append_segments`). Segments are sorted jointly: estimates, templates and
        units are shared, and each spike has its segment and its sample there.
    preset
        ``"default"``; ``"kilosort4"`` or ``"dartsort"``, which follow those systems' steps and parameters; or
        ``"rt_sort"``, whose units can be sorted live (see :mod:`xephys.realtime`).
    learned
        An earlier sorting of the same probe whose templates, whitening and noise levels are reused, so that nothing is
        learned here. Units keep their order and ``unit_id``, so that they correspond across recordings; a unit without
        spikes stays, with ``num_spikes`` 0. Parameters are those of the earlier sorting, except that parameters that
        act after learning can be changed.
    device
        ``"cpu"``, or ``"cuda"`` to run the passes over the recording through CuPy, with one worker of one thread per
        GPU. Clustering stays on the CPU.
    learn_s
        Learn from excerpts of this total length in seconds, spread evenly over the recording
        (:func:`xephys.spread_slices`), and match everywhere. If None, or if the recording is shorter, learning uses the
        whole recording. If no unit is found in the excerpts, the sorting has no units.
    folder
        Directory for finished chunks and results. Called again with the same directory and recording, a sort resumes
        where it was stopped; with other late parameters, only the stages that depend on them run again. If None, a
        temporary directory is used and removed afterwards.
    cache
        Where white traces are kept between passes over the recording, as int16 in steps of 1/64 of the noise:
        ``"memory"``, ``"disk"`` (below ``folder``, removed at the end), ``"none"`` (computed in each pass), or
        ``"auto"``: in memory if they are small enough, otherwise on disk if there is room, otherwise not at all. The
        spikes are the same in every case.
    cache_bytes_max
        Maximum number of bytes to keep; if the recording takes more, nothing is kept. Unlimited if None.
    progress
        By default, a bar for the whole sort in notebooks; True shows it in terminals too, False nowhere. Or a function
        that is called with ``(stage, done, total)`` after each chunk of each pass.
    **parameters
        Parameters of the preset: :func:`xephys.parameters` lists them with defaults, limits and units.

    Returns
    -------
    DataTree with ``/spikes``, ``/units`` and ``/templates``; see :mod:`xephys.schema`. The same recording and
    parameters give the same spikes, whatever the chunks, the scheduler and the number of workers.

    Raises
    ------
    ParameterError
        If the preset, a parameter or the device does not exist, or a value is outside its limits.
    RecordingError
        If the recording cannot be sorted: it has no positions, is not finite, has only constant channels, is too short,
        does not fit the probe or rate of ``learned``, is already white, was filtered to a band without spikes, or has
        segments that differ in channels, gains, type or rate.

    Examples
    --------
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=10, n_channels=16, n_units=3, seed=0)
    >>> sorting = sort(recording)
    >>> sorting["units"].sizes["unit"] >= 1
    True
    """
    from .steps.reuse import parameters_with

    own = keywords_of(sort)
    if learned is None:
        chosen = read_parameters(preset, parameters, beside=own)
    else:
        chosen = parameters_with(learned, parameters, preset=preset, beside=own)
    joined = join_segments(recording)
    with shown_progress(progress, n_passes=expected_passes(chosen, learned=learned, learn_s=learn_s)) as report:
        sorting = sort_with(
            joined,
            find_preset(preset),
            chosen,
            learned=learned,
            learn_s=learn_s,
            device=device,
            folder=folder,
            cache=cache,
            cache_bytes_max=cache_bytes_max,
            progress=report,
        )
    return sorting_of_segments(sorting, recording, joined)


def expected_passes(parameters: Any, *, learned: xr.DataTree | None, learn_s: float | None) -> int:
    """Passes over the recording that a sort makes, for its bar of progress."""
    passes: int = parameters.n_passes if learned is None else 1
    return passes if learn_s is None else passes + 1


def sort_with(
    recording: xr.DataArray,
    preset: Preset,
    parameters: Any,
    *,
    learned: xr.DataTree | None = None,
    learn_s: float | None = None,
    device: str = "cpu",
    folder: PathLike | None = None,
    cache: str = "auto",
    cache_bytes_max: int | None = None,
    progress: Report | None = None,
    sorter: Sorter | None = None,
) -> xr.DataTree:
    """:func:`sort` with validated parameters: those of the preset, or from ``parameters_with(learned, ...)``.

    A ``sorter`` replaces that of the preset, for steps whose result is known before.
    """
    preset.check_use(device=device, learn_s=learn_s)
    if learn_s is not None:
        if learned is not None:
            raise ParameterError(f"learn_s is {learn_s:g} and an earlier sorting was given too; leave one of them out")
        short = spread_slices(recording, total_s=learn_s)
        if short is not recording:
            learned = sort_with(
                short, preset, parameters, device=device, folder=folder, cache=cache, cache_bytes_max=cache_bytes_max,
                progress=progress,
            )  # fmt: skip
    schema.validate_recording(recording)
    check_unit_stated(recording, why="a sort")
    warn_odd_spacing(recording)
    check_not_filtered_away(recording, parameters.band_hz)
    is_chosen = parameters.band_hz != preset.model().band_hz
    notes = band_notes(recording, parameters.band_hz, is_chosen=is_chosen, may_skip=preset.skips_filter)
    recording = to_device(_on_workers(recording), device)
    with scratch_folder() if folder is None else _useful_folder(Path(folder)) as work:
        run = Run(work, progress, preset.name, cache=cache, cache_bytes_max=cache_bytes_max)
        if learned is None:
            sorting = _sorting_or_empty(recording, preset, parameters, run, sorter or preset.sorter)
        elif learn_s is not None and not learned["units"].sizes["unit"]:
            sorting = _empty(recording, preset, parameters)
        else:
            from .steps.reuse import sort_learned

            sorting = sort_learned(recording, parameters, run, learned=learned)
        forget_kept(work)
        _say_unit(sorting, recording)
        if notes:
            sorting.attrs["log"] = json.dumps([*notes, *json.loads(sorting.attrs["log"])])
        return sorting


def _on_workers(recording: xr.DataArray) -> xr.DataArray:
    """The recording; if it is in the memory of this process and a cluster is active, in that of its workers."""
    client = active_client()
    if client is None or recording.chunks is not None:
        return recording
    from ..graph.workers import kept_on_workers

    return recording.copy(data=kept_on_workers(as_lazy(recording), client))


def _sorting_or_empty(
    recording: xr.DataArray, preset: Preset, parameters: Any, run: Run, sorter: Sorter
) -> xr.DataTree:
    """The sorting; an empty one if nothing is found."""
    try:
        return sorter(recording, parameters, run)
    except NoUnits as end:
        return _empty(recording, preset, parameters, log=end.log)
    except SilentRecordingError as silence:
        warn_user(str(silence))
        return _empty(recording, preset, parameters)


def _say_unit(sorting: xr.DataTree, recording: xr.DataArray) -> None:
    """Amplitudes and templates of a recording without gains are in its own unit, not in microvolts."""
    unit = str(recording.attrs.get("units", "counts"))
    if "gain_to_uv" in recording.coords or unit == "uV":
        return
    for node in sorting.subtree:
        for variable in node.dataset.variables.values():
            if variable.attrs.get("units") == "uV":
                variable.attrs["units"] = unit


def _empty(recording: xr.DataArray, preset: Preset, parameters: Any, **provenance: Any) -> xr.DataTree:
    from .steps.assemble import empty_sorting

    return empty_sorting(recording, preset=preset.name, parameters=parameters, **provenance)


@contextmanager
def _useful_folder(folder: Path) -> Iterator[Path]:
    """Yield the folder; remove this sort's estimates from it if the recording turns out to be unusable."""
    before = set(folder.glob(KEPT_RESULTS))
    try:
        yield folder
    except RecordingError:
        # A sort reads each of its results at most once, so removing them takes nothing from another sort.
        for path in set(folder.glob(KEPT_RESULTS)) - before:
            path.unlink(missing_ok=True)
        raise
