"""White traces kept in memory, on disk or nowhere give the same sorting, also after resuming."""

from __future__ import annotations

import pytest

import xephys
from tests.support.sortings import assert_identical
from xephys.errors import ParameterError


@pytest.mark.parametrize("cache", ["memory", "disk", "none"])
def test_spikes_do_not_depend_on_the_cache(opened, expected, cache):
    assert_identical(xephys.sort(opened(2.0), cache=cache), expected)


def test_a_budget_below_one_tile_keeps_nothing(opened, expected, tmp_path):
    assert_identical(xephys.sort(opened(2.0), cache="disk", cache_bytes_max=1000, folder=tmp_path), expected)


@pytest.mark.parametrize("later", ["memory", "disk", "none"])
def test_a_stopped_sort_resumes_in_any_mode(opened, expected, tmp_path, later):
    def stop(stage, done, total):
        if stage == "refine 1" and done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        xephys.sort(opened(2.0), cache="disk", folder=tmp_path, progress=stop)
    assert list(tmp_path.glob("kept-*"))
    assert_identical(xephys.sort(opened(2.0), cache=later, folder=tmp_path), expected)
    assert not list(tmp_path.glob("kept-*"))


def test_recordings_in_memory_give_the_same_sorting(opened, expected):
    recording = opened(2.0)
    held = recording.copy(data=recording.values)
    assert_identical(xephys.sort(held), expected, same_source=False)


def test_an_unknown_mode_is_refused(opened):
    with pytest.raises(ParameterError, match="cache is 'ram'; it must be one of 'auto', 'memory', 'disk', 'none'"):
        xephys.sort(opened(2.0), cache="ram")
