import numpy as np
import pytest

import xephys
from xephys.errors import ParameterError, RecordingError
from xephys.graph.build import count_tasks


@pytest.fixture(scope="module")
def recording():
    """Two columns of four channels; values are a known function of the position."""
    x, y = np.repeat([0.0, 30.0], 4), np.tile([0.0, 20.0, 40.0, 80.0], 2)
    traces = np.random.default_rng(0).standard_normal((500, 1)) * (2 * x + y**2)
    return xephys.make_recording(
        traces.astype("f4"), sampling_frequency=1000.0, coordinates={"x": x, "y": y}, units="uV"
    ).chunk({"time": 100})


def test_derivative_along_depth(recording):
    got = xephys.directional_derivative(recording, edge_order=2)
    np.testing.assert_allclose(
        got.values, recording.values[:, [1]] / (400) * (2 * recording.y.values), rtol=1e-3, atol=1e-2
    )
    assert got.attrs["units"] == "uV/um"
    assert xephys.directional_derivative(recording, order=2).attrs["units"] == "uV/um^2"
    assert count_tasks(got) == 5


def test_averages_leave_out_bad_channels(recording):
    averaged = xephys.average_across_direction(recording)
    values = recording.values.reshape(500, 2, 4)
    np.testing.assert_allclose(averaged.values, values.mean(axis=1), rtol=1e-4, atol=1e-3)
    assert averaged.x.values.tolist() == [15.0] * 4
    assert averaged.y.values.tolist() == [0.0, 20.0, 40.0, 80.0]
    bad = recording.assign_coords(bad=("channel", [True, False, False, False, False, True, False, False]))
    got = xephys.average_across_direction(bad)
    np.testing.assert_allclose(got.values[:, 0], values[:, 1, 0], rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(got.values[:, 1], values[:, 0, 1], rtol=1e-4, atol=1e-3)
    assert got.x.values.tolist() == [30.0, 0.0, 15.0, 15.0]
    assert xephys.average_across_direction(recording, direction="x").sizes["channel"] == 2
    assert count_tasks(averaged) == 5


def test_bad_input_is_refused(recording):
    with pytest.raises(ParameterError, match="order is 0 and edge_order 1"):
        xephys.directional_derivative(recording, order=0)
    with pytest.raises(ParameterError, match="direction is 'z'"):
        xephys.directional_derivative(recording, direction="z")
    with pytest.raises(RecordingError, match="along x a column has 1 channels at 1 places"):
        xephys.directional_derivative(recording.isel(channel=[0, 1, 2, 3]), direction="x")
