"""Excerpts are drawn at the first access and not before."""

from __future__ import annotations

from xephys.sorter.steps.prepared import DrawnExcerpts


def test_excerpts_are_drawn_once_and_late():
    calls = []

    def draw():
        calls.append(1)
        return ["a", "b"]

    excerpts = DrawnExcerpts(draw, token="t")
    assert not excerpts.is_drawn
    assert not calls
    assert len(excerpts) == 2
    assert list(excerpts) == ["a", "b"]
    assert excerpts[1] == "b"
    assert excerpts.is_drawn
    assert calls == [1]
    assert excerpts.token == "t"
