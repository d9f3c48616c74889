"""Templates by displacement: one pass, one task per chunk, and the waveform at each displacement."""

from __future__ import annotations

import numpy as np
import pytest

import xephys
from xephys.graph.reduce import tree_sum
from xephys.templates.moving import (
    displacement_grid,
    moving_means,
    moving_template_plan,
    moving_templates,
    resting_templates,
    unit_features,
)
from xephys.testing import forbid_compute

from ..support.drifting import INNER, drifting

GRID = displacement_grid(np.array([-15.0, 15.0]))
WINDOW = {"ms_before": 0.9, "ms_after": 1.3, "n_nearest": 24, "seed": 0}


def plan(**more):
    case = drifting()
    given = {"tissue": case.tissue, "displacement_um": GRID, "peak_channels": case.truth.peak_channels}
    return moving_template_plan(case.white, case.spikes, **given, **WINDOW, **more)


@pytest.fixture(scope="module")
def means():
    own = plan()
    return moving_means(drifting().white, own, tree_sum(own), displacement_um=GRID)


@pytest.fixture(scope="module")
def templates(means):
    return moving_templates(means, positions_um=drifting().tissue.positions_um)


def test_building_computes_nothing():
    drifting()
    with forbid_compute():
        own = plan()
    assert own.emits == "partials"
    assert [stage.func.__name__ for stage in own.stages][-1] == "sum_present_waveforms"


def test_every_spike_is_averaged_at_its_displacement(means):
    assert means["num_averaged"].values.sum() == len(drifting().spikes)
    case = drifting()
    unit = 0
    own = case.spikes[case.spikes["unit_index"] == unit]
    moved = case.tissue.of_samples(own["sample_index"], np.full(len(own), case.truth.peak_channels[unit]))
    expected = np.bincount(np.abs(moved[:, None] - GRID).argmin(axis=1), minlength=len(GRID))
    assert means["num_averaged"].values[unit].tolist() == expected.tolist()


def test_means_are_those_of_the_spikes_alone(means):
    case = drifting()
    unit, index = 1, int(means["num_averaged"].values[1].argmax())
    own = case.spikes[case.spikes["unit_index"] == unit]
    moved = case.tissue.of_samples(own["sample_index"], np.full(len(own), case.truth.peak_channels[unit]))
    alone = own[np.abs(moved[:, None] - GRID).argmin(axis=1) == index].copy()
    alone["unit_index"] = 0
    expected = xephys.estimate_templates(case.white, alone, peak_channels=case.truth.peak_channels[[unit]], **WINDOW)
    np.testing.assert_allclose(means["waveform"].values[unit, index], expected["waveform"].values[0], atol=1e-5)


def test_the_peak_moves_with_the_tissue(templates):
    positions = drifting().tissue.positions_um
    for unit in INNER:
        size = np.ptp(templates["waveform"].values[unit], axis=1) ** 2
        depth = positions[templates["channel_index"].values[unit], 1]
        center = (size * depth).sum(axis=1) / size.sum(axis=1)
        slope = np.polyfit(GRID, center, 1)[0]
        assert 0.5 < slope < 2.0


def test_results_do_not_depend_on_chunks(means):
    case, own = drifting(), plan()
    from xephys.testing import rechunked

    other = moving_template_plan(
        rechunked(case.white, 70_000), case.spikes, tissue=case.tissue, displacement_um=GRID,
        peak_channels=case.truth.peak_channels, **WINDOW,
    )  # fmt: skip
    assert other.chunks != own.chunks
    again = moving_means(case.white, other, tree_sum(other), displacement_um=GRID)
    assert again["waveform"].values.tobytes() == means["waveform"].values.tobytes()


def test_without_motion_there_is_one_template_per_unit(templates):
    rest = resting_templates(templates)
    assert rest["waveform"].dims == ("unit", "sample", "slot")
    zero = int(np.flatnonzero(GRID == 0)[0])
    np.testing.assert_array_equal(rest["waveform"].values, templates["waveform"].values[:, zero])


def test_features_of_units_are_projections_of_their_templates(templates):
    length = templates.sizes["sample"]
    components = np.eye(3, length, 20, dtype=np.float32)
    found = unit_features(templates, components=_labelled(components))
    np.testing.assert_allclose(found.features[0, 2, 5], templates["waveform"].values[0, 2, 20:23, 5], rtol=1e-6)
    assert found.places(np.array([GRID[0], GRID[-1]])).tolist() == [0.0, len(GRID) - 1.0]


def _labelled(components):
    import xarray as xr

    return xr.DataArray(components, dims=("component", "sample"), attrs={"nbefore": 27})
