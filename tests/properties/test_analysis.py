"""Results of an analysis keep every bit for any chunks and any order and names of spikes and units.

A unit without spikes changes nothing about the others, segments are measured jointly, and one spike on one channel is
enough.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import xephys
from tests.properties.strategies import chunk_lengths
from xephys.analysis.run import analyze
from xephys.analysis.table import EXTENSIONS
from xephys.sorting import build_sorting
from xephys.testing import rechunked, simulate_recording

N, N_UNITS = 60_000, 4
#: Dims that run over units.
UNIT_DIMS = ("unit", "other")


@pytest.fixture(scope="module")
def simulated() -> tuple[xr.DataArray, Any]:
    recording, truth = simulate_recording(duration_s=2, n_channels=8, n_units=N_UNITS, seed=0)
    return recording.ephys.highpass_filter(freq_min_hz=300.0), truth


def sorting_of(
    recording: xr.DataArray | xr.DataTree,
    truth: Any,
    *,
    units: list[int | None],
    spikes: Any = slice(None),
    segments: Any = None,
) -> xr.DataTree:
    """The truth with its units in another order and under other names; None for a unit without spikes."""
    place = np.full(N_UNITS, -1)
    place[[unit for unit in units if unit is not None]] = [k for k, unit in enumerate(units) if unit is not None]
    table = {
        "sample_index": truth.spikes["sample_index"][spikes],
        "unit_index": place[truth.spikes["unit_index"]][spikes],
    }
    if segments is not None:
        table |= {"segment_index": segments[0], "sample_index": segments[1]}
    return build_sorting(
        recording,
        spikes=table,
        units={
            "label": ["good"] * len(units),
            "channel_index": [0 if u is None else truth.peak_channels[u] for u in units],
        },
        unit_ids=[f"unit {u}" if u is not None else f"none {k}" for k, u in enumerate(units)],
    )


def results_of(tree: xr.DataTree) -> dict[str, xr.DataArray]:
    """All variables, without the keys that identify units, which depend on names."""
    found = {f"{node.name}/{name}": v for node in tree["analysis"].subtree for name, v in node.data_vars.items()}
    return {name: variable for name, variable in found.items() if not name.endswith("_key")}


@pytest.fixture(scope="module")
def expected(simulated: tuple[xr.DataArray, Any]) -> dict[str, xr.DataArray]:
    return results_of(analyze(sorting_of(*simulated, units=list(range(N_UNITS))), simulated[0], list(EXTENSIONS)))


@settings(max_examples=5)
@given(
    chunk=chunk_lengths(N, tile_samples=30_000, smallest=2000),
    units=st.permutations([*range(N_UNITS), None]),
    seed=st.integers(0, 99),
)
def test_chunks_order_names_and_empty_units(
    simulated: tuple[xr.DataArray, Any], expected: dict[str, xr.DataArray], chunk: int, units: list[Any], seed: int
) -> None:
    recording, truth = simulated
    shuffled = np.random.default_rng(seed).permutation(len(truth.spikes))
    other = rechunked(recording, chunk)
    found = results_of(analyze(sorting_of(other, truth, units=units, spikes=shuffled), other, list(EXTENSIONS)))
    assert set(found) == set(expected)
    rows = [units.index(unit) for unit in range(N_UNITS)]
    for name, variable in expected.items():
        same = found[name].isel({dim: rows for dim in UNIT_DIMS if dim in variable.dims})
        np.testing.assert_array_equal(same.values, variable.values, err_msg=name)


def test_a_unit_without_spikes_has_no_values(simulated: tuple[xr.DataArray, Any]) -> None:
    recording, truth = simulated
    found = results_of(analyze(sorting_of(recording, truth, units=[0, None, 1, 2, 3]), recording, list(EXTENSIONS)))
    assert found["quality_metrics/num_spikes"].values[1] == 0
    assert found["isi_histograms/counts"].values[1].sum() == 0
    assert found["quality_metrics/snr"].values[1] == 0  # its template is flat; SpikeInterface gives 0 too
    for name in (
        "quality_metrics/isi_violations_ratio",
        "quality_metrics/firing_rate",
        "unit_locations/x",
        "template_metrics/spread",
    ):
        assert np.isnan(found[name].values[1]), name
        assert np.isfinite(found[name].values[0]), name


def test_segments_are_measured_together(simulated: tuple[xr.DataArray, Any], expected: dict[str, xr.DataArray]) -> None:
    """The recording is cut in two where no spike is near; whatever counts spikes must give the same sums."""
    recording, truth = simulated
    samples = truth.spikes["sample_index"]
    gaps = np.diff(np.concatenate([[0], samples, [N]]))
    wide = np.flatnonzero(gaps > 400)  # further than any window of the waveforms on either side
    cut = int(np.concatenate([[0], samples])[wide[len(wide) // 2]] + 200)
    parts = [xephys.time_slice(recording, stop_s=cut / 30_000), xephys.time_slice(recording, start_s=cut / 30_000)]
    segment = (samples >= cut).astype(int)
    tree = xephys.append_segments(parts)
    sorting = sorting_of(tree, truth, units=list(range(N_UNITS)), segments=(segment, samples))
    found = results_of(analyze(sorting, tree, list(EXTENSIONS)))
    assert set(found) == set(expected)
    for name in ("quality_metrics/num_spikes", "templates/num_averaged", "sparsity/peak_channel"):
        np.testing.assert_array_equal(found[name].values, expected[name].values, err_msg=name)
    np.testing.assert_allclose(found["templates/average"].values, expected["templates/average"].values, atol=1e-3)
    lost = expected["correlograms/counts"].values.sum() - found["correlograms/counts"].values.sum()
    across = abs(samples[segment == 0][:, None] - samples[segment == 1]) <= 1500
    assert lost == 2 * int(across.sum())


@pytest.mark.parametrize("n_spikes", [1, 2])
@pytest.mark.parametrize("n_channels", [1, 2])
def test_one_spike_and_one_channel_are_enough(
    simulated: tuple[xr.DataArray, Any], expected: dict[str, xr.DataArray], n_spikes: int, n_channels: int
) -> None:
    alone = simulated[0].isel(channel=slice(0, n_channels))
    sorting = build_sorting(
        alone,
        spikes={"sample_index": 5000 * np.arange(1, n_spikes + 1), "unit_index": np.zeros(n_spikes, int)},
        units={"label": ["good"], "channel_index": [0]},
    )
    found = results_of(analyze(sorting, alone, list(EXTENSIONS)))
    assert set(found) == set(expected)
    assert found["templates/num_averaged"].values.tolist() == [n_spikes]
    assert found["waveforms/channel_index"].sizes["slot"] == n_channels
