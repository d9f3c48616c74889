import numpy as np

from xephys.kernels.preprocess.values import limits as kernel
from xephys.kernels.preprocess.values import limits_device as device

TRACES = np.random.default_rng(0).normal(0, 50, (200, 3)).astype("f4")


def test_values_equal_those_of_the_host(xp):
    for name, parameters in (
        ("clip", {"low": -20.0, "high": None}),
        ("clip", {"low": None, "high": 12.0}),
        ("rectify", {}),
        ("blank_beyond", {"low": -30.0, "high": 30.0, "fill_value": 1.0}),
    ):
        for traces in (TRACES, TRACES.astype("int16")):
            got = getattr(device, name)(xp, xp.asarray(traces), before=3, after=2, **parameters)
            got = got if isinstance(got, np.ndarray) else got.get()
            expected = getattr(kernel, name)(traces, before=3, after=2, **parameters)
            assert got.dtype == expected.dtype == "float32"
            np.testing.assert_array_equal(got, expected)
