"""A recording is asked once who it is: by every public operation of a sort, not by its helpers again."""

from __future__ import annotations

import sys
from collections import Counter
from inspect import unwrap

import pytest

import xephys
from xephys import schema
from xephys.sorting import build_sorting
from xephys.testing import simulate_recording


def public_code():
    """Code of every public function, to find it on the stack."""
    functions = [unwrap(getattr(xephys, name)) for name in xephys.__all__] + [build_sorting]
    return {function.__code__: function.__name__ for function in functions if hasattr(function, "__code__")}


@pytest.mark.parametrize("preset", [{}, {"preset": "kilosort4", "nblocks": 0}], ids=["default", "kilosort4"])
def test_once_for_each_public_operation(preset, monkeypatch):
    recording, _ = simulate_recording(duration_s=6, n_channels=16, n_units=3, seed=0)
    names, validate, frames = public_code(), schema.validate_recording, []

    def counted(asked):
        frame = sys._getframe(1)
        while frame is not None and frame.f_code not in names:
            frame = frame.f_back
        frames.append(frame)  # kept, so that no later frame has its identity
        return validate(asked)

    for module in [module for name, module in sys.modules.items() if name.startswith("xephys")]:
        if vars(module).get("validate_recording") is validate:
            monkeypatch.setattr(module, "validate_recording", counted)
    sorting = xephys.sort(recording, **preset)
    assert sorting["units"].sizes["unit"] > 0
    counts = Counter(id(frame) for frame in frames)
    several = {names[frame.f_code] if frame else None: counts[id(frame)] for frame in frames if counts[id(frame)] > 1}
    assert len(frames) > 10
    assert not several
