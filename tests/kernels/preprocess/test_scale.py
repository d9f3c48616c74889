"""Scaling and conversion against NumPy."""

import numpy as np
import pytest

from xephys.kernels.preprocess.scale import astype, scale


@pytest.mark.parametrize("dtype", ["int16", "uint16", "int32", "float32", "float64", ">i2"])
@pytest.mark.parametrize("per_channel", [False, True])
def test_scale_equals_numpy_to_the_bit(dtype, per_channel):
    rng = np.random.default_rng(0)
    traces = rng.integers(0, 30_000, (50, 37)).astype(dtype)
    traces.setflags(write=dtype != "float32")  # for Numba each dtype would be two types, each compiled apart
    before = traces.tobytes()
    gain = rng.normal(0, 1, 37).astype("float32") if per_channel else np.float32(0.195)
    offset = rng.normal(0, 100, 37).astype("float32") if per_channel else np.float32(-6.5)
    got = scale(traces, before=3, after=4, gain=gain, offset=offset)
    assert got.dtype == np.float32
    assert traces.tobytes() == before
    np.testing.assert_array_equal(got, (traces.astype("float32") * gain + offset)[3:46])


def test_columns_of_a_wider_array():
    traces = np.arange(40, dtype="int16").reshape(5, 8)[:, ::2]
    np.testing.assert_array_equal(scale(traces, gain=2), traces * np.float32(2))


def test_astype_rounds_half_to_even_and_saturates():
    traces = np.array([[-0.5, 0.5, 1.5, 2.5, -1.5, 32766.5, 32767.5, 1e9, -1e9, np.inf, -np.inf]], "float32")
    want = [[0, 0, 2, 2, -2, 32766, 32767, 32767, -32768, 32767, -32768]]
    np.testing.assert_array_equal(astype(traces), want)
    np.testing.assert_array_equal(astype(traces[:, :4], dtype="uint8"), [[0, 0, 2, 2]])
    assert astype(np.array([[1e30, -1e30]]), dtype="int64").tolist() == [[2**63 - 1, -(2**63)]]
    assert astype(np.array([[1e30, -1.0]]), dtype="uint32").tolist() == [[2**32 - 1, 0]]


def test_astype_between_integers_saturates():
    np.testing.assert_array_equal(astype(np.array([[70_000, -70_000, 5]])), [[32767, -32768, 5]])
    np.testing.assert_array_equal(astype(np.array([[40_000, 5]], "uint16")), [[32767, 5]])
    np.testing.assert_array_equal(astype(np.array([[-4, 5]], "int16"), dtype="uint16"), [[0, 5]])


def test_astype_to_floats_and_valid_mode():
    traces = np.arange(10, dtype="int16").reshape(5, 2)
    got = astype(traces, before=1, after=2, dtype="float32")
    assert got.dtype == np.float32
    np.testing.assert_array_equal(got, traces[1:3])


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match="NaN"):
        astype(np.array([[np.nan]]))
    with pytest.raises(ValueError, match="gain has shape"):
        scale(np.zeros((3, 2)), gain=np.ones(3))
    with pytest.raises(ValueError, match="do not fit"):
        scale(np.zeros((3, 2)), before=4)


@pytest.mark.parametrize("dtype", ["int16", ">i2", "uint32", "float32", "float64"])
def test_a_given_array_is_filled_with_the_same_bits(dtype):
    traces = np.random.default_rng(0).integers(0, 2000, (50, 3)).astype(dtype)
    scaled, gain = np.empty((50, 3), np.float32), np.array([0.5, 2.0, -1.0])
    scale.fill_float32(traces, scaled, gain=gain, offset=7)
    assert scaled.tobytes() == scale(traces, gain=gain, offset=7).tobytes()
