"""The group of figures."""

from __future__ import annotations

import re

import pytest

from xephys.errors import ParameterError
from xephys.pipeline.config.figures import FigureConfig


def test_colors_are_six_and_opacity_is_a_share() -> None:
    colors = FigureConfig().scatter_recording_colors
    assert len(colors) == 6 and all(re.fullmatch("#[0-9a-f]{6}", color) for color in colors)
    with pytest.raises(ParameterError, match="at most 1"):
        FigureConfig(scatter_recording_alpha=1.2)
