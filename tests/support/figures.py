"""The size of the file of a figure."""

from __future__ import annotations


def saved_size(figure, tmp_path):
    path = tmp_path / "figure.png"
    figure.savefig(path)
    return path.stat().st_size
