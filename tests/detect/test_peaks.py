"""Detection of peaks: true spikes found once, SpikeInterface's peaks, bad channels silent, what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import xephys
from xephys import ParameterError, RecordingError
from xephys.detect.matched_filter import prototype_of_components
from xephys.schema import make_recording

from ..support.spiking import RATE, case, peaks, separate, share_found


def test_every_separate_spike_is_found_once():
    found = peaks(exclude_sweep_ms=1.0, radius_um=150.0).compute()
    true = case().truth.spikes["sample_index"]
    alone = true[separate(true)]
    assert len(alone) > 150
    assert share_found(found["sample_index"], alone) == 1.0
    assert len(found) < 1.15 * len(true)


def test_the_same_peaks_as_spikeinterface():
    import spikeinterface.core as si
    from spikeinterface.sortingcomponents.peak_detection import detect_peaks

    traces = case().filtered.values
    peer = si.NumpyRecording([traces], RATE)
    peer.set_dummy_probe_from_locations(np.stack([case().filtered.x, case().filtered.y], axis=1))
    parameters = {"peak_sign": "neg", "detect_threshold": 5, "exclude_sweep_ms": 1.0, "radius_um": 50.0}
    theirs = detect_peaks(
        peer,
        method="locally_exclusive",
        method_kwargs={**parameters, "noise_levels": case().levels.values},
        job_kwargs={"n_jobs": 1, "chunk_duration": "10s", "progress_bar": False},
    )
    ours = peaks(**parameters).compute()
    inside = [(p["sample_index"] > 60) & (p["sample_index"] < len(traces) - 60) for p in (ours, theirs)]
    pairs = [
        set(zip(p["sample_index"][k], p["channel_index"][k], strict=True))
        for p, k in zip((ours, theirs), inside, strict=True)
    ]
    assert len(pairs[0]) > 200
    assert len(pairs[0] ^ pairs[1]) <= 0.01 * len(pairs[0])


def test_amplitudes_are_those_of_the_traces():
    traces = case().filtered.values
    for sign in ("neg", "pos", "both"):
        found = peaks(peak_sign=sign).compute()
        values = traces[found["sample_index"], found["channel_index"]]
        # Not to the bit: for events a tile is filtered with a longer lead.
        np.testing.assert_allclose(found["amplitude"], values, atol=2e-5)
        beyond = 5 * case().levels.values[found["channel_index"]]
        assert (np.abs(values) >= beyond * (1 - 1e-6)).all()
        assert {"neg": (values < 0).all(), "pos": (values > 0).all(), "both": True}[sign]


def test_a_higher_threshold_finds_a_part():
    low, high = (peaks(detect_threshold=t, method="by_channel").compute() for t in (5, 8))
    keys = [set(zip(p["sample_index"], p["channel_index"], strict=True)) for p in (low, high)]
    assert 0 < len(keys[1]) < len(keys[0])
    assert keys[1] <= keys[0]


def test_bad_channels_give_no_peaks():
    best = np.bincount(peaks().compute()["channel_index"], minlength=24).argmax()
    marked = case().filtered.assign_coords(bad=("channel", np.arange(24) == best))
    found = xephys.detect_peaks(marked, noise_levels=case().levels).compute()
    assert len(found)
    assert not (found["channel_index"] == best).any()


def test_channels_without_noise_give_no_peaks():
    levels = case().levels.copy()
    levels[3] = 0
    assert not (xephys.detect_peaks(case().filtered, noise_levels=levels).compute()["channel_index"] == 3).any()


def test_matched_filtering_finds_the_spikes():
    fitted = xephys.estimate_matched_filter(case().filtered, detect_threshold=6.0)
    found = xephys.detect_peaks(case().filtered, method="matched_filtering", matched_filter=fitted).compute()
    true = case().truth.spikes["sample_index"]
    assert share_found(found["sample_index"], true[separate(true)], window=10) > 0.98
    assert len(found) < 1.5 * len(true)


def test_the_shape_of_spikes_is_that_of_the_mean_spike():
    """Whatever the sign of the component; spikes of this recording are negative."""
    table, window = peaks(), {"ms_before": 0.4, "ms_after": 0.6}
    nbefore = round(0.4e-3 * RATE)
    learned = xephys.learn_components(case().filtered, table, n_components=3, n_tiles=None, **window)
    waveforms = xephys.extract_snippets(case().filtered, table, **window).compute()["waveform"]
    mean = waveforms.mean(axis=0)
    for components in (learned, (-learned).assign_attrs(learned.attrs)):
        found = prototype_of_components(components, sampling_frequency=RATE, **window)
        assert found[nbefore] == -1
        assert found @ mean > 0.97 * np.linalg.norm(found) * np.linalg.norm(mean)
        narrow = {"ms_before": 0.2, "ms_after": 0.3}
        part = prototype_of_components(components, sampling_frequency=RATE, peak_sign="pos", **narrow)
        first = nbefore - round(0.2e-3 * RATE)
        np.testing.assert_allclose(part, -found[first : first + len(part)])


def test_a_prototype_no_longer_than_its_components():
    components = xr.DataArray([[0.0, 0.1, 0.0, 0.3]], dims=("component", "sample"), attrs={"nbefore": 2})
    with pytest.raises(
        ParameterError, match="reach 2 samples before the peak and 2 from it on; a prototype of 1 and 3"
    ):
        prototype_of_components(components, sampling_frequency=1e3, ms_before=1, ms_after=3)
    with pytest.raises(ParameterError, match="the first component is 0 at the peak"):
        prototype_of_components(components, sampling_frequency=1e3, ms_before=1, ms_after=1)


def test_footprints_of_a_matched_filter():
    few = xephys.estimate_matched_filter(case().filtered, depths_um=(30.0,), decay_um=25.0, n_nearest=5)
    assert few.sizes["depth"] == 1
    assert (np.diff(few["weight_offsets"]) == 5).all()
    with pytest.raises(ParameterError, match=r"depths_um is \[-1\]; give at least one depth, none of them negative"):
        xephys.estimate_matched_filter(case().filtered, depths_um=(-1,))
    with pytest.raises(ParameterError, match="n_nearest is 0"):
        xephys.estimate_matched_filter(case().filtered, n_nearest=0)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"method": "locally"}, "method is 'locally'.*did you mean 'locally_exclusive'"),
        ({"peak_sign": "negative"}, "peak_sign is 'negative'.*did you mean 'neg'"),
        ({"detect_threshold": 0}, "detect_threshold is 0; it must be greater than 0"),
        ({"exclude_sweep_ms": -1}, "exclude_sweep_ms is -1; it must be greater than 0"),
        ({"radius_um": -1}, "radius_um is -1; it must be at least 0"),
        ({"echo_radius_um": 100.0}, "'locally_exclusive' has no parameter 'echo_radius_um'.*did you mean 'radius_um'"),
    ],
)
def test_wrong_parameters(parameters, message):
    with pytest.raises(ParameterError, match=message):
        peaks(**parameters)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"echo_radius_um": -1.0}, "echo_radius_um is -1; it must be at least 0"),
        ({"noise_levels": 1.0}, "method 'matched_filtering' has no parameter 'noise_levels'"),
        ({}, "matched_filter is missing; give that of estimate_matched_filter"),
    ],
)
def test_wrong_parameters_of_a_matched_filter(parameters, message):
    with pytest.raises(ParameterError, match=message):
        xephys.detect_peaks(case().filtered, method="matched_filtering", **parameters)


def test_noise_levels_must_fit():
    with pytest.raises(ParameterError, match="noise_levels is missing; give those of estimate_noise_levels"):
        xephys.detect_peaks(case().filtered)
    with pytest.raises(RecordingError, match=r"noise_levels has shape \(3,\) for 24 channels"):
        xephys.detect_peaks(case().filtered, noise_levels=case().levels[:3])
    with pytest.raises(RecordingError, match="no channel can give peaks"):
        xephys.detect_peaks(case().filtered, noise_levels=0 * case().levels)
    fitted = xephys.estimate_matched_filter(case().filtered)
    with pytest.raises(RecordingError, match="for 24 channels, the recording has 4; estimate it on this recording"):
        xephys.detect_peaks(
            case().filtered.isel(channel=slice(0, 4)), method="matched_filtering", matched_filter=fitted
        )


def test_positions_are_needed_by_some_methods():
    bare = make_recording(case().filtered.values[:3000], sampling_frequency=RATE)
    assert len(xephys.detect_peaks(bare, noise_levels=case().levels, method="by_channel").compute())
    with pytest.raises(RecordingError, match="detection by locally_exclusive needs the positions"):
        xephys.detect_peaks(bare, noise_levels=case().levels)
