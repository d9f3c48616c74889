"""A plan whose stages run on a device: whole tiles are copied there once, and only results back."""

from __future__ import annotations

import time

import numpy as np
import pytest

import xephys
from tests.support import device_arrays
from tests.support.device_arrays import StrictArray
from tests.support.on_device import recording
from tests.support.spiking import RATE, case
from xephys.errors import ParameterError
from xephys.graph.build import count_tasks, plan_of, root_plan, to_dask
from xephys.graph.events import SpikeTable
from xephys.graph.plan import Stage, runs_on_devices
from xephys.graph.reduce import tree_sum
from xephys.templates.average import template_plan

N_TILES = 8


@pytest.fixture(autouse=True)
def device():
    with device_arrays.installed() as name:
        yield name


@pytest.fixture(scope="module")
def estimates():
    """Estimated once on the host, so that both chains differ only in where they run."""
    shifted = xephys.common_reference(xephys.bandpass_filter(xephys.phase_shift(xephys.to_uv(recording()))))
    whitening = xephys.estimate_whitening(shifted, n_nearest=8)
    white = xephys.whiten(shifted, whitening=whitening)
    levels = xephys.estimate_noise_levels(white)
    components = xephys.learn_components(white, xephys.detect_peaks(white, noise_levels=levels))
    return whitening, levels, components


def chain(traces, estimates):
    traces = xephys.common_reference(xephys.bandpass_filter(xephys.phase_shift(xephys.to_uv(traces))))
    return xephys.whiten(traces, whitening=estimates[0])


def peaks(white, estimates):
    found = xephys.detect_peaks(white, noise_levels=estimates[1], peak_sign="both", exclude_sweep_ms=0.5)
    found = xephys.localize_peaks(white, xephys.extract_snippets(white, found))
    return xephys.project_peaks(white, found, components=estimates[2])


def test_traces_equal_those_of_the_host(estimates, device):
    with device_arrays.counted() as copies:
        found = chain(recording().ephys.to_device(device), estimates).values
    expected = chain(recording(), estimates).values
    assert type(found) is np.ndarray
    assert np.abs(found - expected).max() < 1e-4 * expected.std()
    # Samples are copied in the type in which they are stored, once per tile; tables are copied once in all.
    samples = [shape for dtype, shape in copies.up if dtype == "<i2"]
    assert [shape[1] for shape in samples] == [24] * N_TILES
    assert sum(shape[0] for shape in samples) < N_TILES * (RATE + 2000)
    assert len(copies.up) - len(samples) < 12
    assert len(copies.down) == N_TILES
    assert copies.numbers == 0


def test_events_equal_those_of_the_host(estimates, device):
    with device_arrays.counted() as copies:
        found = peaks(chain(xephys.to_device(recording(), device), estimates), estimates).compute()
    expected = peaks(chain(recording(), estimates), estimates).compute()
    assert found.dtype == expected.dtype
    for name in ("sample_index", "channel_index"):
        np.testing.assert_array_equal(found[name], expected[name])
    for name in ("amplitude", "x", "y", "waveform", "projection"):
        assert np.abs(found[name] - expected[name]).max() < 1e-4 * expected[name].std(), name
    assert sum(dtype == "<i2" for dtype, _ in copies.up) == N_TILES
    assert len(copies.down) == N_TILES
    assert all(shape[0] < 1000 for _, shape in copies.down)  # events, no traces
    assert copies.numbers == N_TILES  # the number of competitors of the longest run of each tile


def test_sums_equal_those_of_the_host(estimates, device):
    keywords = {
        "peak_channels": np.arange(5), "ms_before": 0.7, "ms_after": 1.3, "n_nearest": 6, "n_spikes_max": 50,
        "seed": 0,
    }  # fmt: skip
    found, expected = (
        tree_sum(template_plan(chain(traces, estimates), case().spikes, **keywords))
        for traces in (xephys.to_device(recording(), device), recording())
    )
    np.testing.assert_array_equal(found["counts"], expected["counts"])
    assert np.abs(found["sums"] - expected["sums"]).max() < 1e-4 * expected["sums"].std()


def test_matches_equal_those_of_the_host(estimates, device):
    here, there = chain(recording(), estimates), chain(xephys.to_device(recording(), device), estimates)
    templates = xephys.estimate_templates(here, case().spikes, peak_channels=case().truth.peak_channels)
    expected = xephys.match_templates(here, templates=templates).compute()
    with device_arrays.counted() as copies:
        found = xephys.match_templates(there, templates=templates).compute()
    assert found.dtype == expected.dtype
    for name in ("sample_index", "unit_index", "channel_index", "sample_offset"):
        np.testing.assert_array_equal(found[name], expected[name])
    np.testing.assert_allclose(found["amplitude"], expected["amplitude"], atol=1e-4)
    assert sum(dtype == "<i2" for dtype, _ in copies.up) == N_TILES
    assert len(copies.down) == N_TILES
    # One number per tile beside the sizes of results: how many spikes the busiest stretch holds.
    assert copies.numbers == N_TILES


def test_a_residual_is_refused_for_lack_of_a_kernel(estimates, device):
    there = chain(xephys.to_device(recording(), device), estimates)
    templates = xephys.estimate_templates(there, case().spikes, peak_channels=case().truth.peak_channels)
    with pytest.raises(ParameterError, match="match_residual has no kernel for device 'strict'"):
        xephys.match_residual(there, templates=templates)


def test_chunks_change_no_bit(estimates, device):
    def computed(traces):
        white = chain(xephys.to_device(traces, device), estimates)
        return white.values.tobytes(), peaks(white, estimates).compute().tobytes()

    expected = computed(recording())
    for chunk_s in (0.3, 0.7001, 5.0):
        rechunked = recording().copy(data=recording().data.rechunk({0: round(chunk_s * RATE)}))
        assert computed(rechunked) == expected, chunk_s


def test_building_computes_nothing_and_makes_one_task_per_chunk(estimates, device, forbid_compute):
    with device_arrays.counted() as copies:
        white = chain(xephys.to_device(recording(), device), estimates)
        table = peaks(white, estimates)
    assert (copies.up, copies.down) == ([], [])
    assert count_tasks(white.data) == count_tasks(table.data) == len(white.chunks[0])
    assert plan_of(white.data).device == device


def test_pointwise_stages_see_whole_tiles(device):
    traces = xephys.scale(xephys.scale(xephys.to_device(recording(), device), gain=2.0), offset=1.0)
    seen = []

    def rows(values, *, before, after):
        seen.append((type(values), len(values)))
        return values

    plan = plan_of(traces.data).then(Stage(runs_on_devices(rows), dtype="f4"))
    to_dask(plan).compute(scheduler="synchronous")
    assert seen == [(StrictArray, round(RATE))] * N_TILES


def test_one_chunk_at_a_time_is_on_the_device(device):
    """A device has little memory, so other threads wait while one has its traces there."""
    running, most = [], [0]

    def slow(values, *, before, after):
        running.append(None)
        end = time.monotonic() + (0.01 if there else 20)
        while len(running) < 2 and max(most) < 2 and time.monotonic() < end:
            time.sleep(0.001)  # for another thread, which comes where it may
        most.append(len(running))
        running.pop()
        return values[before:]

    for there in (True, False):
        most[:] = [0]
        traces = xephys.to_device(recording(), device) if there else recording()
        plan = root_plan(traces.data, sampling_frequency=RATE).then(Stage(runs_on_devices(slow), dtype="i2", before=1))
        to_dask(plan).compute(scheduler="threads", num_workers=4)
        assert (max(most) == 1) is there


def test_stored_records_are_copied_with_their_tile(estimates, device):
    white = chain(xephys.to_device(recording(), device), estimates)
    given = peaks(white, estimates).compute()[["sample_index", "channel_index"]]
    again = xephys.localize_peaks(white, given).compute()
    np.testing.assert_allclose(again["y"], peaks(white, estimates).compute()["y"])


def test_a_table_of_events_names_its_device(estimates, device):
    table = peaks(chain(xephys.to_device(recording(), device), estimates), estimates)
    assert isinstance(table, SpikeTable)
    assert table.plan.device == device
