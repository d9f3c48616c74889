"""Guards and zeros on a device, as on the CPU."""

import numpy as np
import pytest

from xephys.kernels.lib.dispatch import to_host
from xephys.kernels.preprocess.blank import guard as cpu
from xephys.kernels.preprocess.blank import guard_device


@pytest.mark.parametrize("guard", [0, 1, 4, 99])
def test_the_same_samples(xp, guard):
    rng = np.random.default_rng(guard)
    found, traces = rng.random(60) < 0.05, rng.normal(size=(60, 3)).astype("f4")
    near = guard_device.within_guard(xp, xp.asarray(found), guard)
    np.testing.assert_array_equal(to_host(near), cpu.within_guard(found, guard))
    silent = guard_device.blanked(xp, xp.asarray(traces), near, before=3, after=2)
    expected = cpu.blanked(traces, cpu.within_guard(found, guard), before=3, after=2)
    np.testing.assert_array_equal(to_host(silent), expected)


def test_the_largest_value_nearby(xp):
    values = np.random.default_rng(0).random(40).astype("f4")
    found = to_host(guard_device.largest_nearby(xp, xp.asarray(values), 3))
    np.testing.assert_array_equal(found, [values[max(0, t - 3) : t + 4].max() for t in range(40)])
