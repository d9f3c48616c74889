import numpy as np

from xephys.kernels.preprocess.spatial.pad import place_channels


def test_places_and_zeros():
    traces = np.random.default_rng(0).integers(-99, 99, (20, 3)).astype("i2")
    got = place_channels(traces, before=2, after=3, channels=np.array([2, -1, 0, 1, -1]))
    assert got.dtype == "i2"
    np.testing.assert_array_equal(got[:, [0, 2, 3]], traces[2:-3][:, [2, 0, 1]])
    assert (got[:, [1, 4]] == 0).all()
