from functools import partial

import numpy as np

from xephys.graph.compose.resample import ResampledSource
from xephys.graph.plan import Plan
from xephys.graph.source import BinarySource


def pick(traces, *, first, start, n, up, down):
    return traces[(start + np.arange(n)) * down // up - first]


def source_of(tmp_path, n=100):
    path = tmp_path / "samples.bin"
    np.arange(2 * n, dtype="i2").reshape(n, 2).tofile(path)
    binary = BinarySource(str(path), "<i2", 2, n, content="x")
    plan = Plan.of_source(binary, sampling_frequency=10.0, chunk_samples=30)
    return partial(ResampledSource, plan, pick, dtype=np.dtype("i2"))


def test_samples_and_lengths_follow_the_ratio_and_ends_are_repeated(tmp_path):
    make = source_of(tmp_path)
    slow = make(up=1, down=3, reach=4)
    assert slow.n_samples == 34
    np.testing.assert_array_equal(slow.read(0, 34)[:, 0], 2 * np.arange(0, 100, 3))
    np.testing.assert_array_equal(slow.read(7, 9), slow.read(0, 34)[7:9])
    fast = make(up=2, down=1, reach=4)
    assert fast.n_samples == 200
    np.testing.assert_array_equal(fast.read(190, 200)[:, 1], 2 * (np.arange(190, 200) // 2) + 1)


def test_the_token_depends_on_every_parameter(tmp_path):
    make = source_of(tmp_path)
    tokens = {make(up=1, down=2, reach=0).token, make(up=1, down=3, reach=0).token, make(up=1, down=2, reach=1).token}
    assert len(tokens) == 3
    assert make(up=1, down=2, reach=0).token in tokens
