"""The finalizer equals one in Python's integers, for one number and for arrays."""

import numpy as np

from xephys.kernels.lib.splitmix import splitmix

MASK = 2**64 - 1


def reference(value):
    value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9 & MASK
    value = (value ^ (value >> 27)) * 0x94D049BB133111EB & MASK
    return value ^ (value >> 31)


def test_it_is_the_finalizer_of_splitmix64():
    values = np.random.default_rng(0).integers(0, 2**64, 200, dtype=np.uint64)
    expected = [reference(int(value)) for value in values]
    assert splitmix(values).tolist() == expected
    assert [int(splitmix(value)) for value in values[:20]] == expected[:20]
