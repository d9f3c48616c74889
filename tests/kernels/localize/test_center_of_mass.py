"""Localization stages: features and center of mass against NumPy, all three against SpikeInterface."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.localized import (
    AFTER,
    BEFORE,
    HALO,
    NEIGHBORS,
    POSITIONS,
    START,
    C,
    N,
    all_stages,
    spikeinterface_places,
    windowed,
)
from xephys.kernels.detect.peaks import PEAK_DTYPE
from xephys.kernels.localize.center_of_mass import localize_center_of_mass
from xephys.kernels.localize.monopolar_triangulation import localize_monopolar_triangulation

FEATURES = ("ptp", "energy", "peak_voltage")


def reference_features(traces, event, feature):
    first = event["sample_index"] - START + HALO - BEFORE
    channels = NEIGHBORS[event["channel_index"]]
    channels = channels[channels >= 0]
    waveform = traces[first : first + BEFORE + AFTER, channels]
    if feature == "ptp":
        return np.ptp(waveform, axis=0).astype(np.float64), channels
    if feature == "energy":
        return np.linalg.norm(waveform.astype(np.float64), axis=0), channels
    return np.abs(waveform[BEFORE]).astype(np.float64), channels


@pytest.mark.parametrize("feature", FEATURES)
def test_center_of_mass(data, feature):
    traces, events = data
    table = localize_center_of_mass(traces, events, **windowed(feature=feature))
    for event, found in zip(events, table, strict=True):
        sizes, channels = reference_features(traces, event, feature)
        np.testing.assert_allclose(
            [found["x"], found["y"]], np.average(POSITIONS[channels], axis=0, weights=sizes), rtol=1e-12, atol=1e-12
        )
    assert (table["z"] == 0).all()
    assert np.array_equal(table["sample_index"], events["sample_index"])


@pytest.mark.parametrize("name", ["center", "monopolar", "decreasing", "grid"])
def test_locations_do_not_depend_on_tile_and_other_events(data, name):
    traces, events = data
    stage, arguments = all_stages()[name]
    whole = stage(traces, events, **arguments)
    for i in range(0, events.size, 5):
        offset = int(events["sample_index"][i]) - START
        cut = traces[offset : offset + 1 + 2 * HALO]
        alone = stage(cut, events[i : i + 1], **{**arguments, "start": START + offset})
        assert np.array_equal(alone, whole[i : i + 1])
    assert stage(traces, events[:0], **arguments).dtype == whole.dtype


@pytest.mark.parametrize("name", ["center", "monopolar", "decreasing", "grid"])
def test_silent_events_are_located_at_their_channel(data, name):
    _, events = data
    stage, arguments = all_stages()[name]
    table = stage(np.zeros((N + 2 * HALO, C), dtype=np.float32), events, **arguments)
    assert np.array_equal(np.stack([table["x"], table["y"]], axis=1), POSITIONS[events["channel_index"]])
    assert np.isfinite(table["z"]).all()


def test_localization_finds_the_sources():
    """For noiseless point sources on a dense probe, only the depth term limits the accuracy."""
    rng = np.random.default_rng(2)
    places = rng.uniform([0, 60, 10], [32, 160, 40], size=(30, 3))
    distances = np.sqrt(((POSITIONS - places[:, None, :2]) ** 2).sum(axis=2) + places[:, 2:] ** 2)
    traces = np.zeros((30 * 30 + 2 * HALO, C), dtype=np.float32)
    rows = np.arange(30) * 30
    traces[rows + HALO] = -1000 / distances
    events = np.zeros(30, dtype=PEAK_DTYPE)
    events["sample_index"], events["channel_index"] = rows + START, distances.argmin(axis=1)
    found = localize_monopolar_triangulation(traces, events, **windowed())
    errors = np.abs(np.stack([found["x"], found["y"], found["z"]], axis=1) - places)
    assert errors[:, :2].max() < 1
    assert errors[:, 2].max() < 3
    center = localize_center_of_mass(traces, events, **windowed())
    assert np.abs(center["y"] - places[:, 1]).mean() > errors[:, 1].mean()


def test_errors_name_the_remedy(data):
    traces, events = data
    with pytest.raises(ValueError, match="feature is 'area'; use one of ptp, energy, peak_voltage"):
        localize_center_of_mass(traces, events, **windowed(feature="area"))
    with pytest.raises(ValueError, match="needs 13 before"):
        localize_center_of_mass(traces, events, **{**windowed(), "nbefore": 13})
    with pytest.raises(ValueError, match=r"distance_max_um is 0\.5"):
        localize_monopolar_triangulation(traces, events, **windowed(distance_max_um=0.5))
    stage, arguments = all_stages()["grid"]
    with pytest.raises(ValueError, match="kept_percent is 0"):
        stage(traces, events, **arguments, kept_percent=0)


@pytest.mark.parametrize("feature", ["ptp", "energy"])
def test_center_of_mass_agrees_with_spikeinterface(data, feature):
    traces, events = data
    theirs = spikeinterface_places(traces, events, "LocalizeCenterOfMass", radius_um=75.0, feature=feature)
    ours = localize_center_of_mass(traces, events, **windowed(feature=feature))
    # SpikeInterface computes features and sums in float32.
    np.testing.assert_allclose(ours["x"], theirs["x"], rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(ours["y"], theirs["y"], rtol=1e-5, atol=1e-4)
