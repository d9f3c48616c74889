"""Figures: Matplotlib is imported inside the functions, which return its Axes or Figure and never show them."""

from __future__ import annotations

from importlib import import_module
from typing import Any

_PUBLIC = {
    "plot_traces": "traces",
    "plot_probe": "probe",
    "plot_drift_raster": "raster",
    "plot_templates": "templates",
    "plot_confusion": "confusion",
    "plot_accuracy": "confusion",
    "plot_report": "report",
}

__all__ = list(_PUBLIC)


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'xephys.plot' has no attribute {name!r}")
    return getattr(import_module(f".{_PUBLIC[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)
