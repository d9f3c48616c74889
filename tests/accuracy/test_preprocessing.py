"""Every step of preprocessing beside SpikeInterface's: the same values away from the ends of the recording.

SpikeInterface gets the whole recording as one chunk; ``tests/properties/test_operations.py`` shows that our results do
not depend on chunks.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pytest
import spikeinterface.preprocessing as theirs
import xarray as xr

import xephys
from xephys.schema import make_recording

RATE, N, N_CHANNELS = 30_000, 30_000, 12
#: Triggers away from each other and from the ends.
TRIGGERS = np.array([6000, 14_000, 23_000])
#: Estimates use all samples, where SpikeInterface would draw random chunks.
WHOLE: dict[str, Any] = {"num_chunks_per_segment": 1, "chunk_size": N}
PIECE: dict[str, Any] = {"n_slices": 1, "slice_duration_s": N / RATE}


class Row(NamedTuple):
    """A step of ours, the same step of theirs, and the allowed difference in units of the traces' spread."""

    ours: Callable[[xr.DataArray], Any]
    theirs: Callable[[Any], Any]
    atol: float = 1e-5
    margin: int = 0
    kind: str = "float32"


def statistics(recording: xr.DataArray) -> xr.Dataset:
    return xephys.estimate_statistics(recording, excerpts=xephys.sample_traces(recording, **PIECE))


def artifacts(recording: xr.DataArray, mode: str) -> xr.DataArray:
    return xephys.remove_artifacts(recording, trigger_times_s=TRIGGERS / RATE, mode=mode)


def their_artifacts(recording: Any, mode: str) -> Any:
    return theirs.remove_artifacts(recording, list_triggers=[TRIGGERS.tolist()], mode=mode)


def filtered(recording: xr.DataArray, direction: str) -> xr.DataArray:
    return xephys.filter(recording, freq_hz=(300.0, 6000.0), direction=direction)


def their_filtered(recording: Any, direction: str) -> Any:
    return theirs.filter(recording, band=(300.0, 6000.0), direction=direction, margin_ms=500.0)


def whitening(recording: xr.DataArray) -> xr.DataArray:
    estimate = partial(xephys.estimate_whitening, mode="global", regularization=1e-9)
    return xephys.whiten(recording, whitening=estimate(recording, excerpts=xephys.sample_traces(recording, **PIECE)))


ROWS = {
    "bandpass_filter": Row(
        lambda r: xephys.bandpass_filter(r, freq_min_hz=300.0, freq_max_hz=6000.0),
        lambda r: theirs.bandpass_filter(r, 300.0, 6000.0, margin_ms=500.0),
        margin=3000,
    ),
    "highpass_filter": Row(
        lambda r: xephys.highpass_filter(r, freq_min_hz=300.0, order=5),
        lambda r: theirs.highpass_filter(r, 300.0, margin_ms=500.0),
        margin=3000,
    ),
    "notch_filter": Row(
        lambda r: xephys.notch_filter(r, freq_hz=3000.0, quality=30.0),
        lambda r: theirs.notch_filter(r, 3000.0, 30.0, margin_ms=500.0),
        margin=3000,
    ),
    "filter forward": Row(lambda r: filtered(r, "forward"), lambda r: their_filtered(r, "forward"), margin=3000),
    "filter backward": Row(lambda r: filtered(r, "backward"), lambda r: their_filtered(r, "backward"), margin=3000),
    "gaussian_filter": Row(
        lambda r: xephys.gaussian_filter(r, freq_min_hz=300.0, freq_max_hz=5000.0),
        lambda r: theirs.gaussian_filter(r, 300.0, 5000.0),
        atol=3e-3,
        margin=3000,
    ),
    "common_reference global median": Row(xephys.common_reference, theirs.common_reference),
    "common_reference global average": Row(
        lambda r: xephys.common_reference(r, operator="average"),
        lambda r: theirs.common_reference(r, operator="average"),
    ),
    "common_reference local": Row(
        lambda r: xephys.common_reference(r, reference="local"),
        lambda r: theirs.common_reference(r, reference="local"),
    ),
    "common_reference single": Row(
        lambda r: xephys.common_reference(r, reference_channel_ids=[3]),
        lambda r: theirs.common_reference(r, reference="single", ref_channel_ids=[3]),
    ),
    "scale": Row(lambda r: xephys.scale(r, gain=2.0, offset=3.0), lambda r: theirs.scale(r, 2.0, 3.0)),
    "clip": Row(lambda r: xephys.clip(r, low=-1.0, high=2.0), lambda r: theirs.clip(r, -1.0, 2.0)),
    "rectify": Row(xephys.rectify, theirs.rectify),
    "blank_saturation": Row(
        lambda r: xephys.blank_saturation(r, threshold=2.0, fill_value=0.5),
        lambda r: theirs.blank_saturation(r, abs_threshold=2.0, direction="both", fill_value=0.5),
    ),
    "center": Row(lambda r: xephys.center(r, statistics=statistics(r)), lambda r: theirs.center(r, **WHOLE), atol=1e-4),
    "zscore": Row(lambda r: xephys.zscore(r, statistics=statistics(r)), lambda r: theirs.zscore(r, **WHOLE), atol=1e-3),
    "normalize_by_quantile": Row(
        lambda r: xephys.normalize_by_quantile(r, statistics=statistics(r)),
        lambda r: theirs.normalize_by_quantile(r, **WHOLE),
        atol=1e-3,
    ),
    "whiten global": Row(whitening, lambda r: theirs.whiten(r, **WHOLE), atol=1e-2),
    "highpass_spatial_filter": Row(
        lambda r: xephys.highpass_spatial_filter(r, gain_window_s=None, n_channel_pad=10),
        lambda r: theirs.highpass_spatial_filter(r, apply_agc=False, n_channel_pad=10),
        atol=1e-3,
    ),
    "directional_derivative": Row(xephys.directional_derivative, theirs.directional_derivative),
    "average_across_direction": Row(
        lambda r: xephys.average_across_direction(r, direction="y"),
        lambda r: theirs.average_across_direction(r, direction="y"),
    ),
    "depth_order": Row(xephys.depth_order, theirs.depth_order),
    "interpolate_bad_channels": Row(
        lambda r: xephys.interpolate_bad_channels(r, r.channel.values == 4),
        lambda r: theirs.interpolate_bad_channels(r, [4]),
    ),
    "silence_periods": Row(
        lambda r: xephys.silence_periods(r, periods_s=[(0.2, 0.3), (0.5, 0.55)]),
        lambda r: theirs.silence_periods(r, list_periods=[[(6000, 9000), (15_000, 16_500)]], apodization_samples=0),
    ),
    "remove_artifacts zeros": Row(lambda r: artifacts(r, "zeros"), lambda r: their_artifacts(r, "zeros")),
    # The curves run through medians of neighboring samples, and SpikeInterface picks others: noise would differ.
    "remove_artifacts linear": Row(
        lambda r: artifacts(r, "linear"), lambda r: their_artifacts(r, "linear"), atol=5e-3, kind="smooth"
    ),
    "remove_artifacts cubic": Row(
        lambda r: artifacts(r, "cubic"), lambda r: their_artifacts(r, "cubic"), atol=5e-3, kind="smooth"
    ),
    "resample": Row(
        lambda r: xephys.resample(r, sampling_frequency_hz=20_000.0),
        lambda r: theirs.resample(r, 20_000),
        atol=1e-3,
        margin=2000,
    ),
    "unsigned_to_signed": Row(xephys.unsigned_to_signed, theirs.unsigned_to_signed, kind="uint16"),
    "astype": Row(lambda r: xephys.astype(r, dtype="float32"), lambda r: theirs.astype(r, "float32"), kind="int16"),
}


@pytest.fixture(scope="module")
def recordings() -> dict[str, xr.DataArray]:
    """Partly common noise as floats, integers and unsigned integers; and slow waves without noise."""
    rng = np.random.default_rng(0)
    own = rng.normal(size=(N, N_CHANNELS)) + 0.7 * rng.normal(size=(N, 1)) + np.sin(np.arange(N) / 900.0)[:, None]
    traces = np.apply_along_axis(lambda one: np.convolve(one, [0.25, 0.5, 0.25], "same"), 0, own)
    places = {"x": np.arange(N_CHANNELS) % 2 * 20.0, "y": np.arange(N_CHANNELS) // 2 * 20.0}
    kinds = {
        "float32": traces.astype(np.float32),
        "smooth": np.sin(np.arange(N)[:, None] / 900.0 + np.arange(N_CHANNELS)).astype(np.float32),
        "int16": np.rint(100 * traces).astype(np.int16),
        "uint16": np.rint(100 * traces + 32_768).astype(np.uint16),
    }
    return {
        kind: make_recording(values, sampling_frequency=float(RATE), units="uV", coordinates=places)
        for kind, values in kinds.items()
    }


def test_the_gaussian_filter_follows_its_formula(recordings: dict[str, xr.DataArray]) -> None:
    recording = recordings["float32"]
    frequency = np.fft.rfftfreq(N, 1 / RATE)
    gain = np.exp(-(frequency**2) / 2 / 5000**2) - np.exp(-(frequency**2) / 2 / 300**2)
    expected = np.fft.irfft(gain[:, None] * np.fft.rfft(recording.values.astype(float), axis=0), N, axis=0)
    found = xephys.gaussian_filter(recording, freq_min_hz=300.0, freq_max_hz=5000.0).values
    np.testing.assert_allclose(found[3000:-3000], expected[3000:-3000], atol=1e-4)


@pytest.mark.parametrize("name", ROWS)
def test_a_step_gives_spikeinterfaces_values(name: str, recordings: dict[str, xr.DataArray]) -> None:
    row = ROWS[name]
    recording = recordings[row.kind]
    ours, reference = row.ours(recording), row.theirs(xephys.to_spikeinterface(recording))
    found, expected = np.asarray(ours.values, np.float64), np.asarray(reference.get_traces(), np.float64)
    inside = slice(row.margin, len(expected) - row.margin)
    assert found.shape == expected.shape
    spread = max(1.0, float(expected.std()))
    np.testing.assert_allclose(found[inside], expected[inside], atol=row.atol * spread, rtol=1e-5)
