"""Every public operation whose result must not depend on chunks, as a function from a recording to its result.

Append a line to put another operation under the properties of ``test_operations.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import xarray as xr

import xephys
from xephys.match.moving import match_moving_templates
from xephys.match.residual import match_residual
from xephys.motion.registered import Tissue
from xephys.simulation.sorting import truth_sorting
from xephys.testing import simulate_recording

RATE = 30_000
Operation = Callable[[xr.DataArray], Any]


@cache
def simulated() -> tuple[xr.DataArray, Any]:
    """2.6 s of 8 channels: two whole tiles and a ragged one."""
    return simulate_recording(duration_s=2.6, n_channels=8, n_units=3, seed=11)


def recording() -> xr.DataArray:
    return simulated()[0]


def truth() -> Any:
    return simulated()[1]


def true_spikes() -> Any:
    return truth().spikes[["sample_index", "unit_index"]]


@cache
def fitted() -> dict[str, Any]:
    """Estimates that transforms need, made once from the raw recording; they are applied to other traces too."""
    filtered = xephys.bandpass_filter(recording())
    noise = xephys.estimate_noise_levels(filtered)
    found = xephys.detect_peaks(filtered, noise_levels=noise)
    whitening = xephys.estimate_whitening(filtered, n_nearest=4)
    shapes = xephys.learn_shapes(xephys.whiten(filtered, whitening=whitening), n_shapes=3, n_components=3)
    estimates = {
        "shapes": shapes,
        "universal": xephys.universal_templates(filtered, shapes=shapes),
        "whitening": whitening,
        "whitening global": xephys.estimate_whitening(filtered, mode="global"),
        "noise": noise,
        "peak waveforms": xephys.learn_peak_waveforms(filtered, found, noise_levels=noise, n_waveforms=2),
        "denoiser": xephys.learn_denoiser(filtered, found, rank=3),
        "artifacts": xephys.estimate_artifacts(recording(), trigger_times_s=[0.3, 0.9999, 1.0001, 2.4]),
        "statistics": xephys.estimate_statistics(recording()),
        "peaks": found.compute(),
        "components": xephys.learn_components(filtered, found, n_components=3),
        "matched filter": xephys.estimate_matched_filter(filtered),
        "templates": xephys.estimate_templates(
            filtered, true_spikes(), peak_channels=truth().peak_channels, n_nearest=6
        ),
    }
    for estimate in estimates.values():
        getattr(estimate, "attrs", {}).pop("made_on", None)
    return estimates


def peaks(rec: xr.DataArray, **parameters: Any) -> Any:
    return xephys.detect_peaks(xephys.bandpass_filter(rec), noise_levels=fitted()["noise"], **parameters)


def located(rec: xr.DataArray, method: str) -> Any:
    filtered = xephys.bandpass_filter(rec)
    return xephys.localize_peaks(filtered, xephys.detect_peaks(filtered, noise_levels=fitted()["noise"]), method=method)


def white(rec: xr.DataArray) -> xr.DataArray:
    return xephys.whiten(xephys.bandpass_filter(rec), whitening=fitted()["whitening"])


def cleaned(rec: xr.DataArray) -> Any:
    components = xr.DataArray(
        np.linalg.qr(np.random.default_rng(0).standard_normal((60, 3)))[0].T.astype("f4"),
        dims=("component", "sample"),
        attrs={"nbefore": 21},
    )
    return xephys.match_templates(
        xephys.bandpass_filter(rec), templates=fitted()["templates"], components=components, n_nearest=4
    )


def subtracted(rec: xr.DataArray, operation: Callable[..., Any], **more: Any) -> Any:
    known = {"denoiser": fitted()["denoiser"], "noise_levels": fitted()["noise"]}
    if more:
        more["components"] = fitted()["components"]
    return operation(xephys.bandpass_filter(rec), **known, energy_threshold=60.0, **more)


def followed(rec: xr.DataArray) -> Any:
    filtered = xephys.bandpass_filter(rec)
    motion = xephys.make_motion([[-8.0], [0.0], [9.0]], time_s=[0.5, 1.5, 2.4], depth_um=[0.0])
    tissue = Tissue.of(filtered, motion)
    rest = fitted()["templates"]
    moving = xr.Dataset(
        {
            "waveform": rest["waveform"].expand_dims(displacement=[-10.0, 0.0, 10.0], axis=1),
            "num_averaged": rest["num_averaged"].expand_dims(displacement=[-10.0, 0.0, 10.0], axis=1),
            "channel_index": rest["channel_index"],
        },
        coords={"channel": rest["channel"]},
        attrs=rest.attrs,
    )
    return match_moving_templates(filtered, templates=moving, tissue=tissue)


@cache
def sorted_truth() -> xr.DataTree:
    return truth_sorting(*simulated())


def analyzed(rec: xr.DataArray) -> dict[str, Any]:
    """All results of an analysis that come from the traces, by node and variable."""
    names = ["noise_levels", "waveforms", "templates", "spike_amplitudes", "spike_locations", "amplitude_scalings"]
    tree = xephys.analyze(sorted_truth(), xephys.bandpass_filter(rec), names, n_spikes_max=20)
    return {
        f"{node.name}/{name}": variable.values
        for node in tree["analysis"].subtree
        for name, variable in node.data_vars.items()
    }


#: Lazy transforms from traces to traces.
TRANSFORMS: dict[str, Operation] = {
    "bandpass_filter": xephys.bandpass_filter,
    "highpass_filter": xephys.highpass_filter,
    "notch_filter": lambda rec: xephys.notch_filter(rec, freq_hz=1000.0, quality=5.0),
    "filter forward": lambda rec: xephys.filter(rec, direction="forward"),
    "filter backward": lambda rec: xephys.filter(rec, freq_hz=500.0, btype="lowpass", direction="backward"),
    "gaussian_filter": xephys.gaussian_filter,
    "phase_shift": xephys.phase_shift,
    "common_reference global median": xephys.common_reference,
    "common_reference global average": lambda rec: xephys.common_reference(rec, operator="average"),
    "common_reference local": lambda rec: xephys.common_reference(
        rec, reference="local", inner_radius_um=30, outer_radius_um=80, n_neighbors_min=2
    ),
    "common_reference of quiet channels": lambda rec: xephys.common_reference(
        xephys.bandpass_filter(rec), noise_levels=fitted()["noise"], quiet_threshold=1.0
    ),
    "common_reference groups": lambda rec: xephys.common_reference(rec, groups=[0, 1, 0, 1, 0, 1, 0, 1]),
    "to_uv": xephys.to_uv,
    "scale": lambda rec: xephys.scale(rec, gain=[0.5, 1, 2, 4, 8, 16, 32, 64], offset=-3.0),
    "clip": lambda rec: xephys.clip(rec, low=-9.0, high=20.0),
    "rectify": xephys.rectify,
    "blank_saturation": lambda rec: xephys.blank_saturation(rec, threshold=25.0, fill_value=1.0),
    "center": lambda rec: xephys.center(rec, statistics=fitted()["statistics"]),
    "zscore": lambda rec: xephys.zscore(rec, statistics=fitted()["statistics"]),
    "normalize_by_quantile": lambda rec: xephys.normalize_by_quantile(rec, statistics=fitted()["statistics"]),
    "astype": lambda rec: xephys.astype(rec, dtype="float32"),
    "mark_bad_channels": lambda rec: xephys.mark_bad_channels(rec, [False, True] + [False] * 6),
    "drop_bad_channels": lambda rec: xephys.drop_bad_channels(rec, [False, True] + [False] * 6),
    "interpolate_bad_channels": lambda rec: xephys.interpolate_bad_channels(rec, bad=[False, True] + [False] * 6),
    "blank_common_artifacts": lambda rec: xephys.blank_common_artifacts(
        xephys.bandpass_filter(rec), noise_levels=fitted()["noise"], threshold=3.0, channel_fraction=0.25
    ),
    "blank_noisy_stretches": lambda rec: xephys.blank_noisy_stretches(
        xephys.bandpass_filter(rec), noise_levels=fitted()["noise"], factor=1.2, window_ms=2.0, guard_ms=1.0
    ),
    "whiten": lambda rec: xephys.whiten(xephys.bandpass_filter(rec), whitening=fitted()["whitening"]),
    "whiten global": lambda rec: xephys.whiten(xephys.bandpass_filter(rec), whitening=fitted()["whitening global"]),
    "correct_motion": lambda rec: xephys.correct_motion(
        xephys.bandpass_filter(rec),
        motion=xephys.make_motion(
            [[0.0, 5.0], [12.0, -7.0], [3.0, 30.0], [3.0, 30.0]], time_s=[0.3, 1.2, 2.5, 60.0], depth_um=[0, 60]
        ),
    ),
    "blank_artifacts": lambda rec: xephys.blank_artifacts(xephys.bandpass_filter(rec), threshold=60.0, reach_ms=2.0),
    "fill_silence": lambda rec: xephys.fill_silence(rec, silence_ms=2.0),
    "silence_periods": lambda rec: xephys.silence_periods(rec, periods_s=[(0.2, 0.25), (0.9, 1.1), (2.5, 9.0)]),
    "silence_periods with noise": lambda rec: xephys.silence_periods(
        rec, periods_s=[(0.9, 1.3)], noise_levels=fitted()["noise"].assign_attrs(units="counts")
    ),
    "remove_artifacts linear": lambda rec: xephys.remove_artifacts(
        rec, trigger_times_s=[0.0, 0.4, 0.4021, 0.9999, 1.0, 2.5999], mode="linear"
    ),
    "remove_artifacts cubic": lambda rec: xephys.remove_artifacts(
        rec, trigger_times_s=[0.001, 0.4, 0.4021, 0.9999, 2.5999], mode="cubic"
    ),
    "subtract_artifacts": lambda rec: xephys.subtract_artifacts(
        rec,
        trigger_times_s=[0.3, 0.9999, 1.0001, 2.4],
        artifacts=fitted()["artifacts"],
        scale_amplitude=True,
        time_jitter_ms=0.2,
    ),
    "directional_derivative": lambda rec: xephys.directional_derivative(rec, direction="y"),
    "highpass_spatial_filter": lambda rec: xephys.highpass_spatial_filter(rec, gain_window_s=0.05),
    "subtraction_residual": lambda rec: subtracted(rec, xephys.subtraction_residual),
    "match_residual": lambda rec: match_residual(xephys.bandpass_filter(rec), templates=fitted()["templates"]),
    "chain": lambda rec: xephys.whiten(
        xephys.common_reference(xephys.bandpass_filter(xephys.phase_shift(rec))), whitening=fitted()["whitening"]
    ),
}

#: Lazy tables of events.
TABLES: dict[str, Operation] = {
    "detect_peaks locally_exclusive": peaks,
    "detect_peaks by_channel": lambda rec: peaks(rec, method="by_channel", peak_sign="both"),
    "localize_peaks center_of_mass": lambda rec: located(rec, "center_of_mass"),
    "localize_peaks monopolar_triangulation": lambda rec: located(rec, "monopolar_triangulation"),
    "localize_peaks grid_convolution": lambda rec: located(rec, "grid_convolution"),
    "detect_peaks matched_filtering": lambda rec: xephys.detect_peaks(
        xephys.bandpass_filter(rec), method="matched_filtering", matched_filter=fitted()["matched filter"]
    ),
    "detect_by_network": lambda rec: xephys.detect_by_network(
        xephys.bandpass_filter(rec), noise_levels=fitted()["noise"], peak_sign="both"
    ),
    "refine_peak_times": lambda rec: xephys.refine_peak_times(
        xephys.bandpass_filter(rec), peaks(rec), waveforms=fitted()["peak waveforms"]
    ),
    "detect_codetections": lambda rec: xephys.detect_codetections(
        xephys.bandpass_filter(rec), noise_levels=fitted()["noise"], loose_thresh=0.1
    ),
    "extract_snippets": lambda rec: xephys.extract_snippets(xephys.bandpass_filter(rec), peaks(rec)),
    "project_peaks": lambda rec: xephys.project_peaks(
        xephys.bandpass_filter(rec), peaks(rec), components=fitted()["components"], n_nearest=4
    ),
    "extract_waveforms": lambda rec: xephys.extract_waveforms(
        sorted_truth(), xephys.bandpass_filter(rec), n_spikes_max=20
    )[0],
    "features of given peaks": lambda rec: xephys.localize_peaks(xephys.bandpass_filter(rec), fitted()["peaks"]),
    "detect_universal": lambda rec: xephys.detect_universal(
        white(rec), templates=fitted()["universal"], detect_threshold=6.0
    ),
    "detect_by_subtraction": lambda rec: subtracted(rec, xephys.detect_by_subtraction, keep_denoised=True),
    "match_templates with projections": cleaned,
    "match_moving_templates": followed,
    "match_templates with a threshold for each": lambda rec: xephys.match_templates(
        xephys.bandpass_filter(rec),
        templates=fitted()["templates"],
        match_threshold=np.linspace(4.0, 6.0, fitted()["templates"].sizes["unit"]),
    ),
    "match_templates": lambda rec: xephys.match_templates(xephys.bandpass_filter(rec), templates=fitted()["templates"]),
}

#: Eager estimates.
ESTIMATES: dict[str, Operation] = {
    "estimate_noise_levels": xephys.estimate_noise_levels,
    "analyze": analyzed,
    "estimate_statistics": xephys.estimate_statistics,
    "estimate_artifacts": lambda rec: xephys.estimate_artifacts(rec, trigger_times_s=[0.3, 0.9999, 1.0001, 2.4]),
    "detect_artifact_periods": lambda rec: xephys.detect_artifact_periods(rec, threshold=40.0),
    "estimate_matched_filter": lambda rec: xephys.estimate_matched_filter(xephys.bandpass_filter(rec)),
    "learn_components": lambda rec: xephys.learn_components(xephys.bandpass_filter(rec), peaks(rec)),
    "learn_denoiser": lambda rec: xephys.learn_denoiser(xephys.bandpass_filter(rec), peaks(rec), rank=3),
    "learn_shapes": lambda rec: xephys.learn_shapes(white(rec), n_shapes=3, n_components=3),
    "estimate_templates": lambda rec: xephys.estimate_templates(
        xephys.bandpass_filter(rec), true_spikes(), peak_channels=truth().peak_channels, n_nearest=6
    ),
    "detect_bad_channels": xephys.detect_bad_channels,
    "estimate_whitening": lambda rec: xephys.estimate_whitening(xephys.bandpass_filter(rec), n_nearest=4),
}
