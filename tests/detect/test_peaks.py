"""Detection of peaks: true spikes found once, SpikeInterface's peaks, no peaks on bad channels, errors."""

from __future__ import annotations

import numpy as np
import pytest

import xephys
from tests.support.spiking import RATE, case, peaks, separate, share_found
from xephys import ParameterError, RecordingError
from xephys.schema import make_recording


def test_every_separate_spike_is_found_once():
    found = peaks(exclude_sweep_ms=1.0, radius_um=150.0).compute()
    true = case().truth.spikes["sample_index"]
    alone = true[separate(true)]
    assert len(alone) > 150
    assert share_found(found["sample_index"], alone) == 1.0
    assert len(found) < 1.15 * len(true)


def test_bad_channels_give_no_peaks():
    best = np.bincount(peaks().compute()["channel_index"], minlength=24).argmax()
    marked = case().filtered.assign_coords(bad=("channel", np.arange(24) == best))
    found = xephys.detect_peaks(marked, noise_levels=case().levels).compute()
    assert len(found)
    assert not (found["channel_index"] == best).any()


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"method": "locally"}, "method is 'locally'.*did you mean 'locally_exclusive'"),
        ({"peak_sign": "negative"}, "peak_sign is 'negative'.*did you mean 'neg'"),
        ({"detect_threshold": 0}, "detect_threshold is 0; it must be greater than 0"),
        ({"exclude_sweep_ms": -1}, "exclude_sweep_ms is -1; it must be at least 0"),
        ({"radius_um": -1}, "radius_um is -1; it must be at least 0"),
        ({"echo_radius_um": 100.0}, "'locally_exclusive' has no parameter 'echo_radius_um'.*did you mean 'radius_um'"),
    ],
)
def test_wrong_parameters(parameters, message):
    with pytest.raises(ParameterError, match=message):
        peaks(**parameters)


def test_noise_levels_must_fit():
    with pytest.raises(ParameterError, match="noise_levels is missing; give those of estimate_noise_levels"):
        xephys.detect_peaks(case().filtered)
    with pytest.raises(RecordingError, match="noise_levels: 21 of the 24 channels have no value, such as 3"):
        xephys.detect_peaks(case().filtered, noise_levels=case().levels[:3])
    with pytest.raises(RecordingError, match="no channel can give peaks"):
        xephys.detect_peaks(case().filtered, noise_levels=0 * case().levels)
    fitted = xephys.estimate_matched_filter(case().filtered)
    with pytest.raises(RecordingError, match="for 24 channels, the recording has 4; estimate it on this recording"):
        xephys.detect_peaks(
            case().filtered.isel(channel=slice(0, 4)), method="matched_filtering", matched_filter=fitted
        )


def test_methods_that_use_positions_refuse_recordings_without_them():
    bare = make_recording(case().filtered.values[:3000], sampling_frequency=RATE, units="uV")
    assert len(xephys.detect_peaks(bare, noise_levels=case().levels, method="by_channel").compute())
    with pytest.raises(RecordingError, match="detection by locally_exclusive needs the positions"):
        xephys.detect_peaks(bare, noise_levels=case().levels)
