"""Every argument of the reader can be given on the command line; what would be lost is refused."""

import numpy as np
import pytest

from ..support.command_line import refused, run


@pytest.fixture
def cut(tmp_path):
    """Raw samples whose copy was interrupted in the middle of one."""
    path = tmp_path / "cut.dat"
    path.write_bytes(np.arange(4 * 3000, dtype="int16").tobytes()[:-3])
    return path


def test_a_cut_file_opens_as_the_error_says(cut):
    raw = ("--n-channels", 4, "--sampling-frequency", 1000)
    message = refused("info", cut, *raw, status=3)
    assert "--reader ignore_trailing_bytes=True" in message
    assert "2,999 samples" in run("info", cut, *raw, "--reader", "ignore_trailing_bytes=True").stdout


def test_several_of_them(tmp_path):
    path = tmp_path / "raw.dat"
    path.write_bytes(b"header" + np.arange(40, dtype=">i4").tobytes())
    shown = run(
        "info", path, "--n-channels", 2, "--sampling-frequency", 1000, "--dtype", ">i4", "--reader", "offset-bytes=6",
        "--reader", "channel_ids=['a', 'b']", "--reader", "time_axis=1",
    ).stdout  # fmt: skip
    assert "2 (a to b)" in shown
    assert "20 samples" in shown


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--reader", "ignore_trailing_bytes"), "--reader 'ignore_trailing_bytes' is not KEY=VALUE"),
        (("--reader", "a=1", "--reader", "a=2"), "--reader gives 'a' twice"),
        (("--reader", "n_channels=4"), "--reader n_channels=4: give it as --n-channels"),
        (("--reader", "ofset_bytes=4"), "no parameter 'ofset_bytes' for a raw binary file"),
    ],
)
def test_what_is_wrong_is_refused(cut, options, message):
    assert message in refused("info", cut, "--n-channels", 4, "--sampling-frequency", 1000, *options, status=2)


def test_rates_are_shown_exactly(tmp_path):
    path = tmp_path / "raw.dat"
    path.write_bytes(bytes(400))
    for rate in ("24414.0625", "29999.954846", "30000"):
        assert f"{rate} Hz" in run("info", path, "--n-channels", 2, "--sampling-frequency", rate).stdout
