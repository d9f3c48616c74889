"""Event kernels on a device against those for NumPy: the same records, and features to rounding."""

from __future__ import annotations

import numpy as np
import pytest

from xephys.kernels.detect import peaks as detect
from xephys.kernels.detect import peaks_device as device_detect
from xephys.kernels.features import waveforms
from xephys.kernels.features import waveforms_device as device
from xephys.kernels.lib import gather_device
from xephys.kernels.lib.dispatch import to_host
from xephys.kernels.lib.records_device import Columns
from xephys.kernels.localize import center_of_mass as localize
from xephys.kernels.localize import center_of_mass_device as localize_device
from xephys.kernels.templates import average as templates
from xephys.kernels.templates import average_device as templates_device

N, CHANNELS, START = 3000, 12, 90_000
EDGES = {"before": 60, "after": 70, "start": START}
NEIGHBOURS = np.array([[c, *(d if 0 <= d < CHANNELS else -1 for d in (c - 2, c - 1, c + 1, c + 2))] for c in range(12)])
NEIGHBOURS = NEIGHBOURS.astype(np.int32)
POSITIONS = np.stack([np.arange(CHANNELS) % 2 * 16.0, np.arange(CHANNELS) * 20.0], axis=1)


@pytest.fixture(scope="module")
def traces():
    """Noise smoothed in time and over channels, so that crossings meet on neighbours."""
    values = np.random.default_rng(2).normal(size=(N, CHANNELS)).astype(np.float32)
    values[1:] += 0.8 * values[:-1]
    values[:, 1:] += 0.7 * values[:, :-1]
    return values


@pytest.fixture(scope="module")
def events(traces):
    return detect.detect_locally_exclusive(
        traces, **EDGES, thresholds=np.full(CHANNELS, 3.0), neighbours=NEIGHBOURS, exclude_sweep_samples=15
    )


def same_records(found, expected):
    assert isinstance(found, Columns)
    assert found.get().dtype == expected.dtype
    np.testing.assert_array_equal(found.get(), expected)


@pytest.mark.parametrize("peak_sign", ["neg", "pos", "both"])
@pytest.mark.parametrize("sweep", [0, 1, 15, 59])
@pytest.mark.parametrize("rounded", [False, True], ids=["values", "ties"])
def test_locally_exclusive_peaks(xp, traces, peak_sign, sweep, rounded):
    values = np.round(traces * 2) / 2 if rounded else traces  # half the candidates then tie with another
    keywords = {
        **EDGES,
        "thresholds": np.where(np.arange(CHANNELS) < 6, 1.5, 1.0).astype(np.float32),
        "neighbours": NEIGHBOURS,
        "peak_sign": peak_sign,
        "exclude_sweep_samples": sweep,
        "channel_mask": np.arange(CHANNELS) != 4,
    }
    expected = detect.detect_locally_exclusive(values, **keywords)
    assert len(expected) > 50
    same_records(device_detect.detect_locally_exclusive(xp, xp.asarray(values), **keywords), expected)


@pytest.mark.parametrize("peak_sign", ["neg", "pos", "both"])
@pytest.mark.parametrize("rounded", [False, True], ids=["values", "ties"])
def test_peaks_by_channel(xp, traces, peak_sign, rounded):
    values = np.round(traces) if rounded else traces
    keywords = {
        **EDGES, "thresholds": np.full(CHANNELS, 1.0), "peak_sign": peak_sign, "exclude_sweep_samples": 9,
        "channel_mask": np.arange(CHANNELS) != 4,
    }  # fmt: skip
    expected = detect.detect_by_channel(values, **keywords)
    assert len(expected) > 50
    same_records(device_detect.detect_by_channel(xp, xp.asarray(values), **keywords), expected)


def test_no_peaks(xp, traces):
    keywords = {
        **EDGES, "thresholds": np.full(CHANNELS, 99.0), "neighbours": NEIGHBOURS, "exclude_sweep_samples": 9,
    }  # fmt: skip
    found = device_detect.detect_locally_exclusive(xp, xp.asarray(traces), **keywords)
    same_records(found, detect.detect_locally_exclusive(traces, **keywords))
    located = localize_device.localize_center_of_mass(
        xp, xp.asarray(traces), found, **EDGES, positions=POSITIONS, neighbours=NEIGHBOURS, window_before=5,
        window_after=9,
    )  # fmt: skip
    assert located.get().dtype.names[-3:] == ("x", "y", "z")
    assert len(located) == 0


@pytest.mark.parametrize("given", ["host", "device"])
def test_snippets(xp, traces, events, given):
    keywords = {**EDGES, "nbefore": 20, "nafter": 41}
    own = events if given == "host" else Columns({n: xp.asarray(events[n].copy()) for n in events.dtype.names})
    found = device.snippets(xp, xp.asarray(traces), own, **keywords)
    same_records(found, waveforms.snippets(traces, events, **keywords))


def test_projections(xp, traces, events, monkeypatch):
    monkeypatch.setattr(gather_device, "GATHERED", 7 * 61 * 5)  # a few events at a time
    components = np.linalg.qr(np.random.default_rng(3).normal(size=(61, 6)))[0].T.astype(np.float32)
    keywords = {**EDGES, "components": components, "neighbours": NEIGHBOURS, "nbefore": 20}
    found = device.project_waveforms(xp, xp.asarray(traces), events, **keywords).get()
    expected = waveforms.project_waveforms(traces, events, **keywords)
    assert found.dtype == expected.dtype
    np.testing.assert_allclose(found["projection"], expected["projection"], atol=1e-5)


@pytest.mark.parametrize("feature", ["ptp", "energy", "peak_voltage"])
def test_positions(xp, traces, events, feature):
    keywords = {
        **EDGES, "positions": POSITIONS, "neighbours": NEIGHBOURS, "feature": feature, "window_before": 15,
        "window_after": 15,
    }  # fmt: skip
    found = localize_device.localize_center_of_mass(xp, xp.asarray(traces), events, **keywords).get()
    expected = localize.localize_center_of_mass(traces, events, **keywords)
    assert found.dtype == expected.dtype
    for name in "xyz":
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-9, atol=1e-9)


def test_events_on_silent_channels_are_put_on_their_own(xp, events):
    keywords = {**EDGES, "positions": POSITIONS, "neighbours": NEIGHBOURS, "window_before": 15, "window_after": 15}
    silent = xp.zeros((N, CHANNELS), dtype=np.float32)
    found = localize_device.localize_center_of_mass(xp, silent, events, **keywords).get()
    np.testing.assert_array_equal(found["y"], POSITIONS[events["channel_index"], 1])


def test_sums_of_waveforms(xp, traces):
    rng = np.random.default_rng(4)
    samples = np.sort(rng.integers(START - 500, START + N + 500, 400))
    channels = np.stack([rng.permutation(CHANNELS)[:5] for _ in range(7)]).astype(np.int32)
    channels[2, 3:] = -1
    keywords = {
        **EDGES, "samples": samples, "units": rng.integers(0, 6, 400), "channels": channels, "n_before": 20,
        "n_after": 41,
    }  # fmt: skip
    sums, counts = templates_device.accumulate_waveforms(xp, xp.asarray(traces), **keywords)
    expected = templates.accumulate_waveforms(traces, **keywords)
    np.testing.assert_allclose(to_host(sums), expected[0], atol=1e-9)
    np.testing.assert_array_equal(to_host(counts), expected[1])
    assert to_host(counts).dtype == expected[1].dtype


def test_too_short_a_halo_is_refused(xp, traces, events):
    short = {"before": 60, "after": 30, "start": START}
    with pytest.raises(ValueError, match="needs 20 before and 40 after"):
        device.snippets(xp, xp.asarray(traces), events, **short, nbefore=20, nafter=41)
    with pytest.raises(ValueError, match="needs 31 on each side"):
        device_detect.detect_by_channel(
            xp, xp.asarray(traces), **short, thresholds=np.ones(CHANNELS), exclude_sweep_samples=30
        )
    with pytest.raises(ValueError, match="already have a field 'amplitude'"):
        device.snippets(xp, xp.asarray(traces), events, **EDGES, nbefore=2, nafter=4, field="amplitude")
