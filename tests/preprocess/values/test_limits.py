import pytest

import xephys
from xephys.errors import ParameterError
from xephys.testing import simulate_recording


@pytest.fixture(scope="module")
def recording():
    return simulate_recording(duration_s=1, n_channels=4, n_units=1, seed=0)[0]


def test_sides(recording):
    values = recording.values.astype("f4")
    lower = xephys.blank_saturation(recording, threshold=15, fill_value=2, direction="lower").values
    assert (lower[values <= -15] == 2).all()
    assert (lower[values > -15] == values[values > -15]).all()
    upper = xephys.blank_saturation(recording, threshold=15, direction="upper").values
    assert (upper[values >= 15] == 0).all()
    assert (upper[values < 15] == values[values < 15]).all()
    assert (xephys.clip(recording, high=3.0).values == values.clip(max=3)).all()
    assert (xephys.rectify(recording).values == abs(values)).all()


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda rec: xephys.clip(rec), "low is None and high is None; give at least one"),
        (lambda rec: xephys.clip(rec, low=float("nan")), "low is nan and high is None"),
        (lambda rec: xephys.clip(rec, low=3, high=1), r"low \(3\) is above high \(1\); swap them"),
        (lambda rec: xephys.blank_saturation(rec, threshold=0), "threshold is 0; it must be a size above 0"),
        (lambda rec: xephys.blank_saturation(rec, threshold=9, fill_value=float("inf")), "fill_value is inf"),
        (lambda rec: xephys.blank_saturation(rec, threshold=9, direction="uper"), "did you mean 'upper'"),
    ],
)
def test_bad_input_is_refused(recording, call, text):
    with pytest.raises(ParameterError, match=text):
        call(recording)
