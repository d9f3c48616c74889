"""A sort does not waste time on identifying a recording again or on writing traces into its history."""

from __future__ import annotations

import sys
import zlib
from collections import Counter
from inspect import unwrap

import pytest

import xephys
from xephys import schema, written
from xephys.sorting import build_sorting
from xephys.testing import simulate_recording


def public_code():
    """Code objects of every public function, to recognize them on the stack."""
    functions = [unwrap(getattr(xephys, name)) for name in xephys.__all__] + [build_sorting]
    return {function.__code__: function.__name__ for function in functions if hasattr(function, "__code__")}


@pytest.mark.parametrize("preset", [{}, {"preset": "kilosort4", "nblocks": 0}], ids=["default", "kilosort4"])
def test_each_public_operation_identifies_once_and_histories_are_small(preset, monkeypatch):
    recording, _ = simulate_recording(duration_s=6, n_channels=16, n_units=3, seed=0)
    names, validate, frames = public_code(), schema.validate_recording, []
    compress, packed = zlib.compress, []
    monkeypatch.setattr(written.zlib, "compress", lambda values, *a: packed.append(len(values)) or compress(values, *a))

    def counted(asked):
        frame = sys._getframe(1)
        while frame is not None and frame.f_code not in names:
            frame = frame.f_back
        frames.append(frame)  # kept alive, so that no later frame gets the same id
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
    # Matrices of sixteen channels are small; the excerpts of the estimates would be two hundred times as large.
    assert 0 < sum(packed) <= 16_384
