"""Motion is kept in the files of pyDANT."""

import pytest

from xephys.errors import ParameterError
from xephys.track.dant import Motion


def test_what_is_saved_is_loaded(tmp_path):
    motion = Motion(3)
    motion.Linear[:], motion.Constant[:] = [0.0, 10.0, -20.0], [1.0, 2.0, 3.0]
    motion.save(tmp_path)
    other = Motion()
    other.load(tmp_path)
    assert other.get_motion([1, 2, 3], [0.0, 100.0, 100.0]).tolist() == [1.0, 3.0, 1.0]


@pytest.mark.parametrize("session", [0, 3])
def test_sessions_are_counted_from_one(session):
    with pytest.raises(ParameterError, match="counted from 1"):
        Motion(2).get_motion(session)
