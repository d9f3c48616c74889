"""Times defined by a start and a rate behave as if each were stored, and sample numbers stay exact."""

import copy
import pickle

import dask
import numpy as np
import pytest
import xarray as xr

from xephys.errors import RecordingError
from xephys.recording.clock import first_sample
from xephys.regular_clock import RegularClock, evenly_spaced
from xephys.schema import clock_of, make_recording

RATE, START = 30_000.0, 6.29
N = 9000


def recording(n=N, start_s=START, rate=RATE, **more):
    data = np.arange(2 * n, dtype="i4").reshape(n, 2)
    return make_recording(data, sampling_frequency=rate, start_s=start_s, **more).chunk({"time": 2000})


def stored(made):
    """The same recording with a stored time for each sample, as Xarray and pandas index it."""
    return made.drop_vars("time").assign_coords(time=("time", made.time.values))


def clock(made):
    index = made.xindexes["time"]
    assert isinstance(index, RegularClock)
    return index


@pytest.mark.parametrize(
    "label",
    [
        slice(6.3, 6.4), slice(6.30005, 6.39999), slice(None, 6.35), slice(6.5, None), slice(0, 100), slice(7, 8),
        slice(6.3, 6.4, 5), slice(6.4, 6.3),
    ],
)  # fmt: skip
def test_a_slice_of_times_equals_that_of_stored_times_and_keeps_the_clock(label):
    made = recording()
    part, expected = made.sel(time=label), stored(made).sel(time=label)
    assert part.values.tolist() == expected.values.tolist()
    np.testing.assert_array_equal(part.time.values, expected.time.values)
    assert clock(part).step == pytest.approx((label.step or 1) / RATE)


@pytest.mark.parametrize("method", ["nearest", "ffill", "bfill"])
@pytest.mark.parametrize("label", [6.30001, [6.29, 6.300013], np.array([6.35001])])
def test_times_by_method_equal_those_of_stored_times(method, label):
    made = recording()
    got, expected = made.sel(time=label, method=method), stored(made).sel(time=label, method=method)
    assert got.values.tolist() == expected.values.tolist()


def test_nearest_beyond_the_ends_and_within_a_tolerance():
    made = recording()
    assert made.sel(time=100.0, method="nearest").values.tolist() == made.values[-1].tolist()
    with pytest.raises(KeyError, match=r"no sample is at 100 s.*from 6\.29 to 6\.58996667 s"):
        made.sel(time=100.0, method="nearest", tolerance=0.1)
    with pytest.raises(KeyError, match="give method='nearest'"):
        made.sel(time=6.29001)
    with pytest.raises(ValueError, match="method is 'closest'; give one of nearest"):
        made.sel(time=6.3, method="closest")


def test_labelled_times_give_labelled_results():
    times = xr.DataArray([6.3, 6.4], dims="spike", coords={"spike": [7, 8]})
    got = recording().sel(time=times, method="nearest")
    assert got.dims == ("spike", "channel") and got.spike.values.tolist() == [7, 8]
    assert got.values[:, 0].tolist() == [600, 6600]


def test_every_sample_is_found_at_its_own_time():
    made = recording(start_s=6.29)
    assert made.sel(time=made.time.values[::7]).values[:, 0].tolist() == list(range(0, 2 * N, 14))
    hour = RegularClock.regular(0.1, 24_414.0625, size=10**9)
    numbers = np.random.default_rng(0).integers(0, 10**9, 1000)
    assert (hour.sel({"time": hour.transform.times(numbers)}).dim_indexers["time"] == numbers).all()


SURVIVES = {
    "a ufunc": lambda made: np.abs(made),
    "arithmetic": lambda made: 2 * made - made,
    "a copy": lambda made: made.copy(deep=True),
    "copy.deepcopy": copy.deepcopy,
    "a pickle": lambda made: pickle.loads(pickle.dumps(made)),
    "renamed there and back": lambda made: made.rename(time="t").rename(t="time"),
    "another name": lambda made: made.rename("other"),
    "compute": lambda made: made.compute(),
    "persist": lambda made: made.persist(),
    "chunks": lambda made: made.chunk({"time": 100}),
    "a dataset": lambda made: made.to_dataset(name="a")["a"],
    "a tree": lambda made: xr.DataTree.from_dict({"s/t": made.to_dataset(name="a")})["s/t/a"],
    "where": lambda made: made.where(made > 5, 0),
    "rolling": lambda made: made.rolling(time=3, center=True).mean(),
    "channels": lambda made: made.isel(channel=[1]),
    "one channel": lambda made: made.isel(channel=0),
    "sorted": lambda made: made.sortby("time"),
    "transposed": lambda made: made.transpose("channel", "time"),
    "apply_ufunc": lambda made: xr.apply_ufunc(np.negative, made, dask="parallelized", output_dtypes=["i4"]),
    "positions": lambda made: made.isel(time=np.arange(made.sizes["time"])),
    "a mask": lambda made: made.isel(time=np.ones(made.sizes["time"], bool)),
    "set_xindex": lambda made: stored(made).drop_indexes("time").set_xindex("time", RegularClock),
}


@pytest.mark.parametrize("way", SURVIVES)
def test_the_clock_survives(way):
    made = recording()[1000:7000]
    after = SURVIVES[way](made)
    assert clock(after).equals(clock(made))
    assert after.time.attrs["units"] == "s"
    assert after.time.values[[0, -1]].tolist() == pytest.approx(made.time.values[[0, -1]].tolist(), abs=1e-9)
    if way != "set_xindex":
        assert clock(after).first == 1000


def test_renamed_times_are_selected_by_the_new_name():
    part = recording().rename(time="t").sel(t=slice(6.3, 6.31))
    assert part.dims == ("t", "channel") and part.sizes["t"] == 301


def test_strides_lower_the_rate_and_reversed_or_uneven_choices_store_their_times():
    made = recording()
    assert clock(made[5::10]).step == pytest.approx(10 / RATE)
    assert made[5::10].time.values.tolist() == made.time.values[5::10].tolist()
    assert clock(made[5:5000:10][3:]).first == 35
    for chosen in (slice(None, None, -1), [4, 1, 2], [7], slice(300, 20, -7)):
        part = made.isel(time=chosen)
        assert not isinstance(part.xindexes["time"], RegularClock)
        assert part.time.values.tolist() == made.time.values[chosen].tolist()
    assert "time" not in made.isel(time=3).xindexes and float(made.time[3]) == float(made.isel(time=3).time)


def test_consecutive_windows_make_the_whole_again():
    made = recording()
    whole = xr.concat([made[:1000], made[1000:1000], made[1000:4001], made[4001:]], "time")
    assert clock(whole).equals(clock(made)) and whole.values.tolist() == made.values.tolist()
    assert first_sample(xr.concat([made[500:700], made[700:900]], "time")) == 500
    far = xr.concat([made[:10], recording(start_s=START + 10 / RATE)[:10]], "time")
    assert clock(far).size == 20 and clock(far).first == 0


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (lambda made: made[2000:], r"recording 1 begins 0\.0333333 s after the end .*concatenate_segments"),
        (lambda made: made[500:], r"recording 1 begins 0\.0166667 s before the end .*append_segments"),
        (lambda made: recording(start_s=START + (1000.4) / RATE), "or on another clock"),
        (lambda made: recording(rate=25_000.0, start_s=START + 1000 / RATE), "or on another clock"),
    ],
)
def test_times_that_fit_no_common_axis_are_refused_with_the_remedy(second, message):
    made = recording()
    with pytest.raises(RecordingError, match=message):
        xr.concat([made[:1000], second(made)], "time")


def test_recordings_on_one_clock_are_aligned_by_sample():
    made = recording()
    shared = made[1000:5000] - made[3000:8000]
    assert first_sample(shared) == 3000 and shared.sizes["time"] == 2000 and not shared.values.any()
    left, right = xr.align(made[:2000], made[1500:4000], join="outer")
    assert left.sizes == right.sizes and clock(left).size == 4000
    assert int(left.isnull().sum()) == 2 * 2000
    with pytest.raises(RecordingError, match=r"different clocks .* whose samples do not coincide"):
        made + recording(start_s=START + 0.5 / RATE)
    with pytest.raises(RecordingError, match="a gap between two windows"):
        xr.align(made[:100], made[200:300], join="outer")


def test_tokens_of_clocks_are_equal_only_for_equal_clocks():
    made = recording(n=100)
    assert dask.base.tokenize(made) == dask.base.tokenize(pickle.loads(pickle.dumps(made)))
    assert dask.base.tokenize(made.time) != dask.base.tokenize(recording(n=100, start_s=1.0).time)
    assert len(pickle.dumps(clock(recording()))) < 1500


@pytest.mark.parametrize("kind", ["zarr", "netcdf"])
def test_clocks_stored_by_xarray_are_opened_again(kind, tmp_path):
    part = recording(coordinates={"x": [0.0, 1.0], "y": [0.0, 20.0]})[1000:7000]
    if kind == "zarr":
        part.chunk({"time": 1500}).to_dataset(name="traces").to_zarr(tmp_path / "a.zarr")
        opened = xr.open_zarr(tmp_path / "a.zarr")["traces"]
    else:
        part.to_netcdf(tmp_path / "a.nc")
        opened = xr.open_dataarray(tmp_path / "a.nc", chunks={})
    found = clock_of(opened)
    assert found is not None and found.equals(clock(part))
    assert first_sample(opened) == 1000 and opened.values.tolist() == part.values.tolist()
    assert (opened.x.attrs["units"], opened.time.attrs["units"]) == ("um", "s")


def test_even_spacing_is_recognized():
    times = START + np.arange(100_000) / 24_414.0625
    found = evenly_spaced(times)
    assert found is not None and found.transform.rate == pytest.approx(24_414.0625, rel=1e-9)
    assert found.size == 100_000
    for uneven in (np.r_[times[:500], times[501:]], times[:1], times[::-1], times.astype(str)):
        assert evenly_spaced(uneven) is None
    with pytest.raises(RecordingError, match="'time' are not evenly spaced"):
        xr.DataArray([1.0, 2, 3], coords={"time": ("time", [0.0, 1, 3])}).drop_indexes("time").set_xindex(
            "time", RegularClock
        )


def test_figures_are_labelled_in_seconds_and_micrometers():
    pytest.importorskip("matplotlib").use("agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots()
    made = recording(coordinates={"y": [0.0, 20.0]}, units="uV")
    made[:50, 0].plot(ax=axes)
    assert axes.get_xlabel() == "time [s]" and axes.get_ylabel() == "traces [uV]"
    plt.close(figure)
    assert made.y.attrs == {"units": "um"}


def test_the_cost_does_not_grow_with_the_recording():
    import tracemalloc

    import dask.array as da

    n = 3600 * 30_000
    hour = make_recording(da.zeros((n, 2), chunks=(3_000_000, 2), dtype="i2"), sampling_frequency=RATE)
    tracemalloc.start()
    token = dask.base.tokenize(hour)
    assert token == dask.base.tokenize(pickle.loads(pickle.dumps(hour)))
    assert token != dask.base.tokenize(hour[:-1]) != dask.base.tokenize(hour.chunk({"time": 30_000_000}))
    assert "RegularClock" in repr(hour.sel(time=slice(100, 200)) * 2)
    assert hour.sel(time=1234.56789, method="nearest").time.values == pytest.approx(1234.5679)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 50e6
