import numpy as np
import pytest

from xephys.kernels.preprocess.values.convert import divide_steps, largest_step, unsigned_to_signed


@pytest.mark.parametrize(("dtype", "depth"), [("uint8", 8), ("uint16", 16), ("uint16", 12), ("uint32", 32)])
def test_half_the_range_is_subtracted(dtype, depth):
    values = np.random.default_rng(0).integers(0, 2**depth, (50, 3)).astype(dtype)
    values[0] = [0, 2**depth - 1, 2 ** (depth - 1)]
    got = unsigned_to_signed(values, before=0, after=1, bit_depth=depth)
    assert got.dtype == dtype[1:]
    np.testing.assert_array_equal(got, values[:-1].astype(object) - 2 ** (depth - 1))


def test_steps_of_five_around_a_level_of_their_own():
    steps = np.random.default_rng(1).integers(-90, 90, (500, 4))
    values = (5 * steps + [0, 3, -7, 11]).astype("int16")
    lsb, center = largest_step(values)
    assert lsb == 5
    assert (np.isin(center, values)).all()
    got = divide_steps(values, before=2, lsb=5, center=center)
    np.testing.assert_array_equal(5 * got.astype(int) + center, values[2:])


def test_constant_channels_have_no_step():
    assert largest_step(np.full((9, 2), 4, np.int16))[0] == 0
