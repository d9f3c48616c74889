"""Registered records: peaks of a moving neuron look like those of one at rest, whichever rows are loaded."""

from __future__ import annotations

import numpy as np
import pytest

import xephys
from xephys.graph.checkpoint import run_events
from xephys.match.selected import SelectedRecords
from xephys.motion.registered import RegisteredEvents
from xephys.recording.geometry import nearest_channels

from ..support.drifting import INNER, drifting


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    case = drifting()
    peaks = xephys.detect_peaks(case.white, noise_levels=xephys.estimate_noise_levels(case.white), detect_threshold=8)
    components = xephys.learn_components(case.white, peaks, n_components=4, ms_before=0.9, ms_after=1.3)
    peaks = xephys.localize_peaks(case.white, peaks)
    table = xephys.project_peaks(case.white, peaks, components=components, n_nearest=12)
    return run_events(table, tmp_path_factory.mktemp("peaks"))


@pytest.fixture(scope="module")
def registered(stored):
    return RegisteredEvents(stored, drifting().tissue)


class InMemory:
    """Records in memory, with the interface of those on disk."""

    token = "memory"

    def __init__(self, records):
        self.records, self.dtype, self.count = records, records.dtype, len(records)

    def load(self, fields=None, *, rows=None):
        chosen = self.records if rows is None else self.records[rows]
        return chosen[list(fields or self.dtype.names)]


def mean_features(records):
    """Features of the peaks on all channels, averaged where they were measured."""
    around = nearest_channels(drifting().tissue.positions_um, n_nearest=12)[records["channel_index"]]
    total, count = np.zeros((32, 4)), np.zeros((32, 1))
    np.add.at(total, around, records["projection"])
    np.add.at(count, around, 1.0)
    return np.where(count > 0.3 * len(records), total / np.maximum(count, 1), 0.0)


def hits(seen, unit):
    """Which records are spikes of a true unit."""
    true = drifting().spikes
    own = true["sample_index"][true["unit_index"] == unit]
    nearest = own[np.clip(np.searchsorted(own, seen["sample_index"]), 1, len(own) - 1)]
    return np.abs(nearest - seen["sample_index"]) < 8


def change(records, seen, unit):
    """Relative change of a true unit's features between the first and the last quarter of the recording."""
    of_unit = hits(seen, unit)
    early, late = (
        mean_features(records[of_unit & part])
        for part in (seen["sample_index"] < 6 * 30_000, seen["sample_index"] > 18 * 30_000)
    )
    return np.linalg.norm(early - late) / np.linalg.norm(early)


def test_features_of_a_moving_neuron_become_alike(stored, registered):
    """Between the first and last quarter a neuron moves by 22 µm; after registration its features hardly change."""
    seen, rest = stored.load(), registered.load()
    for unit in INNER:
        before, after = change(seen, seen, unit), change(rest, seen, unit)
        assert before > 0.3
        assert after < 0.7 * before


def test_chosen_rows_equal_those_of_all(registered):
    rows = np.arange(5, registered.count, 7)
    some, whole = registered.load(rows=rows), registered.load()[rows]
    for name in whole.dtype.names:
        np.testing.assert_array_equal(some[name], whole[name])


def test_peaks_of_no_unit_are_registered_by_their_projections(tmp_path):
    """A unit without a template: its peaks in the residual of matching, put to rest, hardly change."""
    from xephys.graph.reduce import tree_sum
    from xephys.match.moving import match_moving_templates
    from xephys.templates.moving import (
        displacement_grid,
        moving_means,
        moving_template_plan,
        moving_templates,
        unit_features,
    )

    case, unknown = drifting(), INNER[0]
    levels = xephys.estimate_noise_levels(case.white)
    peaks = xephys.detect_peaks(case.white, noise_levels=levels, detect_threshold=8)
    components = xephys.learn_components(case.white, peaks, n_components=4, ms_before=0.9, ms_after=1.3)
    grid = displacement_grid(case.motion["displacement_um"].values)
    plan = moving_template_plan(
        case.white, case.spikes, tissue=case.tissue, displacement_um=grid, peak_channels=case.truth.peak_channels,
        ms_before=0.9, ms_after=1.3, n_nearest=32, seed=0,
    )  # fmt: skip
    means = moving_means(case.white, plan, tree_sum(plan), displacement_um=grid)
    templates = moving_templates(means, positions_um=case.tissue.positions_um).drop_isel(unit=unknown)
    rules = {"noise_levels": levels, "detect_threshold": 8.0, "peak_sign": "neg", "exclude_sweep_ms": 0.5}
    table = match_moving_templates(
        case.white, templates=templates, tissue=case.tissue, components=components, match_threshold=8.0,
        peaks={**rules, "radius_um": 50.0},
    )  # fmt: skip
    stored = run_events(table, tmp_path)
    rest = RegisteredEvents(stored, case.tissue, unit_features(templates, components=components))
    records, seen = rest.load(), stored.load()
    of_units = seen["unit_index"] >= 0
    spikes_only = SelectedRecords(stored, np.flatnonzero(of_units))
    alone = RegisteredEvents(spikes_only, case.tissue, rest.units).load()
    assert records[of_units].tobytes() == alone.tobytes()
    rows = np.flatnonzero(~of_units)[::3]
    assert rest.load(rows=rows).tobytes() == records[rows].tobytes()

    left = seen[~of_units]
    before, after = change(left, left, unknown), change(records[~of_units], left, unknown)
    assert before > 0.3
    assert after < 0.6 * before


def test_only_requested_fields_are_loaded(registered, stored):
    assert registered.load(("sample_index",)).dtype.names == ("sample_index",)
    np.testing.assert_array_equal(registered.load(("sample_index",)), stored.load(("sample_index",)))


def test_the_identity_depends_on_the_motion(stored, registered):
    from xephys.motion.registered import Tissue

    case = drifting()
    other = case.motion.assign(displacement_um=case.motion["displacement_um"] + 1)
    assert RegisteredEvents(stored, case.tissue).token == registered.token
    assert RegisteredEvents(stored, Tissue.of(case.white, other)).token != registered.token


def test_noise_becomes_as_small_as_is_said(stored):
    """Projections of noise alone: what interpolation leaves of them is what clustering takes for noise."""
    tissue, rng = drifting().tissue, np.random.default_rng(0)
    noise = stored.load(("sample_index", "channel_index", "x", "y", "projection"))
    noise["projection"] = rng.standard_normal(noise["projection"].shape)
    n_nearest = noise["projection"].shape[1]
    around = nearest_channels(tissue.positions_um, n_nearest=n_nearest)
    registered = RegisteredEvents(InMemory(noise), tissue).load()
    there = around[registered["channel_index"]] >= 0
    assert 0.7 < tissue.noise_kept(n_nearest=n_nearest) < 0.95
    assert registered["projection"][there].std() == pytest.approx(tissue.noise_kept(n_nearest=n_nearest), rel=0.05)
