"""Matching with templates that follow drift finds spikes that static templates miss."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from spikeinterface import NumpySorting

import xephys
from xephys.errors import ParameterError
from xephys.graph.reduce import tree_sum
from xephys.match.moving import match_moving_templates
from xephys.templates.moving import displacement_grid, moving_means, moving_template_plan, moving_templates
from xephys.testing import assert_chunk_invariant, forbid_compute

from ..support.drifting import INNER, drifting

WINDOW = {"ms_before": 0.9, "ms_after": 1.3, "n_nearest": 32, "seed": 0}


@pytest.fixture(scope="module")
def templates():
    case = drifting()
    grid = displacement_grid(case.motion["displacement_um"].values)
    plan = moving_template_plan(
        case.white, case.spikes, tissue=case.tissue, displacement_um=grid, peak_channels=case.truth.peak_channels,
        **WINDOW,
    )  # fmt: skip
    means = moving_means(case.white, plan, tree_sum(plan), displacement_um=grid)
    return moving_templates(means, positions_um=case.tissue.positions_um)


def accuracy(spikes):
    found = NumpySorting.from_samples_and_labels([spikes["sample_index"]], [spikes["unit_index"]], 30_000.0)
    return xephys.compare(found, drifting().truth).units["accuracy"].values


def test_moving_templates_find_their_spikes(templates):
    case = drifting()
    matched = match_moving_templates(case.white, templates=templates, tissue=case.tissue, match_threshold=8.0)
    assert accuracy(matched.compute()).min() > 0.95


def test_a_motion_of_the_wrong_sign_finds_fewer(templates):
    case = drifting()
    from xephys.motion.registered import Tissue

    mirrored = case.motion.assign(displacement_um=-case.motion["displacement_um"])
    wrong = Tissue.of(case.white, mirrored)
    gains = [
        match_moving_templates(case.white, templates=templates, tissue=tissue, match_threshold=8.0).compute()["gain"]
        for tissue in (case.tissue, wrong)
    ]
    assert gains[0].sum() > 1.05 * gains[1].sum()


def test_building_is_lazy_and_results_do_not_depend_on_chunks(templates):
    case = drifting()
    part = xephys.slice_time(case.white, start_s=9.0, stop_s=13.0) if hasattr(xephys, "slice_time") else case.white

    def matched(recording):
        return match_moving_templates(recording, templates=templates, tissue=case.tissue, match_threshold=8.0)

    with forbid_compute():
        table = matched(part)
    assert len(pickle.dumps(table.plan.source)) < 10_000
    assert_chunk_invariant(matched, part, chunk_samples=[30_000, 77_777])


@pytest.fixture(scope="module")
def components():
    peaks = xephys.detect_peaks(drifting().white, noise_levels=levels(), detect_threshold=8)
    return xephys.learn_components(drifting().white, peaks, n_components=4, ms_before=0.9, ms_after=1.3)


def levels():
    return xephys.estimate_noise_levels(drifting().white)


def looked(recording, templates, components):
    rules = {"noise_levels": levels(), "detect_threshold": 6.0, "peak_sign": "both", "exclude_sweep_ms": 0.5}
    return match_moving_templates(
        recording, templates=templates, tissue=drifting().tissue, components=components, match_threshold=8.0,
        peaks={**rules, "radius_um": 50.0},
    )  # fmt: skip


def test_the_spikes_of_a_unit_without_a_template_remain_in_the_residual(templates, components):
    case, unknown = drifting(), INNER[0]
    known = templates.drop_isel(unit=unknown)
    found = looked(case.white, known, components).compute()
    alone = match_moving_templates(
        case.white, templates=known, tissue=case.tissue, components=components, match_threshold=8.0
    ).compute()
    left = found["unit_index"] < 0
    assert found[~left].tobytes() == alone.tobytes()
    true = case.spikes["sample_index"][case.spikes["unit_index"] == unknown]
    near = np.searchsorted(found["sample_index"][left], true)
    distance = np.abs(np.append(found["sample_index"][left], 0)[near] - true)
    before = np.abs(np.append(found["sample_index"][left], 0)[near - 1] - true)
    assert (np.minimum(distance, before) <= 12).mean() > 0.8
    everything = looked(case.white, templates, components).compute()
    assert (everything["unit_index"] < 0).sum() < 0.5 * left.sum()


def test_peaks_of_the_residual_do_not_depend_on_chunks(templates, components):
    assert_chunk_invariant(
        lambda recording: looked(recording, templates, components),
        drifting().white.isel(time=slice(9 * 30_000, 12 * 30_000)),
        chunk_samples=[30_000, 77_777],
    )


def test_spikes_report_the_channel_on_which_they_were_seen(templates):
    case = drifting()
    spikes = match_moving_templates(case.white, templates=templates, tissue=case.tissue, match_threshold=8.0).compute()
    depth = case.tissue.positions_um[spikes["channel_index"], 1]
    early, late = spikes["sample_index"] < 5 * 30_000, spikes["sample_index"] > 19 * 30_000
    for unit in INNER:
        own = spikes["unit_index"] == unit
        assert depth[own & late].mean() > depth[own & early].mean()


def test_components_of_another_window_are_refused(templates):
    case = drifting()
    import xarray as xr

    components = xr.DataArray(np.eye(3, 20), dims=("component", "sample"), attrs={"nbefore": 5})
    with pytest.raises(ParameterError, match="give both the same window"):
        match_moving_templates(case.white, templates=templates, tissue=case.tissue, components=components)
