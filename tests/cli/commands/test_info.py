"""What ``xephys info`` prints about a recording."""

import numpy as np

from ...support.command_line import run


def test_info_describes_the_recording(simulated):
    text = run("info", simulated / "recording").stdout
    for fact in (
        "16 (0 to 15)",
        "30000 Hz",
        "12 s (360,000 samples)",
        "0.195 µV per count",
        "16 contacts",
        "1 task each",
    ):
        assert fact in text


def test_info_of_a_raw_file(tmp_path):
    file = tmp_path / "a.bin"
    np.zeros((3000, 2), "<i2").tofile(file)
    text = run("info", file, "--n-channels", 2, "--sampling-frequency", 1000, "--dtype", "int16").stdout
    assert "3 s (3,000 samples)" in text
    assert "none: sorting needs one" in text
