"""Spike sorting as a lazy dataflow on chunked, labelled arrays.

Public names are imported on first use, so ``import xephys`` costs next to nothing.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
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
        "io.kilosort": ("export_kilosort",),
        "checkpoint": ("checkpoint",),
        "schema": ("make_recording",),
        "slicing": ("select_channels", "spread_slices", "time_slice"),
        "preprocess.device": ("to_device",),
        "preprocess.filter": ("bandpass_filter", "filter_with_sos", "highpass_filter", "notch_filter"),
        "preprocess.phase_shift": ("phase_shift",),
        "preprocess.reference": ("common_reference",),
        "preprocess.scale": ("scale", "to_uv"),
        "preprocess.noise": ("estimate_noise_levels", "sample_traces"),
        "preprocess.whiten": ("estimate_whitening", "whiten"),
        "preprocess.artifacts": ("blank_artifacts",),
        "preprocess.common_artifacts": ("blank_common_artifacts",),
        "preprocess.bad_channels": ("detect_bad_channels", "interpolate_bad_channels"),
        "matched_filter": ("estimate_matched_filter", "prototype_of_components"),
        "detect": ("detect_peaks",),
        "localize": ("localize_peaks",),
        "features": ("estimate_feature_noise", "extract_snippets", "learn_components", "project_peaks"),
        "shapes": ("learn_shapes", "standard_shapes"),
        "universal": ("detect_universal", "universal_templates"),
        "cluster.peaks": ("cluster_peaks",),
        "cluster.modularity": ("cluster_by_modularity",),
        "cluster.refine": ("refine_clusters",),
        "templates": ("dense_templates", "estimate_templates"),
        "match": ("estimate_noise_gain", "match_residual", "match_templates"),
        "sorter.run": ("sort",),
        "sorter.reuse": ("whiten_like",),
        "comparison": ("Comparison", "compare"),
        "graph.describe": ("describe",),
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
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)


class _Package(ModuleType):
    """Keeps a function that has the name of its module, which the import system would bind in its place."""

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name in _PUBLIC and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package

if "xarray" in sys.modules:  # else with the first module that needs it: Xarray takes longer than all the rest here
    import_module(".accessor", __name__)

if TYPE_CHECKING:
    from .checkpoint import checkpoint as checkpoint
    from .cluster.modularity import cluster_by_modularity as cluster_by_modularity
    from .cluster.peaks import cluster_peaks as cluster_peaks
    from .cluster.refine import refine_clusters as refine_clusters
    from .comparison import Comparison as Comparison
    from .comparison import compare as compare
    from .detect import detect_peaks as detect_peaks
    from .errors import OutputError as OutputError
    from .errors import ParameterError as ParameterError
    from .errors import RecordingError as RecordingError
    from .errors import ResourceError as ResourceError
    from .errors import XephysWarning as XephysWarning
    from .features import estimate_feature_noise as estimate_feature_noise
    from .features import extract_snippets as extract_snippets
    from .features import learn_components as learn_components
    from .features import project_peaks as project_peaks
    from .graph.describe import describe as describe
    from .io.kilosort import export_kilosort as export_kilosort
    from .io.open import open_recording as open_recording
    from .io.phy import export_phy as export_phy
    from .io.save import save_recording as save_recording
    from .io.sorting import open_sorting as open_sorting
    from .io.sorting import save_sorting as save_sorting
    from .io.spikeinterface import from_spikeinterface as from_spikeinterface
    from .io.spikeinterface import to_spikeinterface as to_spikeinterface
    from .localize import localize_peaks as localize_peaks
    from .match import estimate_noise_gain as estimate_noise_gain
    from .match import match_residual as match_residual
    from .match import match_templates as match_templates
    from .matched_filter import estimate_matched_filter as estimate_matched_filter
    from .matched_filter import prototype_of_components as prototype_of_components
    from .preprocess.artifacts import blank_artifacts as blank_artifacts
    from .preprocess.bad_channels import detect_bad_channels as detect_bad_channels
    from .preprocess.bad_channels import interpolate_bad_channels as interpolate_bad_channels
    from .preprocess.common_artifacts import blank_common_artifacts as blank_common_artifacts
    from .preprocess.device import to_device as to_device
    from .preprocess.filter import bandpass_filter as bandpass_filter
    from .preprocess.filter import filter_with_sos as filter_with_sos
    from .preprocess.filter import highpass_filter as highpass_filter
    from .preprocess.filter import notch_filter as notch_filter
    from .preprocess.noise import estimate_noise_levels as estimate_noise_levels
    from .preprocess.noise import sample_traces as sample_traces
    from .preprocess.phase_shift import phase_shift as phase_shift
    from .preprocess.reference import common_reference as common_reference
    from .preprocess.scale import scale as scale
    from .preprocess.scale import to_uv as to_uv
    from .preprocess.whiten import estimate_whitening as estimate_whitening
    from .preprocess.whiten import whiten as whiten
    from .schema import make_recording as make_recording
    from .shapes import learn_shapes as learn_shapes
    from .shapes import standard_shapes as standard_shapes
    from .slicing import select_channels as select_channels
    from .slicing import spread_slices as spread_slices
    from .slicing import time_slice as time_slice
    from .sorter.reuse import whiten_like as whiten_like
    from .sorter.run import sort as sort
    from .templates import dense_templates as dense_templates
    from .templates import estimate_templates as estimate_templates
    from .universal import detect_universal as detect_universal
    from .universal import universal_templates as universal_templates
