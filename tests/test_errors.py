"""Errors are caught as our classes and as Python's."""

from __future__ import annotations

import errno
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import xephys
from xephys import errors


def test_a_warning_points_to_the_line_of_the_user():
    data = np.zeros((30_000, 4), "int16")
    recording = xephys.make_recording(
        data, sampling_frequency=30_000.0, coordinates={"x": [0.0] * 4, "y": [0.0, 0.02, 0.04, 0.06]}
    )
    with pytest.warns(xephys.XephysWarning, match="if they are in mm") as caught:
        xephys.sort(recording)
    assert {warning.filename for warning in caught} == {__file__}


def test_numpys_short_write_counts_as_a_full_disk():
    assert errors.is_disk_full(OSError("4096 requested and 12 written"))
    assert not errors.is_disk_full(OSError("something else"))


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_full_disks_are_told_from_other_failures(number):
    full = OSError(number, "full")
    assert errors.is_disk_full(full)
    assert not errors.is_disk_full(OSError(errno.EACCES, "denied"))


def test_classes_derive_from_pythons():
    assert issubclass(errors.SilentRecordingError, errors.RecordingError)
    assert issubclass(errors.RecordingError, ValueError)
    assert issubclass(errors.ParameterError, ValueError)
    assert issubclass(errors.XephysWarning, UserWarning)


def test_readers_are_silenced_in_several_threads_and_filters_are_restored():
    def read(number):
        with errors.readers_silenced(again=number % 2 == 0):
            for category in (FutureWarning, DeprecationWarning, *([UserWarning] if number % 2 == 0 else [])):
                warnings.warn("not the user's", category, stacklevel=1)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        before = list(warnings.filters)
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(read, range(200)))
        assert warnings.filters == before
        with pytest.raises(UserWarning), errors.readers_silenced():
            warnings.warn("of a file", UserWarning, stacklevel=1)
