"""Peaks of the shared case found by universal templates."""

from __future__ import annotations

from functools import cache

import xephys
from tests.support.spiking import case


@cache
def templates():
    return xephys.universal_templates(case().white, shapes=xephys.learn_shapes(case().white))
