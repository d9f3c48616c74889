"""``recording.ephys``: every function that takes a recording first, as a method of it. No state, no logic."""

from __future__ import annotations

from importlib import import_module
from types import MethodType
from typing import Any

import xarray as xr


class _Forward:
    """A function of another module, imported on first use and bound to the recording like a method."""

    def __init__(self, module: str) -> None:
        self.module = module

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, accessor: RecordingAccessor | None, owner: type) -> Any:
        function = getattr(import_module(self.module, __package__), self.name)
        return function if accessor is None else MethodType(function, accessor.recording)


@xr.register_dataarray_accessor("ephys")  # type: ignore[no-untyped-call]
class RecordingAccessor:
    """Methods of a recording; each has the parameters and the documentation of the function of its name.

    Examples
    --------
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0)
    >>> recording.ephys.bandpass_filter(freq_min_hz=300).ephys.common_reference().dtype
    dtype('float32')
    """

    def __init__(self, recording: xr.DataArray) -> None:
        self.recording = recording

    time_slice = _Forward(".slicing")
    spread_slices = _Forward(".slicing")
    select_channels = _Forward(".slicing")

    to_device = _Forward(".preprocess.device")
    bandpass_filter = _Forward(".preprocess.filter")
    highpass_filter = _Forward(".preprocess.filter")
    notch_filter = _Forward(".preprocess.filter")
    filter_with_sos = _Forward(".preprocess.filter")
    phase_shift = _Forward(".preprocess.phase_shift")
    common_reference = _Forward(".preprocess.reference")
    scale = _Forward(".preprocess.scale")
    to_uv = _Forward(".preprocess.scale")
    sample_traces = _Forward(".preprocess.noise")
    estimate_noise_levels = _Forward(".preprocess.noise")
    estimate_whitening = _Forward(".preprocess.whiten")
    whiten = _Forward(".preprocess.whiten")
    blank_common_artifacts = _Forward(".preprocess.common_artifacts")
    detect_bad_channels = _Forward(".preprocess.bad_channels")
    interpolate_bad_channels = _Forward(".preprocess.bad_channels")
    blank_artifacts = _Forward(".preprocess.artifacts")

    estimate_matched_filter = _Forward(".matched_filter")
    detect_peaks = _Forward(".detect")
    localize_peaks = _Forward(".localize")
    estimate_feature_noise = _Forward(".features")
    extract_snippets = _Forward(".features")
    learn_components = _Forward(".features")
    project_peaks = _Forward(".features")
    learn_shapes = _Forward(".shapes")
    universal_templates = _Forward(".universal")
    detect_universal = _Forward(".universal")
    cluster_peaks = _Forward(".cluster.peaks")
    refine_clusters = _Forward(".cluster.refine")
    cluster_by_modularity = _Forward(".cluster.modularity")
    estimate_templates = _Forward(".templates")
    estimate_noise_gain = _Forward(".match")
    match_templates = _Forward(".match")
    match_residual = _Forward(".match")
    sort = _Forward(".sorter.run")
    whiten_like = _Forward(".sorter.reuse")

    checkpoint = _Forward(".checkpoint")
    save_recording = _Forward(".io.save")
    to_spikeinterface = _Forward(".io.spikeinterface")
    describe = _Forward(".graph.describe")

    plot_traces = _Forward(".plot.traces")
    plot_probe = _Forward(".plot.probe")
