"""Before detection: small probes are not referenced, and constant channels are marked."""

from __future__ import annotations

import numpy as np
import pytest

import xephys
from tests.support import device_arrays
from xephys.errors import RecordingError, XephysWarning
from xephys.graph.build import plan_of
from xephys.per_channel import bad_channels_of
from xephys.schema import make_recording
from xephys.sorter.steps import prepare as module
from xephys.sorter.steps.passes import Run
from xephys.sorter.steps.prepare import (
    channels_of_largest_shank,
    check_filterable,
    excerpts_of,
    flag_constant,
    prepare,
    referenced,
    transformed_excerpts,
)


def recording(traces, **coordinates):
    n = traces.shape[1]
    places = {"x": np.zeros(n), "y": 20.0 * np.arange(n), **coordinates}
    return make_recording(traces, sampling_frequency=1000.0, coordinates=places)


def noise(n):
    return np.random.default_rng(0).normal(size=(4000, n)).astype("f4")


def test_the_largest_shank_counts_good_channels_only():
    shank, bad = np.array(list("aaabbbbb")), np.array([0, 0, 0, 1, 1, 1, 0, 0], bool)
    assert channels_of_largest_shank(recording(noise(8), shank=shank)) == 5
    assert channels_of_largest_shank(recording(noise(8), shank=shank, bad=bad)) == 3


def test_few_channels_or_the_option_disable_the_reference():
    assert referenced(recording(noise(4)), operator="median").values.tobytes() == noise(4).tobytes()
    large = recording(noise(24))
    np.testing.assert_array_equal(referenced(large, operator="none").values, large.values)
    middle = np.median(referenced(large, operator="median").values, axis=1)
    np.testing.assert_allclose(middle, 0, atol=1e-6)


def test_constant_channels_are_marked(tmp_path):
    traces = noise(4)
    traces[:, 2] = 7
    with pytest.warns(XephysWarning, match="2"):
        marked = flag_constant(recording(traces), Run(tmp_path, None, "default"), seed=0)
    assert bad_channels_of(marked).tolist() == [False, False, True, False]
    with pytest.raises(RecordingError):
        flag_constant(recording(np.ones((4000, 4), "f4")), Run(tmp_path / "other", None, "default"), seed=0)


@pytest.mark.parametrize(("rate", "refused"), [(1000.0, True), (2500.0, True), (10_000.0, False)])
def test_a_rate_without_spikes_is_refused_with_the_remedy(rate, refused):
    slow = make_recording(noise(1), sampling_frequency=rate)
    if not refused:
        check_filterable(slow, lambda traces: traces)
        return
    with pytest.raises(RecordingError, match=f"sampled at {rate:g} Hz, and spikes.* below 4000 Hz.* stream_id"):
        check_filterable(slow, lambda traces: traces)


def test_excerpts_of_a_transform_are_those_of_the_transformed_recording():
    traces = recording(noise(24), bad=np.arange(24) == 3)
    excerpts = excerpts_of(traces, seed=1, n_slices=3)
    found = transformed_excerpts(excerpts, traces, lambda given: referenced(given, operator="median"))
    expected = xephys.sample_traces(referenced(traces, operator="median"), n_slices=3, seed=1)
    assert len(found) == len(expected) == 3
    for part, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(part, other)


def test_all_estimates_share_the_filtered_excerpts(tmp_path, monkeypatch):
    drawn = []

    def sample(given, **settings):
        drawn.append(settings)
        return xephys.sample_traces(given, **settings)

    monkeypatch.setattr(module, "sample_traces", sample)
    prepare(
        recording(noise(40)),
        Run(tmp_path, None, "default"),
        band_pass=lambda traces: traces,
        reference="median",
        whitening_n_nearest=8,
        seed=0,
    )
    assert drawn == [{"n_slices": module.N_SLICES, "seed": 0}]


def test_silence_is_filled_before_samples_go_to_a_device(tmp_path):
    traces = noise(4)
    traces[1000:2000] = 0
    with device_arrays.installed() as device:
        found = module.in_microvolts(xephys.to_device(recording(traces), device), Run(folder=tmp_path), seed=0)
    assert [stage.device for stage in plan_of(found.data).stages] == [None, device]
