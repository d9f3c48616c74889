"""Results have the same bits for any chunks, scheduler and number of workers, and in every run."""

from __future__ import annotations

import warnings
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import dask
import pytest

import xephys
from xephys.graph.scheduler import active_client, connect
from xephys.graph.workers import local_cluster

from ..support.sortings import assert_identical

#: Chunks and threads; as many threads as there are cores where none are named.
CHUNKS_S = {0.1: None, 0.5: 1, 0.7001: 5, 10.0: None}


@pytest.fixture(scope="module")
def client():
    """A cluster of one worker process; tests may add another."""
    with local_cluster(n_workers=1, threads_per_worker=1) as client:
        yield client


def chain(recording):
    """Traces and located peaks; estimates on the way are computed on the active scheduler too."""
    filtered = xephys.common_reference(xephys.bandpass_filter(recording))
    white = xephys.whiten(filtered, whitening=xephys.estimate_whitening(filtered, n_nearest=8))
    peaks = xephys.detect_peaks(white, noise_levels=xephys.estimate_noise_levels(white), peak_sign="both")
    return white, xephys.localize_peaks(white, peaks)


def computed(recording):
    white, peaks = chain(recording)
    return white.values.tobytes(), peaks.compute().tobytes()


@pytest.fixture(scope="module")
def expected_chain(opened):
    with connect("threads"):
        return computed(opened(2.0))


def test_the_reference_sorting_has_found_the_units(simulated, expected):
    found = xephys.compare(expected, simulated[1])
    assert found.summary["num_well_detected"] == 8
    assert expected["spikes"].sizes["spike"] > 500


@pytest.mark.parametrize(("chunk_s", "n_threads"), CHUNKS_S.items())
def test_chunks_and_threads_do_not_change_a_bit(opened, expected, expected_chain, chunk_s, n_threads):
    recording = opened(chunk_s)
    assert recording.data.chunksize[0] == min(round(chunk_s * 30_000), recording.sizes["time"])
    with connect("threads"), dask.config.set(num_workers=n_threads):
        assert computed(recording) == expected_chain
        assert_identical(xephys.sort(recording), expected)


def test_a_second_run_does_not_change_a_bit(opened, expected, expected_chain):
    with connect("threads"):
        assert computed(opened(2.0)) == expected_chain
        assert_identical(xephys.sort(opened(2.0)), expected)


def test_samples_in_memory_and_opaque_arrays_give_the_same_spikes(opened, expected):
    """Without a plan, the same samples give the same spikes."""
    recording = opened(2.0)
    opaque = recording.copy(data=recording.data.rechunk((100_000, -1)) + recording.dtype.type(0))
    for other in (recording.compute(), opaque):
        assert_identical(xephys.sort(other), expected, same_source=False)


def test_samples_in_memory_are_sent_to_a_cluster_once(client, opened, expected):
    """Otherwise each compute would send all samples, with a warning about a large graph."""
    with (
        connect(client.scheduler.address),
        dask.config.set({"distributed.admin.large-graph-warning-threshold": "1MB"}),
        warnings.catch_warnings(),
    ):
        warnings.filterwarnings("error", message="Sending large graph")
        assert_identical(xephys.sort(opened(2.0).compute()), expected, same_source=False)


@pytest.mark.slow
def test_processes_do_not_change_a_bit(opened, expected, expected_chain):
    # One pool serves all computes, because new processes for each would spend a minute on imports.
    with (
        ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool,
        connect("processes"),
        dask.config.set(pool=pool),
    ):
        assert computed(opened(2.0)) == expected_chain
        assert_identical(xephys.sort(opened(2.0)), expected)


@pytest.mark.slow
@pytest.mark.parametrize("n_workers", [1, 3])
def test_distributed_workers_do_not_change_a_bit(opened, expected, expected_chain, client, n_workers):
    client.cluster.scale(n_workers)
    client.wait_for_workers(n_workers, timeout=300)
    assert active_client() is client
    assert len(client.nthreads()) == n_workers
    assert computed(opened(0.7001)) == expected_chain
    assert_identical(xephys.sort(opened(0.7001)), expected)
    plugins = client.run_on_scheduler(lambda dask_scheduler: list(dask_scheduler.worker_plugins))
    assert sum("xephys-warm-up" in str(name) for name in plugins) >= 3  # the filter, detection, matching
