"""Spike sorting as a lazy dataflow on chunked, labelled arrays.

Public names are imported on first use, so ``import xephys`` costs next to nothing.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

#: Which module holds each public name.
_PUBLIC = {
    name: module
    for module, names in {
        "io.open": ("open_recording",),
        "io.save": ("save_recording",),
        "io.spikeinterface": ("from_spikeinterface", "to_spikeinterface"),
        "io.sorting": ("open_sorting", "save_sorting"),
        "io.phy": ("export_phy",),
        "slicing": ("select_channels", "time_slice"),
        "preprocess.filter": ("bandpass_filter", "filter_with_sos", "highpass_filter", "notch_filter"),
        "preprocess.phase_shift": ("phase_shift",),
        "preprocess.reference": ("common_reference",),
        "preprocess.scale": ("scale", "to_uv"),
        "preprocess.noise": ("estimate_noise_levels",),
        "preprocess.whiten": ("estimate_whitening", "whiten"),
        "preprocess.bad_channels": ("detect_bad_channels", "interpolate_bad_channels"),
        "detect": ("detect_peaks",),
        "localize": ("localize_peaks",),
        "features": ("extract_snippets", "learn_components", "project_peaks"),
        "templates": ("estimate_templates",),
        "match": ("match_templates",),
        "sorter.run": ("sort",),
        "comparison": ("Comparison", "compare"),
        "describe": ("describe",),
        "errors": ("OutputError", "ParameterError", "RecordingError", "ResourceError", "XephysWarning"),
    }.items()
    for name in names
}
_SUBMODULES = ("plot", "testing")

__all__ = [*_PUBLIC, *_SUBMODULES, "__version__"]


def __getattr__(name: str) -> Any:
    if name in _SUBMODULES:
        return import_module(f".{name}", __name__)
    if name not in _PUBLIC:
        raise AttributeError(f"module 'xephys' has no attribute {name!r}")
    value = getattr(import_module(f".{_PUBLIC[name]}", __name__), name)
    _register_accessor()
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)


def _register_accessor() -> None:
    """Give arrays their ``.ephys``; importing Xarray just for that would cost more than everything else here."""
    import_module(".accessor", __name__)


if "xarray" in sys.modules:
    _register_accessor()

if TYPE_CHECKING:
    pass
