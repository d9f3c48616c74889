"""Every operation after every other one, on recordings and on sortings: correct, or refused with the remedy.

A plain reference runs beside each: an array, and for each row the number of its sample on the axis of the segment.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import xephys
from xephys.errors import ParameterError, RecordingError
from xephys.recording.clock import first_sample, sample_times
from xephys.schema import make_recording
from xephys.sorting import build_sorting, validate_sorting

RATE, START, N = 1000.0, 6.29, 4000
#: Text of the error after samples were dropped or averaged while the sampling rate stayed.
THINNED = r"samples were taken out or averaged .*recording\.attrs\['sampling_frequency'\] = "


@dataclass(frozen=True)
class Rows:
    """What a recording must hold: values, and the place of each row."""

    values: np.ndarray
    numbers: np.ndarray  # of samples, from the start of the segment; halves if two were averaged
    start_s: float = START
    step: int = 1  # samples from a row to the next; if above 1, the rate is no longer correct

    @property
    def times(self) -> np.ndarray:
        return self.start_s + self.numbers / RATE

    def take(self, rows: Any) -> Rows:
        return replace(self, values=self.values[rows], numbers=self.numbers[rows])

    def between(self, start_s: float, stop_s: float, *, end: bool) -> Rows:
        late = self.times <= stop_s + 1e-7 if end else self.times < stop_s - 1e-7
        return self.take((self.times >= start_s - 1e-7) & late)


@dataclass(frozen=True)
class Pair:
    """An operation, its effect on the reference, and whether it needs the correct rate."""

    on_recording: Callable[[xr.DataArray, Path], xr.DataArray]
    on_rows: Callable[[Rows], Rows]
    needs_rate: bool = False


def from_zarr(recording: xr.DataArray, folder: Path) -> xr.DataArray:
    path = folder / f"{len(list(folder.iterdir()))}.zarr"
    recording.chunk({"time": 500, "channel": -1}).to_dataset(name="traces").to_zarr(path)
    return xr.open_zarr(path)["traces"]


def from_zarr_by_name(recording: xr.DataArray, folder: Path) -> xr.DataArray:
    path = folder / f"{len(list(folder.iterdir()))}.zarr"
    recording.chunk({"time": 500, "channel": -1}).to_dataset(name="traces").to_zarr(path)
    return xephys.open_recording(path)


def from_netcdf(recording: xr.DataArray, folder: Path) -> xr.DataArray:
    path = folder / f"{len(list(folder.iterdir()))}.nc"
    recording.to_netcdf(path, engine="scipy", format="NETCDF3_64BIT")  # the version that holds least
    return xr.open_dataarray(path, chunks={})


def saved(format: str) -> Callable[[xr.DataArray, Path], xr.DataArray]:
    def save(recording: xr.DataArray, folder: Path) -> xr.DataArray:
        path = folder / f"{len(list(folder.iterdir()))}"
        xephys.save_recording(recording, path, format=format)
        return xephys.open_recording(path, chunk_duration_s=0.7)

    return save


def bridged(recording: xr.DataArray, folder: Path) -> xr.DataArray:
    return xephys.from_spikeinterface(xephys.to_spikeinterface(recording), chunk_duration_s=0.3)


def on_new_axis(rows: Rows) -> Rows:
    values = np.concatenate([rows.values, rows.values])
    return Rows(values, np.arange(len(values)), start_s=0.0)


def averaged(rows: Rows) -> Rows:
    n = len(rows.numbers) // 2 * 2
    values, numbers = rows.values[:n].reshape(n // 2, 2, -1).mean(1), rows.numbers[:n].reshape(-1, 2).mean(1)
    return replace(rows, values=values, numbers=numbers, step=2 * rows.step)


def strided(rows: Rows) -> Rows:
    return replace(rows.take(slice(1, None, 2)), step=2 * rows.step)


def halves(recording: xr.DataArray) -> list[xr.DataArray]:
    middle = recording.sizes["time"] // 3
    return [recording[:middle], recording[middle:]]


def unchanged(rows: Rows) -> Rows:
    return rows


OPERATIONS = {
    "isel": Pair(lambda r, f: r.isel(time=slice(50, -60)), lambda rows: rows.take(slice(50, -60))),
    "sel": Pair(lambda r, f: r.sel(time=slice(6.9, 9.5)), lambda rows: rows.between(6.9, 9.5, end=True)),
    "time_slice": Pair(
        lambda r, f: xephys.time_slice(r, float(r.time[40])),
        lambda rows: rows.take(slice(40, None)), needs_rate=True,
    ),
    "ufunc": Pair(lambda r, f: np.multiply(r, 2.0), lambda rows: replace(rows, values=rows.values * 2.0)),
    "a step": Pair(
        lambda r, f: xephys.scale(r, gain=2.0),
        lambda rows: replace(rows, values=(rows.values * 2.0).astype("f4")), needs_rate=True,
    ),
    "stride": Pair(lambda r, f: r[1::2], strided),
    "coarsen": Pair(lambda r, f: r.coarsen(time=2, boundary="trim").mean(), averaged),
    "concat": Pair(lambda r, f: xr.concat(halves(r), "time"), unchanged),
    "joined": Pair(lambda r, f: xephys.concatenate_segments([r, r]), on_new_axis, needs_rate=True),
    "channels": Pair(
        lambda r, f: r.isel(channel=slice(None, None, -1)), lambda rows: replace(rows, values=rows.values[:, ::-1])
    ),
    "zarr": Pair(saved("zarr"), unchanged, needs_rate=True),
    "binary": Pair(saved("binary"), unchanged, needs_rate=True),
    "to_zarr": Pair(from_zarr, unchanged),
    "to_zarr, open_recording": Pair(from_zarr_by_name, unchanged),
    "to_netcdf": Pair(from_netcdf, unchanged),
    "bridge": Pair(bridged, unchanged, needs_rate=True),
    "compute": Pair(lambda r, f: r.compute(), unchanged),
    "chunk": Pair(lambda r, f: r.chunk({"time": 333}), unchanged),
}  # fmt: skip


@pytest.fixture(scope="module")
def whole() -> tuple[xr.DataArray, Rows]:
    """Three channels of noise with a deep trough every 250 samples, from a file."""
    values = np.random.default_rng(0).normal(0, 2, (N, 3)).astype("f4")
    values[125::250, 1] -= 300
    recording = make_recording(
        values, sampling_frequency=RATE, start_s=START, units="uV",
        coordinates={"x": np.zeros(3), "y": 20.0 * np.arange(3)},
    )  # fmt: skip
    return recording.chunk({"time": 700}), Rows(values, np.arange(N))


def check(recording: xr.DataArray, rows: Rows) -> None:
    np.testing.assert_allclose(recording.values, rows.values, rtol=1e-6)
    np.testing.assert_allclose(recording.time.values, rows.times, rtol=0, atol=1e-8)
    levels = np.full(3, 2.0)
    if rows.step > 1:
        with pytest.raises(RecordingError, match=THINNED):
            xephys.detect_peaks(recording, noise_levels=levels)
        return
    assert first_sample(recording) == rows.numbers[0]
    np.testing.assert_allclose(sample_times(recording, rows.numbers[[0, -1]]), rows.times[[0, -1]], atol=1e-8)
    peaks = xephys.detect_peaks(recording, noise_levels=levels, detect_threshold=60, exclude_sweep_ms=3).compute()
    expected = rows.numbers[rows.values.min(axis=1) < -150]
    inside = (expected > rows.numbers[3]) & (expected < rows.numbers[-4])
    assert peaks["sample_index"].tolist() == expected[inside].tolist()


@pytest.mark.parametrize("first", OPERATIONS)
def test_recordings(whole, first, tmp_path):
    recording, rows = whole
    one = OPERATIONS[first]
    once, expected = one.on_recording(recording, tmp_path), one.on_rows(rows)
    check(once, expected)
    for name, other in OPERATIONS.items():
        try:
            if other.needs_rate and expected.step > 1:
                with pytest.raises(RecordingError, match=THINNED):
                    other.on_recording(once, tmp_path)
                continue
            check(other.on_recording(once, tmp_path), other.on_rows(expected))
        except BaseException as error:
            error.add_note(f"{name} after {first}")
            raise


@pytest.mark.parametrize("first", OPERATIONS)
def test_windows_with_a_gap_are_never_joined_silently(whole, first, tmp_path):
    once = OPERATIONS[first].on_recording(whole[0], tmp_path)
    parts = [once[:100], once[200:300]]
    try:
        joined = xr.concat(parts, "time")
    except RecordingError as error:
        assert "append_segments" in str(error) and "concatenate_segments" in str(error)
        return
    # Xarray opened it with a time for each sample, and the times show the gap.
    times = joined.time.values
    assert np.diff(times).max() > 1.5 * np.diff(times).min()
    assert not xephys.schema.has_regular_clock(joined)


Spikes = list[tuple[int, int, Any, float]]


def spikes_of(tree: xr.DataTree) -> Spikes:
    spikes, ids = tree["spikes"].dataset, tree["units"]["unit_id"].values.tolist()
    columns = (spikes[name].values.tolist() for name in ("segment_index", "sample_index", "unit_index", "time"))
    return sorted((k, n, ids[u], round(t, 6)) for k, n, u, t in zip(*columns, strict=True))


def listed_twice(spikes: Spikes) -> Spikes:
    n_segments = 1 + max((row[0] for row in spikes), default=0)
    return sorted([*spikes, *((k + n_segments, *rest) for k, *rest in spikes)])


def stored(tree: xr.DataTree, folder: Path) -> xr.DataTree:
    path = folder / f"{len(list(folder.iterdir()))}.zarr"
    xephys.save_sorting(tree, path)
    return xephys.open_sorting(path)


def first_two(tree: xr.DataTree) -> list[Any]:
    return tree["units"]["unit_id"].values.tolist()[:2][::-1]


#: A period that was sorted, in seconds on the recording's clock; another time selects a part of it.
PERIOD_S = (8.0, 9.2)


def in_period(tree: xr.DataTree, folder: Path) -> xr.DataTree:
    if np.size(validate_sorting(tree).attrs["first_sample"]) > 1:
        with pytest.raises(ParameterError, match="segments; select one first with select_segments"):
            xephys.select_period(tree, *PERIOD_S)
        return tree
    return xephys.select_period(tree, *PERIOD_S)


def in_that_period(spikes: Spikes, ids: list[Any]) -> Spikes:
    if any(row[0] for row in spikes):
        return spikes
    return [row for row in spikes if PERIOD_S[0] - 1e-6 <= row[3] < PERIOD_S[1] - 1e-6]


def opened_by_xarray(tree: xr.DataTree, folder: Path) -> xr.DataTree:
    path = folder / f"{len(list(folder.iterdir()))}.zarr"
    tree.to_zarr(path)
    return xr.open_datatree(path, engine="zarr")


OnTree = Callable[[xr.DataTree, Path], xr.DataTree]
OnSpikes = Callable[[Spikes, list[Any]], Spikes]
SORTING_OPERATIONS: dict[str, tuple[OnTree, OnSpikes]] = {
    "isel unit": (
        lambda tree, f: xephys.select_units(tree, first_two(tree)),
        lambda spikes, ids: [row for row in spikes if row[2] in ids[:2]],
    ),
    "relabel": (
        lambda tree, f: xephys.relabel_units(tree, labels={first_two(tree)[0]: "noise"}), lambda spikes, ids: spikes
    ),
    "save and open": (stored, lambda spikes, ids: spikes),
    "concat": (lambda tree, f: xephys.append_sortings([tree, tree]), lambda spikes, ids: listed_twice(spikes)),
    "segment": (
        lambda tree, f: xephys.select_segments(tree, 0), lambda spikes, ids: [row for row in spikes if row[0] == 0]
    ),
    "period": (in_period, in_that_period),
    "xr.open_datatree": (opened_by_xarray, lambda spikes, ids: spikes),
    "bridge": (lambda tree, f: bridged_sorting(tree), lambda spikes, ids: spikes),
    "copy": (lambda tree, f: tree.copy(deep=True), lambda spikes, ids: spikes),
}  # fmt: skip


def bridged_sorting(tree: xr.DataTree) -> xr.DataTree:
    """There and back; SpikeInterface counts a part from its own start, so only times are compared."""
    back = xephys.from_spikeinterface(xephys.to_spikeinterface(tree))
    starts = np.atleast_1d(tree.attrs["first_sample"])
    spikes = back["spikes"].dataset
    samples = spikes["sample_index"].values + starts[spikes["segment_index"].values]
    return build_sorting(
        xephys.recording.axes.SegmentAxes(
            sampling_frequency=RATE, n_samples=tuple(np.atleast_1d(tree.attrs["n_samples"]).tolist()),
            first_sample=tuple(starts.tolist()), start_s=tuple(np.atleast_1d(tree.attrs["start_s"]).tolist()),
            clock=("regular",) * len(starts),
        ),
        spikes={
            "sample_index": samples, "unit_index": spikes["unit_index"].values,
            "segment_index": spikes["segment_index"].values,
        },
        units={"label": back["units"]["label"].values}, unit_ids=back["units"]["unit_id"].values,
    )  # fmt: skip


@pytest.fixture(scope="module")
def sorting(whole) -> xr.DataTree:
    rng = np.random.default_rng(3)
    part = whole[0].isel(time=slice(1000, 3500))
    return build_sorting(
        part,
        spikes={"sample_index": rng.integers(1000, 3500, 90), "unit_index": rng.integers(0, 3, 90)},
        units={"label": ["good", "mua", "good"], "channel_index": [0, 1, 2]},
        templates=rng.normal(size=(3, 20, 3)), nbefore=8, unit_ids=[7, 3, 5],
    )  # fmt: skip


@pytest.mark.parametrize("first", SORTING_OPERATIONS)
def test_sortings(sorting, first, tmp_path):
    apply, on_spikes = SORTING_OPERATIONS[first]
    ids = sorting["units"]["unit_id"].values.tolist()
    once, expected = apply(sorting, tmp_path), sorted(on_spikes(spikes_of(sorting), ids))
    assert spikes_of(validate_sorting(once)) == expected
    ids = once["units"]["unit_id"].values.tolist()
    for name, (other, then) in SORTING_OPERATIONS.items():
        try:
            twice = other(once, tmp_path)
            assert spikes_of(validate_sorting(twice)) == sorted(then(expected, ids))
        except BaseException as error:
            error.add_note(f"{name} after {first}")
            raise
        counts = twice["units"]["num_spikes"].values
        np.testing.assert_array_equal(counts, np.bincount(twice["spikes"]["unit_index"].values, minlength=len(counts)))


@pytest.mark.parametrize("first", SORTING_OPERATIONS)
@pytest.mark.parametrize("wrong", [[1, 0], [0], slice(None, None, -1)])
def test_units_reordered_by_xarray_are_refused_after_anything(sorting, first, wrong, tmp_path):
    once = SORTING_OPERATIONS[first][0](sorting, tmp_path).isel(unit=wrong, missing_dims="ignore")
    for name, (other, _) in SORTING_OPERATIONS.items():
        if name not in ("copy", "xr.open_datatree"):  # Xarray's own, which do not check
            with pytest.raises(ParameterError, match="with select_units and relabel_units, not with isel or sel"):
                other(once, tmp_path)


@pytest.mark.parametrize("first", SORTING_OPERATIONS)
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (slice(5, 40), "spikes, and num_spikes is .*select_period.* or make a sorting of the spikes that are left"),
        ([], "has 0 spikes, and num_spikes is "),
        (slice(None, None, -1), "not in the order of their samples; take a part of a sorting with select_period"),
    ],
)
def test_spikes_taken_out_by_xarray_are_refused_after_anything(sorting, first, wrong, message, tmp_path):
    once = SORTING_OPERATIONS[first][0](sorting, tmp_path).isel(spike=wrong, missing_dims="ignore")
    for name, (other, _) in SORTING_OPERATIONS.items():
        if name not in ("copy", "xr.open_datatree"):  # done by Xarray, which does not know
            with pytest.raises(ParameterError, match=message):
                other(once, tmp_path)
