"""Plexon files are read to their end."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from xephys.io.read.open import open_recording


def test_plexon_is_read_to_its_end(data: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Neo loses samples of the last block: before it the values equal SpikeInterface's, within it those of the file."""
    from spikeinterface.extractors import read_plexon

    place = data / "plexon/File_plexon_3.plx"
    segment = open_recording(place, chunk_duration_s=7.3)
    assert capfd.readouterr().err == ""
    values = segment.values
    expected = read_plexon(place)
    blocks = expected.neo_reader._data_blocks[5][0]
    last = int(blocks["size"][:-1].sum()) // 2
    np.testing.assert_array_equal(values[:last], expected.get_traces()[:last])
    stored = np.fromfile(place, "int16", offset=int(blocks["pos"][-1]), count=int(blocks["size"][-1]) // 2)
    assert len(values) == last + len(stored) == expected.get_num_samples()
    np.testing.assert_array_equal(values[last:, 0], stored)
