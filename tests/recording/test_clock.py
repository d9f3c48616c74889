"""A part of a recording counts samples from the start of its segment, in whatever way it was made."""

import numpy as np
import pytest

import xephys
from xephys.errors import RecordingError
from xephys.recording.clock import first_sample, sample_times, segment_start_s
from xephys.schema import make_recording

RATE = 1000.0


def recording(start_s=6.29, n=4000):
    """Four channels of noise on a clock that does not begin at 0, with a deep trough every 500 samples."""
    traces = np.random.default_rng(0).normal(0, 1, (n, 4)).astype("f4")
    traces[250::500, 1] -= 60
    lazy = make_recording(
        traces, sampling_frequency=RATE, start_s=start_s, units="uV",
        coordinates={"x": np.zeros(4), "y": 20.0 * np.arange(4)},
    )  # fmt: skip
    return lazy.chunk({"time": 700})


def peaks_of(traces):
    levels = xephys.estimate_noise_levels(traces)
    return xephys.detect_peaks(traces, noise_levels=levels, detect_threshold=10).compute()["sample_index"].tolist()


WAYS = {
    "isel": lambda whole, folder: whole.isel(time=slice(1000, 3000)),
    "time_slice": lambda whole, folder: xephys.time_slice(whole, 7.29, 9.29),
    "slice of a slice": lambda whole, folder: whole.isel(time=slice(500, None)).isel(time=slice(500, 2500)),
    "arithmetic": lambda whole, folder: whole.isel(time=slice(1000, 3000)) * 2.0,
    "arithmetic, then a slice": lambda whole, folder: (whole * 2.0).isel(time=slice(1000, 3000)),
    "a step, then a slice": lambda whole, folder: xephys.scale(whole, gain=2.0).isel(time=slice(1000, 3000)),
    "a slice, then a step": lambda whole, folder: xephys.scale(whole.isel(time=slice(1000, 3000)), gain=2.0),
    "in memory": lambda whole, folder: whole.isel(time=slice(1000, 3000)).compute(),
    "persist": lambda whole, folder: whole.isel(time=slice(1000, 3000)).persist(),
    "zarr": lambda whole, folder: xephys.save_recording(whole.isel(time=slice(1000, 3000)), folder / "a.zarr"),
    "binary": lambda whole, folder: xephys.save_recording(
        whole.isel(time=slice(1000, 3000)), folder / "a", format="binary"
    ),
    "saved after arithmetic": lambda whole, folder: xephys.save_recording(
        whole.isel(time=slice(1000, 3000)) * 2.0, folder / "a.zarr"
    ),
    "a slice of what was saved": lambda whole, folder: xephys.save_recording(
        whole.isel(time=slice(500, None)), folder / "a.zarr"
    ).isel(time=slice(500, 2500)),
    "there and back": lambda whole, folder: xephys.from_spikeinterface(
        xephys.to_spikeinterface(whole.isel(time=slice(1000, 3000)))
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_peaks_of_a_part_equal_those_of_the_whole(way, tmp_path):
    part = WAYS[way](recording(), tmp_path)
    assert first_sample(part) == 1000
    assert segment_start_s(part) == pytest.approx(6.29, abs=1e-9)
    assert peaks_of(part) == [1250, 1750, 2250, 2750]
    np.testing.assert_allclose(sample_times(part, [1250]), [7.54], atol=1e-9)


@pytest.mark.parametrize("way", WAYS)
def test_templates_of_a_part_are_means_of_its_own_spikes(way, tmp_path):
    part = WAYS[way](recording(), tmp_path)
    spikes = np.zeros(8, [("sample_index", "i8"), ("unit_index", "i8")])
    spikes["sample_index"] = np.arange(250, 4000, 500)
    templates = xephys.estimate_templates(part, spikes, peak_channels=np.array([1]), ms_before=3, ms_after=3)
    assert templates["num_averaged"].values.tolist() == [4]
    assert np.abs(templates["waveform"].values).max() > 55


def test_spliced_excerpts_have_a_clock_of_their_own():
    short = xephys.spread_slices(recording(n=20_000).compute(), total_s=4, slice_duration_s=1)
    assert first_sample(short) == 0 and segment_start_s(short) == 0.0
    assert first_sample((short * 2).isel(time=slice(100, None))) == 100


def test_recordings_with_a_time_for_each_sample():
    times = 5.0 + np.arange(2000) / RATE
    times[1000:] += 30.0
    whole = recording(n=2000).drop_vars("time").assign_coords(time=("time", times))
    whole.attrs["segment_start_s"] = 5.0
    part = whole.isel(time=slice(1100, 1900))
    assert sample_times(whole, [0, 1500]).tolist() == [5.0, 36.5]
    assert first_sample(whole * 2) == 0
    with pytest.raises(RecordingError, match=r"this part begins 31\.1 s after its segment"):
        first_sample(part * 2)


@pytest.mark.parametrize(
    "thinned",
    [
        lambda whole: whole.isel(time=slice(None, None, 10)),
        lambda whole: whole[::10],
        lambda whole: whole.coarsen(time=10).mean(),
        lambda whole: 2 * whole.isel(time=slice(None, None, 10)),
    ],
)
def test_thinned_samples_are_refused_with_the_remedy(thinned):
    part = thinned(recording())
    with pytest.raises(RecordingError, match=r"0\.01 s apart .* 1000 Hz.*sampling_frequency'\] = 100"):
        xephys.bandpass_filter(part, freq_min_hz=10, freq_max_hz=40)
    part.attrs["sampling_frequency"] = 100.0
    assert xephys.bandpass_filter(part, freq_min_hz=10, freq_max_hz=40).sizes["time"] == 400
