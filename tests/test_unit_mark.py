"""The unit of a recording after Xarray and Dask had it: right, or refused with the remedy."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import xephys
from xephys.errors import ParameterError, RecordingError, XephysWarning
from xephys.unit_mark import changed_by_hand, unit_is_stated

RATE, GAIN = 10_000.0, 0.2
Change = Callable[[xr.DataArray], xr.DataArray]

#: What Xarray does without computing a value.
KEPT: dict[str, Change] = {
    "isel": lambda r: r.isel(time=slice(10, 3000)),
    "sel": lambda r: r.sel(time=slice(0.01, 0.2)),
    "reversed channels": lambda r: r.isel(channel=[1, 0]),
    "chunk": lambda r: r.chunk({"time": 700}),
    "compute": lambda r: r.compute(),
    "persist": lambda r: r.persist(),
    "concat": lambda r: xr.concat([r[:3000], r[3000:]], "time"),
    "copy": lambda r: r.copy(deep=True),
    "transpose": lambda r: r.transpose("channel", "time").transpose("time", "channel"),
    "dataset": lambda r: r.to_dataset(name="traces").traces,
    "tree": lambda r: xr.DataTree.from_dict({"s": r.to_dataset(name="traces")})["s/traces"],
    "coordinates": lambda r: r.assign_coords(quality=("channel", [1, 2])).drop_vars("x"),
    "sortby": lambda r: r.sortby("y"),
    "our own operation": lambda r: r.ephys.astype(dtype="float32"),
    "our own join": lambda r: xephys.concatenate_segments([r, r]),
    "our own rate": lambda r: r.ephys.decimate(factor=2),
}
#: What computes values.
CHANGED: dict[str, Change] = {
    "times the gain": lambda r: r * GAIN,
    "numpy": lambda r: np.multiply(r, GAIN),
    "in place": lambda r: r.astype("float64") / 5,
    "negative": lambda r: -r,
    "reference": lambda r: r - r.mean("channel"),
    "real numbers": lambda r: r.astype(float),
    "where": lambda r: r.where(r > 3, 0),
    "xr.where": lambda r: xr.where(r > 3, r, 0),
    "clip": lambda r: r.clip(0, 50),
    "apply_ufunc": lambda r: xr.apply_ufunc(lambda a: a * GAIN, r, dask="allowed", keep_attrs=True),
    "map_blocks": lambda r: xr.map_blocks(lambda b: b * GAIN, r, template=r.astype(float)),
    "rolling": lambda r: r.rolling(time=3, min_periods=1).mean(),
    "new data": lambda r: r.copy(data=r.data * GAIN),
    "tree": lambda r: (xr.DataTree.from_dict({"s": r.to_dataset(name="traces")}) * GAIN)["s/traces"],
    "with another step after it": lambda r: (r * GAIN).ephys.highpass_filter(freq_min_hz=300),
    "joined after it": lambda r: xephys.concatenate_segments([r * GAIN, r * GAIN]),
}


@pytest.fixture(params=["memory", "dask"])
def counts(request: pytest.FixtureRequest) -> xr.DataArray:
    traces = np.random.default_rng(0).integers(-100, 100, (6000, 2)).astype("int16")
    coordinates = {"gain_to_uv": [GAIN] * 2, "offset_to_uv": [0.0] * 2, "x": [0.0, 0.0], "y": [0.0, 20.0]}
    recording = xephys.make_recording(traces, sampling_frequency=RATE, coordinates=coordinates)
    return recording if request.param == "memory" else recording.chunk({"time": 2000})


@pytest.mark.parametrize("change", KEPT.values(), ids=KEPT)
def test_what_keeps_the_values_keeps_the_unit(counts: xr.DataArray, change: Change) -> None:
    kept = change(counts)
    assert unit_is_stated(kept) and not changed_by_hand(kept)
    np.testing.assert_allclose(xephys.to_uv(kept).values, kept.values * GAIN, rtol=1e-6)


@pytest.mark.parametrize("change", CHANGED.values(), ids=CHANGED)
def test_what_changes_the_values_is_not_scaled_again(counts: xr.DataArray, change: Change, tmp_path: Path) -> None:
    changed = change(counts)
    assert changed.attrs["units"] == "counts" and "gain_to_uv" in changed.coords  # which is why nobody would notice
    for use in (
        xephys.to_uv,
        xephys.sort,
        xephys.to_spikeinterface,
        xephys.plot_traces,
        lambda recording: xephys.save_recording(recording, tmp_path / "saved.zarr"),
    ):
        with pytest.raises(RecordingError, match=r"recording.ephys.scale\(units='uV'\), or units='counts'"):
            use(changed)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("units", ["uV", "counts"])
def test_the_remedy_states_the_unit(counts: xr.DataArray, units: str) -> None:
    changed = counts * GAIN if units == "uV" else -counts
    stated = changed.ephys.scale(units=units)
    expected = counts.values * (GAIN if units == "uV" else -GAIN)
    np.testing.assert_allclose(xephys.to_uv(stated).values, expected, rtol=1e-6)


def test_where_the_unit_does_not_matter_nothing_is_refused(counts: xr.DataArray) -> None:
    changed = counts - counts.mean("channel")
    filtered = changed.ephys.bandpass_filter(freq_min_hz=300, freq_max_hz=3000)
    peaks = filtered.ephys.detect_peaks(noise_levels=filtered.ephys.estimate_noise_levels(), detect_threshold=2)
    assert len(peaks.compute()) > 0
    assert filtered.attrs["history"].splitlines()[0] == "unknown"
    without_gain = (counts * GAIN).drop_vars("gain_to_uv")
    assert xephys.to_spikeinterface(without_gain).get_num_samples() == 6000


def test_microvolts_changed_by_hand_are_taken_as_such_with_a_warning(counts: xr.DataArray) -> None:
    microvolts = xephys.to_uv(counts)
    with pytest.warns(XephysWarning, match=r"a recording for SpikeInterface: .*scale\(units='uV'\) confirms it"):
        xephys.to_spikeinterface(microvolts / 1000)
    xephys.to_spikeinterface(microvolts)
    xephys.to_spikeinterface((counts * GAIN).assign_attrs(units="uV"))  # the user has just said it


@pytest.mark.parametrize("suffix", ["zarr", "nc"])
def test_files_written_by_xarray(counts: xr.DataArray, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"traces.{suffix}"

    def there_and_back(recording: xr.DataArray) -> xr.DataArray:
        if suffix == "zarr":
            recording.to_zarr(path, mode="w")
            return xr.open_zarr(path)["traces"]
        recording.to_netcdf(path)
        return xr.load_dataset(path)["traces"]

    for kept in (counts, counts.ephys.rectify()):
        np.testing.assert_allclose(xephys.to_uv(there_and_back(kept)).values, kept.values * GAIN, rtol=1e-6)
    with pytest.raises(RecordingError, match="'counts' with gains"):
        xephys.to_uv(there_and_back(counts * GAIN))
    if suffix == "zarr":
        with pytest.raises(RecordingError, match="'counts' with gains"):
            xephys.to_uv(xephys.open_recording(path))
        there_and_back(counts)
        xephys.to_uv(xephys.open_recording(path))
    with pytest.raises(RecordingError, match="'counts' with gains"):
        xephys.to_uv(there_and_back(counts) * GAIN)


def test_traces_in_another_unit_are_not_scaled_by_gains(counts: xr.DataArray) -> None:
    white = counts.ephys.whiten(whitening=counts.ephys.estimate_whitening())
    with pytest.raises(RecordingError, match="the traces are in 'noise', and gains turn counts into microvolts"):
        xephys.to_uv(white)


def test_estimates_of_other_traces_are_refused(counts: xr.DataArray) -> None:
    filtered = counts.ephys.bandpass_filter(freq_min_hz=300, freq_max_hz=3000)
    raw, own = counts.ephys.estimate_noise_levels(), filtered.ephys.estimate_noise_levels()
    for levels in (own, 1.5 * own, own.isel(channel=[1, 0]), np.asarray(raw)):
        filtered.ephys.detect_peaks(noise_levels=levels)
    filtered.isel(time=slice(0, 3000)).chunk({"time": 1000}).ephys.detect_peaks(noise_levels=own)
    filtered.ephys.rectify().ephys.detect_peaks(noise_levels=own)  # which leaves the size of the noise as it is
    other = counts.ephys.bandpass_filter(freq_min_hz=500, freq_max_hz=3000)
    for traces, levels, said in (
        (filtered, raw, r"estimated on traces as recorded, and these traces are after bandpass_filter\("),
        (counts, own, r"estimated on traces after bandpass_filter\(.*, and these traces are as recorded"),
        (filtered, 2 * raw, "as recorded"),
        (other, own, "after bandpass_filter.*after bandpass_filter"),
        (filtered.ephys.common_reference(), own, "these traces are after common_reference"),
        (2 * filtered, own, "these traces are changed by arithmetic"),
        (filtered, (2 * filtered).ephys.estimate_noise_levels(), "estimated on traces changed by arithmetic"),
    ):
        with pytest.raises(ParameterError, match=said):
            traces.ephys.detect_peaks(noise_levels=levels)
    with pytest.raises(ParameterError, match="the whitening matrix: estimated on traces as recorded"):
        filtered.ephys.whiten(whitening=counts.ephys.estimate_whitening())


def test_segments_went_through_the_same_steps(counts: xr.DataArray) -> None:
    filtered = counts.ephys.bandpass_filter(freq_min_hz=300, freq_max_hz=3000)
    for one, other in ((filtered, counts.ephys.astype(dtype="float32")), (counts * 2, counts)):
        for join in (xephys.append_segments, xephys.concatenate_segments):
            with pytest.raises(RecordingError, match=r"segment 1 has steps none and segment 0 has (band|unkn)"):
                join([one, other])


def test_excerpts_and_statistics_of_other_traces_are_refused(counts: xr.DataArray) -> None:
    filtered = counts.ephys.bandpass_filter(freq_min_hz=300, freq_max_hz=3000)
    excerpts = counts.ephys.sample_traces()
    assert pickle.loads(pickle.dumps(excerpts))[0].shape == excerpts[0].shape
    np.testing.assert_array_equal(
        counts.ephys.estimate_noise_levels(excerpts=excerpts), counts.ephys.estimate_noise_levels()
    )
    for estimate in (xephys.estimate_noise_levels, xephys.estimate_whitening, xephys.estimate_statistics):
        with pytest.raises(ParameterError, match="the excerpts: estimated on traces as recorded, and these"):
            estimate(filtered, excerpts=excerpts)
        with pytest.raises(RecordingError, match="the excerpts are in counts and the traces in uV"):
            estimate(xephys.to_uv(counts), excerpts=excerpts)
        for wrong in (np.zeros((100, 2)), [], [np.zeros((100, 3))]):
            with pytest.raises(ParameterError, match=r"excerpts hold .* of the 2 channels, from sample_traces"):
                estimate(counts, excerpts=wrong)
    with pytest.raises(ParameterError, match="the statistics: estimated on traces as recorded"):
        filtered.ephys.zscore(statistics=counts.ephys.estimate_statistics())
    shapes = counts.ephys.estimate_artifacts(trigger_times_s=[0.2])
    with pytest.raises(ParameterError, match="the artifacts: estimated on traces as recorded"):
        filtered.ephys.subtract_artifacts(trigger_times_s=[0.2], artifacts=shapes)
    with pytest.raises(RecordingError, match="the artifacts are in counts and the traces in uV"):
        xephys.to_uv(counts).ephys.subtract_artifacts(trigger_times_s=[0.2], artifacts=shapes)
