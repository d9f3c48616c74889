import numpy as np
import pytest

from xephys.kernels.preprocess.values.limits import blank_beyond, clip, rectify

TRACES = np.random.default_rng(0).normal(0, 50, (200, 3)).astype("f4")


@pytest.mark.parametrize(("low", "high"), [(-20.0, 30.0), (None, 10.0), (-10.0, None)])
def test_clip_is_the_nearer_limit(low, high):
    expected = [
        [low if low is not None and v < low else high if high is not None and v > high else v for v in row]
        for row in TRACES[5:-7].tolist()
    ]
    np.testing.assert_array_equal(clip(TRACES, before=5, after=7, low=low, high=high), np.array(expected, "f4"))


def test_the_most_negative_integer_has_an_absolute_value():
    assert rectify(np.array([[-32768, 5]], "int16"), before=0).tolist() == [[32768.0, 5.0]]


def test_only_values_at_or_beyond_a_limit_are_replaced_and_the_input_is_not():
    given = TRACES.copy()
    got = blank_beyond(given, before=1, after=2, low=-40.0, high=60.0, fill_value=7.0)
    core = TRACES[1:-2]
    np.testing.assert_array_equal(got, np.where((core <= -40) | (core >= 60), np.float32(7), core))
    np.testing.assert_array_equal(given, TRACES)
