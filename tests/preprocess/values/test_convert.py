import numpy as np
import pytest

import xephys
from xephys.errors import ParameterError, RecordingError


def counts(dtype, scale=1, level=0, **coordinates):
    values = scale * np.random.default_rng(0).integers(0, 100, (4000, 3)) + level
    return xephys.make_recording(values.astype(dtype), sampling_frequency=10_000.0, coordinates=coordinates)


def test_integers_round_and_saturate_instead_of_wrapping():
    traces = np.array([[0.5, 1.5, -2.5], [4e4, -4e4, 7.0]], "f4")
    got = xephys.astype(xephys.make_recording(traces, sampling_frequency=100.0), dtype="int16")
    assert got.values.tolist() == [[0, 2, -2], [32767, -32768, 7]]
    assert got.dtype == "int16"


@pytest.mark.parametrize("offset", [None, -3.0])
def test_microvolts_are_kept_when_the_sign_changes(offset):
    recording = counts("uint16", level=30_000, gain_to_uv=[0.2, 0.4, 2.0])
    if offset is not None:
        recording = recording.assign_coords(offset_to_uv=("channel", [offset] * 3))
    signed = xephys.unsigned_to_signed(recording)
    assert signed.dtype == "int16"
    np.testing.assert_allclose(xephys.to_uv(signed).values, xephys.to_uv(recording).values, atol=2e-2)


@pytest.mark.parametrize("dtype", ["int16", "uint16"])
def test_microvolts_are_kept_with_larger_steps(dtype):
    recording = counts(dtype, scale=7, level=3, gain_to_uv=[0.5, 1.0, 2.0])
    lsb = xephys.estimate_lsb(recording)
    assert int(lsb["lsb"]) == 7
    corrected = xephys.correct_lsb(recording, lsb=lsb)
    assert np.ptp(corrected.values[:, 0].astype(int)) == 99
    np.testing.assert_allclose(xephys.to_uv(corrected).values, xephys.to_uv(recording).values, atol=1e-3)


def test_steps_of_one_change_nothing():
    recording = counts("int16")
    assert xephys.correct_lsb(recording, lsb=xephys.estimate_lsb(recording)) is recording


def test_bad_input_is_refused():
    floats = xephys.make_recording(np.zeros((100, 2), "f4"), sampling_frequency=100.0)
    with pytest.raises(ParameterError, match="dtype is complex64; traces hold integers or real numbers"):
        xephys.astype(floats, dtype="complex64")
    with pytest.raises(ParameterError, match="dtype is 'int61', which NumPy does not know"):
        xephys.astype(floats, dtype="int61")
    with pytest.raises(RecordingError, match="traces are float32; only unsigned integers"):
        xephys.unsigned_to_signed(floats)
    with pytest.raises(ParameterError, match="bit_depth is 17; it must be a number from 1 to 16"):
        xephys.unsigned_to_signed(counts("uint16"), bit_depth=17)
    with pytest.raises(RecordingError, match="traces are float32; only counts have a smallest step"):
        xephys.estimate_lsb(floats)
    with pytest.raises(RecordingError, match="lsb: 2 of the 3 channels have no value, such as 1"):
        xephys.correct_lsb(counts("int16"), lsb=xephys.estimate_lsb(counts("int16").isel(channel=[0])))
