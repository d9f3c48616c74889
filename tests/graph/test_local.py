"""Work on arrays in memory: results in order, on as many threads as Dask is set to use."""

from __future__ import annotations

import threading

import dask
import pytest

from xephys.graph.local import map_in_threads, run_as_ready


def named(k):
    return k, threading.current_thread().name


def test_results_are_in_order_and_on_several_threads():
    meeting, last = threading.Barrier(3, timeout=20), threading.Event()

    def together(k):
        if k < 3:
            meeting.wait()
        if k == 0:
            assert last.wait(20)  # the first call ends last
        if k == 4:
            last.set()
        return named(k)

    with dask.config.set(num_workers=3):
        found = map_in_threads(together, iter(range(5)))
    assert [k for k, _ in found] == list(range(5))
    assert len({name for _, name in found}) == 3
    assert all(name.startswith("xephys-local") for _, name in found)


def test_threads_are_limited():
    with dask.config.set(num_workers=8):
        assert len({name for _, name in map_in_threads(named, range(100), n_threads_max=2)}) <= 2


@pytest.mark.parametrize("settings", [{"scheduler": "synchronous"}, {"num_workers": 1}])
def test_one_thread_where_dask_has_one(settings):
    with dask.config.set(**settings):
        assert {name for _, name in map_in_threads(named, range(3))} == {threading.current_thread().name}


def test_no_work_gives_no_results_and_errors_are_raised():
    assert map_in_threads(named, []) == []
    with pytest.raises(ZeroDivisionError):
        map_in_threads(lambda k: 1 // k, [1, 0])


def test_after_an_error_nothing_more_is_begun_and_the_first_is_raised():
    begun, meeting = [], threading.Barrier(2, timeout=20)

    def fail(k):
        begun.append(k)
        meeting.wait()  # two items at once, and both fail
        raise ValueError(f"item {k}")

    with dask.config.set(num_workers=2), pytest.raises(ValueError, match="item 0"):
        map_in_threads(fail, range(10))
    assert sorted(begun) == [0, 1]


def test_steps_wait_for_what_they_need_and_overlap_otherwise():
    meeting = threading.Barrier(2, timeout=20)
    ended = []

    def together(name):
        meeting.wait()  # both have to be running
        ended.append(name)

    steps = {name: lambda name=name: together(name) for name in "ab"} | {"c": lambda: ended.append("c")}
    with dask.config.set(num_workers=2):
        run_as_ready(steps, {"c": ("a", "b", "not a step")})
    assert sorted(ended[:2]) == ["a", "b"]
    assert ended[2:] == ["c"]


@pytest.mark.parametrize("settings", [{"scheduler": "synchronous"}, {"num_workers": 1}])
def test_steps_run_in_order_where_dask_has_one_thread(settings):
    threads = []
    with dask.config.set(**settings):
        run_as_ready({name: lambda: threads.append(threading.current_thread()) for name in "abc"}, {})
    assert threads == [threading.current_thread()] * 3


def test_a_step_that_fails_ends_the_run_before_those_that_need_it():
    ended = []
    with dask.config.set(num_workers=2), pytest.raises(ZeroDivisionError):
        run_as_ready({"a": lambda: 1 // 0, "b": lambda: ended.append("b")}, {"b": ("a",)})
    assert not ended
