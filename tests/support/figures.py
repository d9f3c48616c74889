"""A figure saved, and how large its file is."""

from __future__ import annotations


def saved_size(figure, tmp_path):
    path = tmp_path / "figure.png"
    figure.savefig(path)
    return path.stat().st_size
