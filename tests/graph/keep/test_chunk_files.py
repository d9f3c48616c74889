"""Files of chunks: NumPy's own, whole or not counted, and reused at any length."""

from dataclasses import replace

import numpy as np
import pytest

from xephys.graph.keep.chunk_files import chunk_path, reusable_chunks, stored_count

from .. import toys


@pytest.mark.parametrize("count", [0, 7, 1000])
def test_records_of_a_file_of_numpy_are_counted_if_it_is_whole(tmp_path, count):
    records = np.zeros(count, toys.FEATURE_DTYPE)
    file = tmp_path / "one.npy"
    np.save(file, records)
    assert stored_count(file, records.dtype) == count
    assert stored_count(file, np.dtype("f8")) is None
    file.write_bytes(file.read_bytes()[:-1])
    assert stored_count(file, records.dtype) is None
    assert stored_count(tmp_path / "absent.npy", records.dtype) is None


def test_the_longest_of_overlapping_files_is_used_and_the_gaps_have_the_plan_s_chunks(source, tmp_path):
    whole, rest = divmod(toys.N_SAMPLES, 1000)
    plan = replace(toys.events_on(source).plan, chunks=(1000,) * whole + (rest,))
    assert reusable_chunks(plan, tmp_path) == plan.chunks
    for start, stop in ((1500, 1700), (1500, 2300), (2200, 2600)):
        np.save(chunk_path(tmp_path, start, stop), np.zeros(3, plan.dtype))
    chunk_path(tmp_path, 3000, 3500).write_bytes(b"cut short")
    edges = np.cumsum(reusable_chunks(plan, tmp_path))
    assert edges[:5].tolist() == [1000, 1500, 2300, 3000, 4000]
    assert edges[-1] == toys.N_SAMPLES
