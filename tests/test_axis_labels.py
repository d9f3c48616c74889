"""Names of channels, times and the unit of a recording: wrong ones are refused with the remedy, by every operation."""

import numpy as np
import pytest
import xarray as xr

import xephys
from xephys.axis_labels import check_channel_names, check_rate, check_trace_units
from xephys.errors import RecordingError

RATE = 30_000.0


def recording(**changed):
    given = {"sampling_frequency": RATE, "coordinates": {"x": [0.0, 0, 0, 0], "y": [0.0, 20, 40, 60]}} | changed
    return xephys.make_recording(np.zeros((3000, 4), "i2"), **given)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"channel_ids": [0, 0, 1, 2]}, "1 names belong to several channels, such as 0.*assign_coords"),
        ({"channel_ids": ["a", "b", "a", "b"]}, "2 names belong to several channels, such as 'a'"),
        ({"channel_ids": [0, 1, np.nan, 3]}, "have no name"),
        ({"channel_ids": [0, 1]}, r"channel_ids has shape \(2,\) for 4 channels"),
        ({"sampling_frequency": 0}, "sampling_frequency is 0; give the rate in hertz"),
        ({"sampling_frequency": -RATE}, "above 0"),
        ({"start_s": np.inf}, "start_s is inf|finite number"),
        ({"units": "mV"}, "'mV'; voltages are in 'uV': multiply the traces by 1000"),
        ({"units": "µV"}, "microvolts are written 'uV'"),
        ({"units": "V"}, "multiply the traces by 1e\\+06"),
        ({"coordinates": {"time": [0, 1, 2, 3]}}, "coordinates hold 'time'.*start_s"),
        ({"coordinates": {"channel": [0, 1, 2, 3]}}, "coordinates hold 'channel'.*channel_ids"),
    ],
)
def test_wrong_labels_are_refused_when_a_recording_is_made(changed, message):
    with pytest.raises(ValueError, match=message):
        recording(**changed)


def seconds(made):
    return made.assign_coords(time=made.time.values)


CHANGES = {
    "channels of one name": (lambda r: r.assign_coords(channel=[0, 1, 1, 2]), "several channels, such as 1"),
    "joined along channels": (lambda r: xr.concat([r, r], "channel"), "4 names belong to several channels"),
    "unnamed channels": (lambda r: r.assign_coords(channel=[0, 1, 2, np.nan]), "have no name"),
    "millivolts": (lambda r: r.assign_attrs(units="mV"), "voltages are in 'uV'"),
    "reversed": (lambda r: r.isel(time=slice(None, None, -1)), "do not increase.*sortby"),
    "reversed times": (lambda r: seconds(r).isel(time=slice(None, None, -1)), "do not increase.*sortby"),
    "shuffled": (lambda r: seconds(r).isel(time=np.r_[0:100, 200:300, 100:200, 300:3000]), "do not increase"),
    "no time for a sample": (lambda r: r.assign_coords(time=np.r_[np.nan, r.time.values[1:]]), "some times are NaN"),
    "dates": (
        lambda r: r.assign_coords(time=np.datetime64("2026-01-01", "ns") + (r.time.values * 1e9).astype("m8[ns]")),
        "the times are datetime64.*are seconds: recording.assign_coords",
    ),
    "durations": (lambda r: r.assign_coords(time=(r.time.values * 1e9).astype("m8[ns]")), "timedelta64.*seconds"),
    "one time for all": (lambda r: r.assign_coords(time=np.zeros(3000)), "0 s apart"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_every_operation_refuses_them(change):
    make, message = CHANGES[change]
    changed = make(recording())
    for operation in (xephys.bandpass_filter, xephys.common_reference, xephys.to_spikeinterface, xephys.sort):
        with pytest.raises(ValueError, match=message):
            operation(changed)


def test_the_remedies_help():
    made = recording()
    times = seconds(made).isel(time=np.r_[0:100, 200:300, 100:200, 300:3000])
    xephys.bandpass_filter(times.sortby("time"))
    xephys.bandpass_filter(made.isel(time=slice(None, None, -1)).isel(time=slice(None, None, -1)))
    dates = made.assign_coords(time=np.datetime64("2026-01-01", "ns") + (made.time.values * 1e9).astype("m8[ns]"))
    xephys.bandpass_filter(dates.assign_coords(time=(dates.time - dates.time[0]) / np.timedelta64(1, "s")))
    xephys.bandpass_filter(made.assign_coords(channel=[0, 1, 1, 2]).assign_coords(channel=range(4)))


def test_good_labels_pass():
    check_channel_names(np.array(["a", "b"], object))
    for unit in ("uV", "counts", "noise"):
        check_trace_units(unit)
    check_rate([1 / RATE, 5 / RATE], RATE)  # a gap among stored times


def test_an_estimate_follows_the_names_of_channels():
    made, _ = xephys.testing.simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0)
    turned = made.isel(channel=slice(None, None, -1))
    levels = xephys.estimate_noise_levels(made) * np.arange(1, 9)
    levels.attrs = xephys.estimate_noise_levels(made).attrs
    own = xephys.detect_peaks(turned, noise_levels=levels).compute()
    right = xephys.detect_peaks(turned, noise_levels=levels.values[::-1]).compute()
    np.testing.assert_array_equal(own, right)
    statistics = xephys.estimate_statistics(made)
    whole = xephys.zscore(made, statistics=statistics)
    part = xephys.zscore(turned.isel(channel=[1, 2]), statistics=statistics)
    np.testing.assert_array_equal(part, whole.sel(channel=part.channel))
    for other, said in ((turned, "in another order"), (made.assign_coords(channel=range(100, 108)), "other channels")):
        with pytest.raises(xephys.RecordingError, match=f"made on .*{said} .*estimate on this recording"):
            xephys.whiten(other, whitening=xephys.estimate_whitening(made))
    with pytest.raises(xephys.RecordingError, match="8 of the 8 channels have no value, such as 100"):
        xephys.detect_peaks(made.assign_coords(channel=range(100, 108)), noise_levels=levels)


def test_peaks_of_a_larger_recording_are_refused():
    made, _ = xephys.testing.simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0)
    peaks = np.zeros(3, [("sample_index", "i8"), ("channel_index", "i8"), ("unit_index", "i8")])
    peaks["sample_index"], peaks["channel_index"] = [1000, 2000, 3000], [0, 3, 7]
    part = made.isel(channel=slice(0, 4))
    for call in (
        lambda: xephys.localize_peaks(part, peaks),
        lambda: xephys.extract_snippets(part, peaks),
        lambda: xephys.estimate_templates(part, peaks),
        lambda: xephys.estimate_templates(part, peaks[["sample_index", "unit_index"]], peak_channels=np.array([7])),
    ):
        with pytest.raises(xephys.RecordingError, match=r"goes up to 7, and the recording has 4 channels.*another"):
            call()


@pytest.mark.parametrize("name", ["x", "y", "z", "gain_to_uv", "offset_to_uv", "inter_sample_shift"])
def test_places_and_gains_are_numbers(name):
    message = f"coordinate '{name}' holds .* and so on; give a number for each channel"
    with pytest.raises(RecordingError, match=message):
        recording(coordinates={name: ["a", "b", "c", "d"]})
    assigned = recording().assign_coords({name: ("channel", np.array([None, 1, 2, 3], object))})
    for use in (xephys.sort, xephys.common_reference):
        with pytest.raises(RecordingError, match=message):
            use(assigned)
    recording(coordinates={name: [1, 2, 3, 4]})


def test_what_is_known_of_channels_is_known_of_each():
    given = recording().assign_coords(shank=("channel", [0, 0, 1, 1]))
    for wrong in (
        given.assign_coords(shank=0),
        given.assign_coords(bad=(("time", "channel"), np.zeros((3000, 4), bool))),
        given.stack(both=("time", "channel")).unstack(),
    ):
        with pytest.raises(RecordingError, match=r"has dims \(.*\); give one value for each channel: .*assign_coords"):
            xephys.bandpass_filter(wrong)
