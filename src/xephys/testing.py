"""Helpers for tests and tutorials: recordings with a known truth, and guards for laziness and chunk invariance.

Examples
--------
>>> from xephys.testing import simulate_recording
>>> recording, truth = simulate_recording(duration_s=1.0, n_channels=8, n_units=3)
>>> dict(recording.sizes)
{'time': 30000, 'channel': 8}
>>> len(truth.spikes) > 0
True
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from .errors import ParameterError
from .schema import make_recording, validate_recording
from .simulation.sessions import simulate_sessions

if TYPE_CHECKING:
    from .simulation.truth import Truth

__all__ = [
    "assert_chunk_invariant",
    "forbid_compute",
    "rechunked",
    "simulate_recording",
    "simulate_session_recordings",
    "simulate_sessions",
]


def simulate_recording(
    *,
    duration_s: float = 10.0,
    n_channels: int = 32,
    n_units: int | None = None,
    preset: str = "easy",
    seed: int = 0,
    chunk_duration_s: float = 2.0,
    **parameters: Any,
) -> tuple[xr.DataArray, Truth]:
    """Simulate an extracellular recording, lazy and of any length, with its exact truth.

    Samples are a pure function of the parameters: nothing is stored, any range is computed when it is read, and values
    do not depend on chunks, processes or order.

    Parameters
    ----------
    duration_s, n_channels, n_units
        By default, ``n_units`` is proportional to the number of channels: 40 for 128 channels (``easy``) or 80
        (``hard``), and at least one.
    preset
        ``"easy"``: white noise and steady single units. ``"hard"``: built to resemble a real recording.
    seed
        Seed from which all random choices derive.
    chunk_duration_s
        Length of the Dask chunks.
    **parameters
        Any field of `xephys.simulation.config.SimulationConfig`, such as ``probe="tetrode"``,
        ``drift="nonrigid+steps"``, ``amplitude_range_uv=(30, 150)``, ``noise_uv=10.0``.

    Returns
    -------
    recording : xarray.DataArray
        int16 counts (time, channel), with ``x``, ``y``, ``shank``, ``group``, ``gain_to_uv``, ``offset_to_uv``,
        ``inter_sample_shift`` and ``contact_id`` on ``channel``. Dead and noisy channels are not marked ``bad``, since
        finding them is part of the task; the truth names them.
    truth : Truth
        Spikes, units, templates, motion, artifacts.

    Raises
    ------
    ParameterError
        If a parameter does not exist or is outside its limits.

    Examples
    --------
    >>> recording, truth = simulate_recording(duration_s=2.0, n_channels=4, n_units=2, probe="tetrode")
    >>> truth.templates.shape
    (2, 105, 4)
    """
    from .graph.build import to_dask
    from .graph.plan import Plan
    from .simulation.config import make_config
    from .simulation.source import SimulationSource
    from .simulation.truth import Truth

    if n_units is None:
        n_units = max(1, round(n_channels * (80 if preset == "hard" else 40) / 128))
    config = make_config(preset, duration_s=duration_s, n_channels=n_channels, n_units=n_units, seed=seed, **parameters)
    if not chunk_duration_s > 0:
        raise ParameterError(f"chunk_duration_s={chunk_duration_s} is not positive; give seconds")
    truth, fs = Truth(config), config.sampling_frequency
    chunk_samples = max(1, round(chunk_duration_s * fs))
    plan = Plan.of_source(SimulationSource(config), sampling_frequency=fs, chunk_samples=chunk_samples)
    layout = truth.layout
    recording = make_recording(
        to_dask(plan),
        sampling_frequency=fs,
        coordinates={
            "x": layout.xy[:, 0],
            "y": layout.xy[:, 1],
            "shank": layout.shank,
            "group": layout.group,
            "gain_to_uv": np.full(n_channels, config.gain_uv),
            "offset_to_uv": np.zeros(n_channels),
            "inter_sample_shift": layout.inter_sample_shift,
            "contact_id": np.array(layout.contact_ids),
        },
    )
    return recording, truth


def simulate_session_recordings(
    *,
    n_sessions: int = 4,
    displacement_max_um: float = 30.0,
    missing_fraction: float = 0.1,
    seed: int = 0,
    **parameters: Any,
) -> list[tuple[xr.DataArray, Truth]]:
    """Simulate recordings of the same neurons in several sessions, to be sorted and tracked.

    Units, waveforms and contacts are the same in every session; spikes, noise and the drift within a session are not.

    Parameters
    ----------
    n_sessions
    displacement_max_um
        Largest displacement of the tissue in a session, in either direction.
    missing_fraction
        Share of the units that are silent, others in each session.
    seed
    **parameters
        As for :func:`simulate_recording`, such as ``drift="nonrigid"``.

    Returns
    -------
    list of (recording, truth)
        Unit ``k`` of every truth is the same neuron; silent units have no spikes.

    Raises
    ------
    ParameterError
        As for :func:`simulate_recording`.

    Examples
    --------
    >>> from xephys.testing import simulate_session_recordings
    >>> made = simulate_session_recordings(n_sessions=2, duration_s=1.0, n_channels=16, n_units=3)
    >>> [truth.config.session for _, truth in made]
    [0, 1]
    >>> (made[0][1].templates == made[1][1].templates).all()
    np.True_
    """
    displacements = np.random.default_rng([seed, 13]).uniform(-displacement_max_um, displacement_max_um, n_sessions)
    return [
        simulate_recording(
            seed=seed, session=session, displacement_um=float(moved), missing_fraction=missing_fraction, **parameters
        )
        for session, moved in enumerate(displacements)
    ]


@contextmanager
def forbid_compute() -> Iterator[None]:
    """Context in which every Dask compute raises: building a graph must not run it.

    Raises
    ------
    AssertionError
        Raised by the compute that should not have happened.

    Examples
    --------
    >>> recording, _ = simulate_recording(duration_s=1.0, n_channels=4, n_units=1)
    >>> with forbid_compute():
    ...     half = recording * 0.5
    """
    import dask

    def refuse(*_: Any, **__: Any) -> Any:
        raise AssertionError("something was computed where only a graph should be built")

    with dask.config.set(scheduler=refuse):
        yield


def rechunked(recording: xr.DataArray, chunk_samples: int) -> xr.DataArray:
    """The same recording with its plan cut into chunks of another length; no tasks are added.

    Raises
    ------
    ValueError
        If the recording carries no plan.
    """
    from .graph.build import plan_of, to_dask

    plan = plan_of(recording.data)
    if plan is None:
        raise ValueError("the recording carries no plan (it was computed, persisted or changed by arithmetic)")
    return recording.copy(data=to_dask(plan.rechunked(chunk_samples)))


def assert_chunk_invariant(
    func: Callable[[xr.DataArray], Any], recording: xr.DataArray, *, chunk_samples: Sequence[int]
) -> None:
    """Assert that the result of a function of a recording does not depend on chunks, to the bit.

    Parameters
    ----------
    func
        From a recording to an array, a table with ``compute()``, or a tuple or mapping of these.
    recording
        Lazy recording that carries its plan.
    Chunk lengths to try; the result with the recording's own chunks is the reference.
        Lengths of chunks to try; the result with the recording's own chunks is the reference.

    Raises
    ------
    AssertionError
        At the first difference in shape, dtype or bits; the message names the chunk length.
    """
    validate_recording(recording)
    expected = _leaves(func(recording))
    for length in chunk_samples:
        found = _leaves(func(rechunked(recording, length)))
        assert len(found) == len(expected), f"chunks of {length} samples: {len(found)} results, not {len(expected)}"
        for i, (a, b) in enumerate(zip(found, expected, strict=True)):
            where = f"chunks of {length} samples, result {i}"
            assert a.shape == b.shape, f"{where}: shape {a.shape}, not {b.shape}"
            assert a.dtype == b.dtype, f"{where}: dtype {a.dtype}, not {b.dtype}"
            assert a.tobytes() == b.tobytes(), f"{where}: {_difference(a, b)}"


def _leaves(result: Any) -> list[np.ndarray[Any, Any]]:
    """The computed arrays of a result."""
    if hasattr(result, "compute") and not isinstance(result, xr.DataTree):
        result = result.compute()
    if isinstance(result, (tuple, list)):
        return [leaf for part in result for leaf in _leaves(part)]
    if isinstance(result, xr.DataTree):
        return [leaf for node in result.subtree for leaf in _leaves(node.to_dataset(inherit=False))]
    if isinstance(result, xr.Dataset):
        return [leaf for name in sorted(map(str, result.variables)) for leaf in _leaves(result[name].values)]
    if isinstance(result, dict):
        return [leaf for key in sorted(result) for leaf in _leaves(result[key])]
    return [np.ascontiguousarray(getattr(result, "values", result))]


def _difference(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> str:
    """Where two arrays of the same shape first differ."""
    as_bytes = [np.frombuffer(v.tobytes(), np.uint8).reshape(v.size, -1) for v in (a, b)]
    differing = np.flatnonzero((as_bytes[0] != as_bytes[1]).any(axis=1))
    first = np.unravel_index(int(differing[0]), a.shape)
    return (
        f"{len(differing)} of {a.size} values differ, first at {tuple(map(int, first))}: {a[first]} is not {b[first]}"
    )
