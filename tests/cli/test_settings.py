"""Every argument of a reader can be given on the command line; arguments that it would ignore are refused."""

import numpy as np
import pytest

from ..support.command_line import refused, run


@pytest.fixture
def cut(tmp_path):
    """A raw file that ends in the middle of a frame, as an interrupted copy does."""
    path = tmp_path / "cut.dat"
    path.write_bytes(np.arange(4 * 3000, dtype="int16").tobytes()[:-3])
    return path


def test_a_cut_file_opens_with_the_option_that_the_error_names(cut):
    raw = ("--n-channels", 4, "--sampling-frequency", 1000)
    message = refused("info", cut, *raw, status=3)
    assert "--reader ignore_trailing_bytes=True" in message
    assert "2,999 samples" in run("info", cut, *raw, "--reader", "ignore_trailing_bytes=True").stdout


def test_several_settings_are_combined(tmp_path):
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
def test_wrong_settings_are_refused(cut, options, message):
    assert message in refused("info", cut, "--n-channels", 4, "--sampling-frequency", 1000, *options, status=2)


def test_sampling_rates_are_printed_exactly(tmp_path):
    path = tmp_path / "raw.dat"
    path.write_bytes(bytes(400))
    for rate in ("24414.0625", "29999.954846", "30000"):
        assert f"{rate} Hz" in run("info", path, "--n-channels", 2, "--sampling-frequency", rate).stdout
