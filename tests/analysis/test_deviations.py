"""Where values differ from SpikeInterface's: the values of both sides, for each row of docs/explanation/analysis.md."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import xephys
from xephys.analysis.run import analyze
from xephys.curate.units import select_units
from xephys.kernels.analysis.unit_places import source_places
from xephys.kernels.metrics.template_spread import template_spreads
from xephys.sorting import build_sorting
from xephys.testing import simulate_recording

ROOT = Path(__file__).parents[2]
HERE, KERNELS = "tests/analysis/test_deviations.py", "tests/kernels/metrics"
#: The test of each row of the page, by the row's first cell.
SHOWN = {
    "`noise_levels`, and with them `snr` and `sd_ratio`": (HERE, "test_noise_is_the_same_in_every_call"),
    "`sparsity` by `radius` and `closest_channels`, where shanks or tetrodes share coordinates": (
        "tests/analysis/test_sparsity.py", "test_channels_are_of_the_units_own_tetrode",
    ),
    "`random_spikes`": (HERE, "test_spikes_are_chosen_by_content"),
    "principal components, and with them the metrics of isolation": (
        "tests/analysis/test_components.py", "test_the_first_components_span_the_space_of_the_incremental_models",
    ),
    "the metrics of isolation on the same scores": (
        f"{KERNELS}/test_isolation.py", "test_units_on_different_channels_equal_spikeinterface",
    ),
    "similarity with lags": ("tests/analysis/test_units.py", "test_similarity_is_symmetric_and_never_below_theirs"),
    "locations of units whose source lies beside a contact": (
        HERE, "test_a_source_beside_a_contact_is_found_where_the_other_fit_stops_early",
    ),
    "template metrics without a peak before or after": (HERE, "test_an_absent_peak_has_no_time"),
    "`nn_miss_rate` and template metrics of a unit without spikes": (HERE, "test_a_unit_without_spikes_has_no_values"),
    "`spread` beside a unit without spikes": (HERE, "test_one_flat_template_does_not_take_the_spread_of_all_units"),
    "`exp_decay` on three channels": (HERE, "test_three_channels_do_not_determine_a_decay"),
    "`isolation_distance`, `l_ratio` of no more spikes than features": (
        HERE, "test_few_spikes_have_no_distance_instead_of_a_rounding_error",
    ),
    "`amplitude_cv` with bins without spikes": (HERE, "test_a_pause_does_not_take_the_spread_of_amplitudes"),
    "`sd_ratio` of a unit that accounts for all of the variance itself": (
        f"{KERNELS}/test_amplitude_shape.py", "test_spread_over_noise",
    ),
    "`nn_isolation`, `nn_noise_overlap`": (
        f"{KERNELS}/test_neighborhood.py", "test_similar_units_mix_and_different_ones_do_not",
    ),
    "`valid_unit_periods`": ("tests/analysis/test_periods.py", "test_error_rates_and_valid_periods_agree"),
    "`silhouette`": (f"{KERNELS}/test_isolation.py", "test_formulas"),
    "`concatenated` components": ("tests/analysis/test_components.py", "test_scores_have_unit_covariance"),
}  # fmt: skip

METRICS = ("amplitude_cv", "mahalanobis", "nearest_neighbor", "snr")
#: Of the units of `odd`: one with a tall template, one without spikes, one that pauses, and one with three spikes.
TALL, EMPTY, PAUSED, FEW = 0, 2, 3, 4


@pytest.fixture(scope="module")
def odd(recording: xr.DataArray) -> xr.DataTree:
    """The two largest units of the recording, and three that no sorter would like to have found."""
    _, truth = simulate_recording(duration_s=10.0, n_channels=16, n_units=5, seed=0)
    kept = truth.spikes["unit_index"] < 2
    rng = np.random.default_rng(0)
    paused = rng.choice(np.r_[100:120_000, 200_000:299_000], 1100, replace=False)
    samples = np.concatenate([truth.spikes["sample_index"][kept], paused, [5_000, 90_000, 150_000]])
    units = np.concatenate([truth.spikes["unit_index"][kept], np.full(1100, PAUSED), np.full(3, FEW)])
    first, second = truth.peak_channels[:2]
    return build_sorting(
        recording,
        spikes={"sample_index": samples, "unit_index": units},
        units={"label": ["good"] * 5, "channel_index": [first, second, 2, first, first]},
    )


@pytest.fixture(scope="module")
def ours(odd: xr.DataTree, recording: xr.DataArray) -> Any:
    parameters = {"quality_metrics": {"names": METRICS}}
    return analyze(odd, recording, ["quality_metrics", "template_metrics"], n_spikes_max=None, parameters=parameters)[
        "analysis"
    ]


@pytest.fixture(scope="module")
def theirs(odd: xr.DataTree, recording: xr.DataArray) -> dict[str, Any]:
    import spikeinterface.full as si

    analyzer = si.create_sorting_analyzer(
        xephys.to_spikeinterface(odd), xephys.to_spikeinterface(recording),
        main_channel_indices=odd["units"]["channel_index"].values,
        sparsity_kwargs={"method": "radius", "radius_um": 100.0}, return_in_uV=True,
    )  # fmt: skip
    names = ("waveforms", "templates", "noise_levels", "spike_amplitudes", "principal_components")
    with np.errstate(all="ignore"):
        analyzer.compute(
            {
                "random_spikes": {"method": "all"},
                **{name: {} for name in names},
                "template_metrics": {"include_multi_channel_metrics": True},
                "quality_metrics": {"metric_names": list(METRICS)},
            },
            verbose=False,
            progress_bar=False,
        )
    return {name: analyzer.get_extension(name).get_data() for name in ("template_metrics", "quality_metrics")}


def test_every_row_of_the_page_has_its_test() -> None:
    page = (ROOT / "docs/explanation/analysis.md").read_text()
    table = page.split("Different, each for its reason:")[1].split("\n\n")[1]
    rows = [line.split(" | ")[0].removeprefix("| ") for line in table.splitlines()[2:]]
    assert rows == list(SHOWN)
    for file, name in SHOWN.values():
        assert re.search(rf"^def {name}\(", (ROOT / file).read_text(), re.MULTILINE), f"{file}::{name}"


def test_noise_is_the_same_in_every_call(sorting: xr.DataTree, recording: xr.DataArray) -> None:
    import spikeinterface.full as si

    found = [analyze(sorting, recording, ["noise_levels"])["analysis/noise_levels"] for _ in range(2)]
    np.testing.assert_array_equal(*(node["noise_level"].values for node in found))
    given = xephys.to_spikeinterface(recording)
    one, other = (
        si.get_noise_levels(
            given, force_recompute=True, progress_bar=False,
            random_slices_kwargs={"num_chunks_per_segment": 3, "chunk_size": 1000, "seed": seed},
        ) for seed in (0, 1)
    )  # fmt: skip
    assert not np.array_equal(one, other)


def test_spikes_are_chosen_by_content(sorting: xr.DataTree, recording: xr.DataArray) -> None:
    from spikeinterface.core import random_spikes_selection

    def chosen(tree: xr.DataTree) -> np.ndarray:
        mask = analyze(tree, recording, ["random_spikes"], n_spikes_max=20)["analysis/random_spikes"]["chosen"].values
        return tree["spikes"]["sample_index"].values[mask & (tree["spikes"]["unit_index"].values == 0)]

    np.testing.assert_array_equal(chosen(sorting), chosen(select_units(sorting, [0, 2])))
    theirs = xephys.to_spikeinterface(sorting)
    n = [recording.sizes["time"]]
    one, other = (random_spikes_selection(theirs, n, max_spikes_per_unit=20, seed=seed) for seed in (0, 1))
    assert not np.array_equal(one, other)


def test_a_source_beside_a_contact_is_found_where_the_other_fit_stops_early() -> None:
    from spikeinterface.postprocessing.localization_tools import solve_monopolar_triangulation

    listed = np.array([0, 1, 2, 6, 7, 8, 9, 10, 13, 14, 16, 17, 18, 20, 21, 22, 23, 30])
    sizes = np.array([43.0, 30, 35, 50, 35, 72, 61, 55, 98, 94, 249, 194, 118, 1260, 325, 154, 89, 82])
    places = np.stack([listed % 4 * 16.0, listed // 4 * 20.0], axis=1)

    def error(source: Any) -> float:
        distances = np.sqrt(((places - source[:2]) ** 2).sum(axis=1) + source[2] ** 2)
        return float(((sizes - source[3] / distances) ** 2).sum())

    found = source_places(sizes[None], np.arange(18, dtype=np.int32)[None], places)[0]
    theirs = np.array(solve_monopolar_triangulation(sizes, places, 1000.0, "least_square"))
    assert np.linalg.norm(found[:2] - places[sizes.argmax()]) < 4
    assert error(theirs) > 100 * error(found)


def test_an_absent_peak_has_no_time(ours: Any, theirs: dict[str, Any]) -> None:
    """A template of zeros has neither trough nor peak."""
    assert np.isnan(ours["template_metrics"]["peak_to_trough_duration"].values[EMPTY])
    assert theirs["template_metrics"]["peak_to_trough_duration"].iloc[EMPTY] > 0


def test_a_unit_without_spikes_has_no_values(ours: Any, theirs: dict[str, Any]) -> None:
    assert np.isnan(ours["quality_metrics"]["nn_miss_rate"].values[EMPTY])
    assert theirs["quality_metrics"]["nn_miss_rate"].iloc[EMPTY] == 0
    assert np.isnan(ours["template_metrics"]["num_positive_peaks"].values[EMPTY])
    assert theirs["template_metrics"]["num_positive_peaks"].iloc[EMPTY] == 0


def test_one_flat_template_does_not_take_the_spread_of_all_units(ours: Any, theirs: dict[str, Any]) -> None:
    found = ours["template_metrics"]["spread"].values
    assert np.isnan(found).tolist() == [False, False, True, False, False]
    assert theirs["template_metrics"]["spread"].isna().all()


def test_three_channels_do_not_determine_a_decay() -> None:
    from spikeinterface.metrics.template.metrics import get_exp_decay

    places = np.array([[0.0, 0.0], [0.0, 20.0], [0.0, 40.0]])
    template = -np.exp(-0.5 * ((np.arange(60) - 20) / 4) ** 2)[:, None] * np.array([100.0, 60.0, 40.0])
    found = template_spreads(
        template[None].astype(np.float32), np.arange(3, dtype=np.int32)[None], places, sampling_frequency=30_000.0
    )
    assert np.isnan(found[0, 2])
    assert get_exp_decay(template, places, peak_function="ptp", min_r2=0.2) > 0


def test_few_spikes_have_no_distance_instead_of_a_rounding_error(ours: Any, theirs: dict[str, Any]) -> None:
    """Three spikes do not have a covariance in tens of dimensions; its pseudoinverse in floating point is noise."""
    assert np.isnan(ours["quality_metrics"]["isolation_distance"].values[FEW])
    assert theirs["quality_metrics"]["isolation_distance"].iloc[FEW] > 1e9


def test_a_pause_does_not_take_the_spread_of_amplitudes(ours: Any, theirs: dict[str, Any]) -> None:
    for column in ("amplitude_cv_median", "amplitude_cv_range"):
        assert ours["quality_metrics"][column].values[PAUSED] > 0
        assert np.isnan(theirs["quality_metrics"][column].iloc[PAUSED])
