"""What a device is told to do in a tile, on arrays and in kernels as strict as CuPy's: at most 60 operations a pass.

Each operation costs Python some ten microseconds, whatever it computes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numba import config
from numpy.typing import NDArray
from scipy.signal import butter

from tests.support import device_arrays
from tests.support.device_arrays import Copies, like_cupy
from tests.support.matching import (
    N_BEFORE,
    N_CHANNELS,
    N_SAMPLES,
    NEIGHBORS,
    make_model,
    make_templates,
    make_traces,
    random_spikes,
)
from xephys.kernels.detect.peaks_device import detect_locally_exclusive
from xephys.kernels.features.waveforms_device import project_waveforms
from xephys.kernels.lib.mixing import pack_dense
from xephys.kernels.lib.mixing_device import mix_channels
from xephys.kernels.lib.quantize_device import quantize
from xephys.kernels.localize.center_of_mass_device import localize_center_of_mass
from xephys.kernels.match import features, features_device, scores_device
from xephys.kernels.match.cuda import pursuit
from xephys.kernels.preprocess.filter_device import sos_filtfilt
from xephys.kernels.preprocess.fir import gaussian_taps
from xephys.kernels.preprocess.fir_device import fir_filter
from xephys.kernels.preprocess.phase_shift_device import phase_shift
from xephys.kernels.preprocess.reference_device import common_reference
from xephys.kernels.preprocess.scale_device import scale

MOST = 60
ROWS, HALO, REACH = 500, 40, 60
COMPONENTS = np.ascontiguousarray(
    np.linalg.qr(np.random.default_rng(0).standard_normal((N_SAMPLES, 4)))[0].T, np.float32
)
GAINS, OFFSETS, SHIFTS = np.full(N_CHANNELS, 0.2), np.zeros(N_CHANNELS), np.linspace(0, 0.5, N_CHANNELS)
SOS = butter(2, 0.1, "highpass", output="sos")
TAPS = gaussian_taps(freq_min_hz=600.0, freq_max_hz=6000.0, sampling_frequency=30_000.0)
WHITENING = pack_dense(np.eye(N_CHANNELS) + 0.01)
LIMITS, PLACES = np.full(N_CHANNELS, 40.0), np.stack([np.zeros(N_CHANNELS), 20.0 * np.arange(N_CHANNELS)], axis=1)


@pytest.fixture
def copies(monkeypatch: pytest.MonkeyPatch) -> Iterator[Copies]:
    if not config.ENABLE_CUDASIM:
        pytest.skip("Numba was not told to simulate a device: NUMBA_ENABLE_CUDASIM=1")
    monkeypatch.setitem(pursuit.take_spikes.__kwdefaults__, "n_threads", 4)  # each is a thread of Python's
    with device_arrays.simulating(monkeypatch) as found:
        yield found


def of_second_call(copies: Copies, call: Any) -> tuple[Any, Copies]:
    """The result, and what the second call of a pass costs: tables are moved to the device in the first."""
    call()
    before = Copies(list(copies.up), list(copies.down), copies.numbers, copies.launches)
    result = call()
    return result, Copies(
        copies.up[len(before.up) :],
        copies.down[len(before.down) :],
        copies.numbers - before.numbers,
        copies.launches - before.launches,
    )


@pytest.fixture(scope="module")
def matching() -> dict[str, Any]:
    """A tile with 25 spikes of 9 templates, many of which overlap."""
    model = make_model(make_templates(9, seed=3))
    traces = make_traces(model, random_spikes(9, 650, 25, seed=5), 650, noise=1.0)
    given = {"before": 120, "after": 130, "start": 500, "nbefore": N_BEFORE, "components": COMPONENTS}
    return {"traces": traces, "given": {**given, "neighbors": NEIGHBORS, "model": model, "score_step": 2}}


def test_a_tile_is_matched_in_few_launches(copies, matching, monkeypatch):
    """Templates come in groups, as 192 of them would; the spikes with cleaned features come back in one copy."""
    monkeypatch.setattr(scores_device, "UNITS", 3)
    step, given = np.float32(0.01), matching["given"]
    samples = np.round(matching["traces"] / step).astype(np.int16)

    def match() -> Any:
        traces = scale(like_cupy, like_cupy.asarray(samples), gain=0.01)
        return features_device.match_and_project(like_cupy, traces, **given).get()

    found, cost = of_second_call(copies, match)
    expected = features.match_and_project(samples * step, **given)
    assert len(found) > 10
    for name in ("sample_index", "channel_index", "unit_index", "segment_index"):
        np.testing.assert_array_equal(found[name], expected[name])
    for name in ("amplitude", "sample_offset", "gain"):
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-3, atol=1e-6)
    largest = np.abs(expected["projection"]).max()
    np.testing.assert_allclose(found["projection"], expected["projection"], atol=1e-3 * largest)
    assert 0 < cost.launches <= MOST
    assert (len(cost.up), len(cost.down)) == (1, 1)
    assert cost.numbers <= 4


@pytest.fixture(scope="module")
def samples() -> NDArray[np.int16]:
    return np.random.default_rng(1).normal(0, 100, (ROWS, N_CHANNELS)).astype(np.int16)


def prepared(samples: NDArray[np.int16], *, recursive: bool) -> Any:
    """A tile's traces: moved to the device, scaled, delayed, filtered, referenced, whitened."""
    traces = scale(like_cupy, like_cupy.asarray(samples), gain=GAINS, offset=OFFSETS)
    traces = phase_shift(like_cupy, traces, before=REACH, after=REACH, shifts=SHIFTS)
    if recursive:
        traces = sos_filtfilt(like_cupy, traces, before=REACH, after=REACH, sos=SOS)
    else:
        traces = fir_filter(like_cupy, traces, before=REACH, after=REACH, taps=TAPS)
    return mix_channels(like_cupy, common_reference(like_cupy, traces), **WHITENING)


@pytest.mark.parametrize("recursive", [True, False])
def test_white_traces_are_made_in_few_launches(copies, samples, recursive):
    """They come back as the integers in which they are kept."""
    _, cost = of_second_call(
        copies, lambda: quantize(like_cupy, prepared(samples, recursive=recursive), step=0.01).get()
    )
    assert 0 < cost.launches <= MOST
    assert (len(cost.up), len(cost.down), cost.numbers) == (1, 1, 0)


def test_peaks_are_found_placed_and_projected_in_few_launches(copies, samples):
    size: dict[str, Any] = {"before": HALO, "after": HALO, "start": 0, "neighbors": NEIGHBORS}

    def detect() -> Any:
        traces = prepared(samples, recursive=True)
        peaks = detect_locally_exclusive(like_cupy, traces, **size, thresholds=LIMITS, exclude_sweep_samples=5)
        peaks = localize_center_of_mass(like_cupy, traces, peaks, **size, positions=PLACES, nbefore=10, nafter=10)
        return project_waveforms(like_cupy, traces, peaks, **size, components=COMPONENTS, nbefore=N_BEFORE).get()

    peaks, cost = of_second_call(copies, detect)
    assert len(peaks) > 10
    assert 0 < cost.launches <= MOST
    assert (len(cost.up), len(cost.down), cost.numbers) == (1, 1, 0)
