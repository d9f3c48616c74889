"""Excerpts that are drawn at the first access, and not before."""

from __future__ import annotations

from xephys.sorter.steps.prepared import DrawnSample


def test_drawn_once_and_late():
    calls = []

    def draw():
        calls.append(1)
        return ["a", "b"]

    sample = DrawnSample(draw, token="t")
    assert not sample.is_drawn
    assert not calls
    assert len(sample) == 2
    assert list(sample) == ["a", "b"]
    assert sample[1] == "b"
    assert sample.is_drawn
    assert calls == [1]
    assert sample.token == "t"
