"""A sorting made from arrays is accepted wherever the result of a sort is."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import xephys
from xephys.errors import ParameterError
from xephys.recording.segments import tree_of
from xephys.schema import make_recording
from xephys.sorting import spike_times_s
from xephys.testing import simulate_recording

from .trains import trains_of


@pytest.fixture(scope="module")
def simulated():
    return simulate_recording(duration_s=4, n_channels=8, n_units=3, seed=1)


def recording(start_s=0.0, n_samples=3000):
    return make_recording(np.zeros((n_samples, 2), "i2"), sampling_frequency=1000.0, start_s=start_s)


def test_times_follow_the_clock_of_the_recording():
    rec = recording(start_s=5.0)
    made = xephys.make_sorting(times_s=[5.1, 5.2004, 7.9], labels=["b", "a", "b"], recording=rec)
    assert trains_of(made) == {"a": [200], "b": [100, 2900]}
    np.testing.assert_allclose(spike_times_s(made), [5.1, 5.2, 7.9])
    part = xephys.make_sorting(times_s=[7.5], labels=[0], recording=rec.isel(time=slice(2000, 3000)))
    assert part["spikes"]["sample_index"].values.tolist() == [2500]


def test_times_of_irregular_samples_are_looked_up():
    clock = np.arange(3000) / 1000.0
    clock[1000:] += 4.0
    rec = recording().drop_vars("time").assign_coords(time=("time", clock))
    made = xephys.make_sorting(times_s=[0.5004, 0.9999, 5.5], labels=[0, 0, 0], recording=rec)
    assert trains_of(made) == {0: [500, 999, 1500]} or trains_of(made) == {0: [500, 1000, 1500]}
    assert xephys.sample_times(rec, made["spikes"]["sample_index"].values)[2] == 5.5


def test_spikes_are_assigned_to_segments():
    both = tree_of([recording(1.0), recording(10.0, 500)])
    made = xephys.make_sorting(times_s=[1.5, 10.2], labels=[0, 0], segment_index=[0, 1], recording=both)
    assert made["spikes"]["sample_index"].values.tolist() == [500, 200]
    assert made["spikes"]["segment_index"].values.tolist() == [0, 1]


@pytest.mark.parametrize(
    "as_what",
    [
        lambda columns: columns,
        pd.DataFrame,
        lambda columns: xr.Dataset({name: ("spike", values) for name, values in columns.items()}),
        lambda columns: pd.DataFrame(columns).to_records(index=False),
    ],
    ids=["dict", "DataFrame", "Dataset", "records"],
)
def test_any_table_of_spikes_is_accepted(as_what):
    columns = {"sample_index": np.array([10, 30, 20]), "unit_index": np.array([0, 2, -1]), "y": np.array([1.0, 3, 2])}
    made = xephys.make_sorting(as_what(columns), sampling_frequency=1000.0)
    assert trains_of(made) == {0: [10], 2: [30]}
    assert made["spikes"]["y"].values.tolist() == [1.0, 3.0]


def test_labels_are_names():
    given = {"sample_index": [10, 20, 30], "sampling_frequency": 1000.0}
    assert trains_of(xephys.make_sorting(labels=[-1, 5, -1], **given)) == {5: [20]}
    assert trains_of(xephys.make_sorting(labels=[-1, 5, -1], ignore=None, **given)) == {-1: [10, 30], 5: [20]}
    named = xephys.make_sorting(
        labels=[7, 5, 7], unit_ids=[7, 6, 5], units={"label": ["good", "mua", "noise"]}, **given
    )
    assert trains_of(named) == {7: [10, 30], 6: [], 5: [20]}
    assert named["units"]["label"].values.tolist() == ["good", "mua", "noise"]


def test_every_function_of_sortings_accepts_it(simulated, tmp_path):
    recording, truth = simulated
    filtered = xephys.bandpass_filter(xephys.to_uv(recording))
    noise = xephys.estimate_noise_levels(filtered)
    spikes = truth.spikes[["sample_index", "unit_index"]]
    templates = xephys.estimate_templates(filtered, spikes)
    made = xephys.make_sorting(spikes, recording=recording, templates=templates, noise_levels=noise)
    assert xephys.compare(made, truth).summary["accuracy"] == 1.0
    units = made["units"].dataset
    assert {"num_spikes", "firing_rate", "amplitude", "snr", "contamination", "x", "y"} <= set(units)
    np.testing.assert_array_equal(units["channel_index"], truth.peak_channels)
    np.testing.assert_allclose(
        units["snr"], units["amplitude"] / noise.values[units["channel_index"].values], rtol=1e-6
    )
    xephys.plot.plot_templates(made)
    xephys.plot.plot_drift_raster(made.copy())  # knows positions of units, but no amplitudes
    xephys.export_phy(made, tmp_path / "phy")
    xephys.save_sorting(made, tmp_path / "made.zarr")
    assert trains_of(xephys.open_sorting(tmp_path / "made.zarr")) == trains_of(made)
    assert xephys.to_spikeinterface(made).get_num_units() == 3
    assert xephys.merge_units(made, [0, 1])["units"].sizes["unit"] == 2


def test_amplitudes_of_matched_spikes_are_multiples_of_their_template(simulated):
    recording, truth = simulated
    filtered = xephys.bandpass_filter(xephys.to_uv(recording))
    whitened = xephys.whiten(filtered, whitening=xephys.estimate_whitening(filtered))
    spikes = truth.spikes[["sample_index", "unit_index"]]
    found = xephys.match_templates(whitened, templates=xephys.estimate_templates(whitened, spikes)).compute()
    templates = xephys.estimate_templates(filtered, found)
    made = xephys.make_sorting(found, recording=recording, templates=templates)
    size = made["units"]["amplitude"].values[found["unit_index"]]
    np.testing.assert_allclose(made["spikes"]["amplitude"], found["amplitude"] * size, rtol=1e-5)
    np.testing.assert_allclose(made["spikes"]["scale"], found["amplitude"], rtol=1e-5)
    with pytest.raises(ParameterError, match="templates are of white traces"):
        xephys.make_sorting(found, recording=recording, templates=xephys.estimate_templates(whitened, spikes))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({}, "no spikes are given; give one of spikes, sample_index and times_s"),
        ({"sample_index": [1], "times_s": [1.0], "labels": [0]}, "sample_index and times_s are given"),
        ({"sample_index": [1, 2]}, "no labels are given"),
        ({"sample_index": [1, 2], "labels": [0]}, r"labels have shape \(1,\) for 2 spikes"),
        ({"sample_index": [1, 2], "labels": [0.5, 1]}, "labels are float64"),
        ({"sample_index": [1, 2], "labels": [0, 1], "unit_ids": [0]}, "label 1 is none of the 1 unit_ids"),
        ({"times_s": [0.5, np.nan], "labels": [0, 1]}, "1 of 2 times are not finite"),
        ({"times_s": [5.0], "labels": [0]}, "1 spikes lie outside the recording"),
        ({"times_s": np.array([5], "m8[ns]"), "labels": [0]}, r"timedelta64\[ns\] values; give seconds: times / np"),
        ({"times_s": np.array([5], "M8[s]"), "labels": [0]}, r"datetime64\[s\] values; give seconds: \(times - start"),
        ({"sample_index": np.array([2**63], "u8"), "labels": [0]}, "more than any recording has"),
        ({"sample_index": [True], "labels": [0]}, "sample_index holds bool values; give whole numbers"),
        ({"sample_index": ["5"], "labels": [0]}, "sample_index holds <U1 values; give whole numbers"),
        ({"sample_index": [1], "labels": [0], "sampling_frequency": 500.0}, "the recording has 1000 Hz"),
        ({"sample_index": [1], "labels": [0], "recording": None}, "neither recording nor sampling_frequency"),
    ],
)
def test_bad_input_is_refused(parameters, message):
    with pytest.raises(ParameterError, match=message):
        xephys.make_sorting(**{"recording": recording(), **parameters})


def test_lazy_tables_say_what_to_call(simulated):
    filtered = xephys.bandpass_filter(simulated[0])
    peaks = xephys.detect_peaks(filtered, noise_levels=xephys.estimate_noise_levels(filtered))
    with pytest.raises(ParameterError, match=r"call \.compute\(\)"):
        xephys.make_sorting(peaks, recording=filtered)


def test_a_negative_time_without_a_recording_is_refused_without_a_length():
    with pytest.raises(ParameterError, match=r"1 spikes lie outside the recording, the first at sample -30000; was"):
        xephys.make_sorting(times_s=[-1.0, 2.0], labels=[1, 2], sampling_frequency=30_000.0)


def test_segments_are_counted_without_a_recording() -> None:
    tree = xephys.make_sorting(
        sample_index=[5, 1, 9], labels=["a", "b", "a"], segment_index=[0, 2, 2], sampling_frequency=1000.0
    )
    assert tree["spikes"]["segment_index"].values.tolist() == [0, 2, 2]
    assert xephys.to_spikeinterface(tree).get_num_segments() == 3


@pytest.mark.parametrize(
    ("labels", "odd"),
    [([0, "a"], "'a', a str"), (["a", None], "None, a NoneType"), ([None, None], "None")],
)
def test_labels_of_several_kinds_are_refused(labels, odd):
    with pytest.raises(ParameterError, match=f"labels hold {odd}.*all as integers, or all as texts"):
        xephys.make_sorting(sample_index=[1, 2], labels=labels, sampling_frequency=1000.0)
