"""Jobs run on threads here or on a cluster, keep lazy arrays lazy until they run, and never end one another."""

from __future__ import annotations

import os
import time

import dask
import numpy as np
import pytest

from xephys.graph.jobs import compute_jobs, make_job
from xephys.graph.workers import local_cluster
from xephys.testing import forbid_compute, simulate_recording


def never(number: int, error: BaseException) -> None:
    raise AssertionError(f"job {number} was lost") from error


def total(recording) -> int:
    return int(recording.values.astype(np.int64).sum())


class Total:
    """A job that sums a recording."""

    def __init__(self, recording) -> None:
        self.recording = recording

    def __call__(self) -> tuple[int, int]:
        return total(self.recording), os.getpid()


class Die:
    """A job that ends its process, like a sorter that crashes."""

    def __call__(self) -> None:
        time.sleep(0.2)
        os._exit(9)


@pytest.fixture(scope="module")
def recording():
    return simulate_recording(duration_s=0.2, n_channels=4, n_units=1, seed=0, chunk_duration_s=0.1)[0]


def test_nothing_is_computed_when_a_job_is_made(recording) -> None:
    with forbid_compute():
        make_job(Total(recording), name="total")


@pytest.mark.parametrize("n_at_once", [1, 3])
def test_on_threads_here_each_computes_its_own_arrays(recording, n_at_once) -> None:
    jobs = [make_job(Total(recording), name=f"total-{k}") for k in range(4)]
    assert compute_jobs(jobs, n_at_once=n_at_once, lost=never) == [(total(recording), os.getpid())] * 4


@pytest.mark.slow
def test_on_a_cluster_a_worker_that_dies_loses_its_own_job_only(recording) -> None:
    expected = total(recording)
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),
        local_cluster(n_workers=2, threads_per_worker=1) as client,
    ):
        jobs = [make_job(call, name=f"job-{k}") for k, call in enumerate([Total(recording), Die(), Total(recording)])]
        ended = compute_jobs(jobs, lost=lambda number, error: (number, type(error).__name__))
        assert client.status == "running"
    assert ended[1] == (1, "KilledWorker")
    assert [ended[0][0], ended[2][0]] == [expected, expected]
    assert os.getpid() not in (ended[0][1], ended[2][1])


def test_resources_are_requested_for_the_job(recording) -> None:
    job = make_job(Total(recording), name="needs", resources={"GPU": 1})
    assert job.dask.layers["needs"].annotations == {"resources": {"GPU": 1}}
    assert make_job(Total(recording), name="free").dask.layers["free"].annotations in (None, {})
