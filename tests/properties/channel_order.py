"""Every public operation that takes an estimate beside a recording, called with estimates of :func:`recording`.

Append a line to put another operation under the property of ``test_channel_order.py``. The operations of
``operations.py`` are under it too.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from tempfile import mkdtemp
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

import xephys
from xephys.realtime import detect_sequences, sort_offline, sort_stim

from .operations import fitted, peaks, recording, sorted_truth, true_spikes


def filtered(rec: xr.DataArray) -> xr.DataArray:
    return xephys.bandpass_filter(rec)


def white(rec: xr.DataArray) -> xr.DataArray:
    """White traces of channels in any order, by the same whitening."""
    names = fitted()["whitening"].channel.values
    return xephys.whiten(filtered(rec).sel(channel=names), whitening=fitted()["whitening"]).sel(channel=rec.channel)


@cache
def clustered() -> dict[str, Any]:
    """Spikes with projections, as clustering takes them."""
    found = xephys.project_peaks(
        filtered(recording()), peaks(recording()), components=fitted()["components"], n_nearest=4
    )
    return {"projected": xephys.localize_peaks(filtered(recording()), found).compute()}


@cache
def analyzed() -> xr.DataTree:
    return xephys.analyze(sorted_truth(), filtered(recording()), ["templates"])


@cache
def sequences() -> xr.Dataset:
    return detect_sequences(recording())


@cache
def learned() -> xr.DataTree:
    return xephys.sort(recording())


@cache
def raw_levels() -> xr.DataArray:
    """Noise levels as sequences are learned with."""
    traces = xephys.gaussian_filter(recording(), freq_min_hz=300.0, freq_max_hz=6000.0)
    return xephys.estimate_noise_levels(traces)


def of_channels(*values: Any) -> xr.DataArray:
    """Values that differ from channel to channel, labelled."""
    return xr.DataArray(np.array(values), dims="channel", coords={"channel": recording().channel.values})


MARKS = of_channels(False, True, False, False, False, True, False, False)


def series() -> pd.Series:
    names = recording().channel.values.tolist()
    return pd.Series(MARKS.values, index=pd.Index(names))


def written(export: Callable[..., Any], rec: xr.DataArray, **more: Any) -> None:
    export(sorted_truth(), mkdtemp() + "/out", recording=rec, **more)


#: Calls by the operation, and what is given beside the recording.
CALLS: dict[tuple[str, str], Callable[[xr.DataArray], Any]] = {
    ("scale", "gain"): lambda rec: xephys.scale(rec, gain=of_channels(*np.arange(1.0, 9.0))),
    ("scale", "offset"): lambda rec: xephys.scale(rec, offset=of_channels(*np.arange(1.0, 9.0))),
    ("phase_shift", "inter_sample_shift"): lambda rec: xephys.phase_shift(
        rec, inter_sample_shift=of_channels(*np.linspace(0.0, 0.9, 8))
    ),
    ("common_reference", "groups"): lambda rec: xephys.common_reference(
        rec, groups=of_channels(0, 0, 0, 1, 1, 0, 1, 1), n_channels_min=2
    ),
    ("common_reference", "noise_levels"): lambda rec: xephys.common_reference(
        filtered(rec), noise_levels=fitted()["noise"], quiet_threshold=1.0
    ),
    ("common_reference", "reference_channel_ids"): lambda rec: xephys.common_reference(
        rec, reference_channel_ids=recording().channel.values[:3]
    ),
    ("mark_bad_channels", "bad"): lambda rec: xephys.mark_bad_channels(rec, MARKS).bad,
    ("drop_bad_channels", "bad"): lambda rec: xephys.drop_bad_channels(rec, MARKS).astype("f4"),
    ("interpolate_bad_channels", "bad"): lambda rec: xephys.interpolate_bad_channels(rec, bad=MARKS),
    ("mark_bad_channels", "bad in a Series"): lambda rec: xephys.mark_bad_channels(rec, series()).bad,
    ("scale", "gain in a Series"): lambda rec: xephys.scale(rec, gain=series() + 1.0),
    ("select_channels", "channel_ids"): lambda rec: xephys.select_channels(rec, recording().channel.values[[4, 1]]),
    ("pad_channels", "channel_ids"): lambda rec: xephys.pad_channels(
        rec.isel(channel=slice(0, 6)), channel_ids=recording().channel.values
    ).isel(time=slice(0, 0)),
    ("center", "statistics"): lambda rec: xephys.center(rec, statistics=fitted()["statistics"]),
    ("zscore", "statistics"): lambda rec: xephys.zscore(rec, statistics=fitted()["statistics"]),
    ("normalize_by_quantile", "statistics"): lambda rec: xephys.normalize_by_quantile(
        rec, statistics=fitted()["statistics"]
    ),
    ("correct_lsb", "lsb"): lambda rec: xephys.correct_lsb(4 * rec, lsb=xephys.estimate_lsb(4 * recording())),
    ("whiten", "whitening"): lambda rec: xephys.whiten(filtered(rec), whitening=fitted()["whitening"]),
    ("whiten", "whitening of all channels"): lambda rec: xephys.whiten(
        filtered(rec), whitening=fitted()["whitening global"]
    ),
    ("blank_common_artifacts", "noise_levels"): lambda rec: xephys.blank_common_artifacts(
        filtered(rec), noise_levels=fitted()["noise"], threshold=3.0, channel_fraction=0.25
    ),
    ("blank_noisy_stretches", "noise_levels"): lambda rec: xephys.blank_noisy_stretches(
        filtered(rec), noise_levels=fitted()["noise"], factor=1.2, window_ms=2.0, guard_ms=1.0
    ),
    # Noise is drawn by position, so its level alone follows.
    ("silence_periods", "noise_levels"): lambda rec: np.log2(
        xephys.silence_periods(
            rec.astype("f4"), periods_s=[(0.0, 2.5)], noise_levels=of_channels(*(2.0 ** np.arange(6, 14)))
        ).std("time")
    ).round(),
    ("subtract_artifacts", "artifacts"): lambda rec: xephys.subtract_artifacts(
        rec, trigger_times_s=[0.3, 0.9999, 1.0001, 2.4], artifacts=fitted()["artifacts"]
    ),
    ("correct_motion", "motion"): lambda rec: xephys.correct_motion(
        filtered(rec), motion=xephys.make_motion([[5.0], [-7.0]], time_s=[0.3, 2.5], depth_um=[0])
    ),
    ("detect_peaks", "noise_levels"): lambda rec: xephys.detect_peaks(filtered(rec), noise_levels=fitted()["noise"]),
    ("detect_peaks", "matched_filter"): lambda rec: xephys.detect_peaks(
        filtered(rec), method="matched_filtering", matched_filter=fitted()["matched filter"]
    ),
    ("detect_by_network", "noise_levels"): lambda rec: xephys.detect_by_network(
        filtered(rec), noise_levels=fitted()["noise"], peak_sign="both"
    ),
    ("learn_peak_waveforms", "noise_levels"): lambda rec: xephys.learn_peak_waveforms(
        filtered(rec), peaks(recording()), noise_levels=fitted()["noise"], n_waveforms=2
    ),
    ("refine_peak_times", "waveforms"): lambda rec: xephys.refine_peak_times(
        filtered(rec), peaks(recording()), waveforms=fitted()["peak waveforms"]
    ),
    ("detect_codetections", "noise_levels"): lambda rec: xephys.detect_codetections(
        filtered(rec), noise_levels=fitted()["noise"], loose_thresh=0.1
    ),
    ("detect_by_subtraction", "noise_levels"): lambda rec: xephys.detect_by_subtraction(
        filtered(rec), denoiser=fitted()["denoiser"], noise_levels=fitted()["noise"], energy_threshold=60.0
    ),
    ("subtraction_residual", "noise_levels"): lambda rec: xephys.subtraction_residual(
        filtered(rec), denoiser=fitted()["denoiser"], noise_levels=fitted()["noise"], energy_threshold=60.0
    ),
    ("localize_peaks", "peaks"): lambda rec: xephys.localize_peaks(filtered(rec), peaks(recording())),
    ("project_peaks", "peaks"): lambda rec: xephys.project_peaks(
        filtered(rec), peaks(recording()), components=fitted()["components"]
    ),
    ("extract_snippets", "peaks"): lambda rec: xephys.extract_snippets(filtered(rec), peaks(recording())),
    ("learn_components", "peaks"): lambda rec: xephys.learn_components(filtered(rec), peaks(recording())),
    ("learn_denoiser", "peaks"): lambda rec: xephys.learn_denoiser(filtered(rec), peaks(recording()), rank=3),
    ("detect_universal", "templates"): lambda rec: xephys.detect_universal(
        white(rec), templates=fitted()["universal"], detect_threshold=6.0
    ),
    ("match_templates", "templates"): lambda rec: xephys.match_templates(
        filtered(rec), templates=fitted()["templates"]
    ),
    ("match_residual", "templates"): lambda rec: xephys.match_residual(filtered(rec), templates=fitted()["templates"]),
    ("estimate_noise_gain", "templates"): lambda rec: xephys.estimate_noise_gain(
        filtered(rec), templates=fitted()["templates"]
    ),
    ("balance_thresholds", "templates"): lambda rec: xephys.balance_thresholds(
        filtered(rec),
        xephys.match_templates(filtered(recording()), templates=fitted()["templates"]).compute(),
        templates=fitted()["templates"],
    ),
    ("make_sorting", "templates"): lambda rec: xephys.make_sorting(
        true_spikes(), recording=rec, templates=fitted()["templates"]
    ),
    ("make_sorting", "noise_levels"): lambda rec: xephys.make_sorting(
        true_spikes(),
        recording=rec,
        templates=xephys.estimate_templates(filtered(rec), true_spikes(), n_nearest=8),
        noise_levels=fitted()["noise"],
    )["units"]["snr"].to_dataset(),
    ("whiten_like", "learned"): lambda rec: xephys.whiten_like(rec, learned=learned()),
    ("sort", "learned"): lambda rec: xephys.sort(rec, learned=learned()),
    ("analyze", "sorting"): lambda rec: xephys.analyze(sorted_truth(), filtered(rec), ["templates"]),
    ("extract_waveforms", "sorting"): lambda rec: xephys.extract_waveforms(sorted_truth(), filtered(rec)),
    ("compute_quality_metrics", "sorting"): lambda rec: xephys.compute_quality_metrics(
        sorted_truth(), filtered(rec), ["snr"]
    ),
    ("compute_template_metrics", "sorting"): lambda rec: xephys.compute_template_metrics(sorted_truth(), filtered(rec)),
    ("to_spikeinterface_analyzer", "sorting"): lambda rec: xephys.to_spikeinterface_analyzer(
        analyzed(), filtered(rec)
    ),
    ("find_merges", "sorting"): lambda rec: xephys.curate.find_merges(sorted_truth(), filtered(rec)),
    ("merge_automatically", "sorting"): lambda rec: xephys.curate.merge_automatically(sorted_truth(), filtered(rec)),
    ("export_phy", "sorting"): lambda rec: written(xephys.export_phy, rec),
    ("export_kilosort", "sorting"): lambda rec: xephys.export_kilosort(
        learned(),
        mkdtemp() + "/ks",
        recording=rec,
        whitened=xephys.whiten_like(recording(), learned=learned()),
        pictures=False,
    ),
    ("export_kilosort", "whitened"): lambda rec: xephys.export_kilosort(
        learned(),
        mkdtemp() + "/ks",
        whitened=xephys.whiten_like(recording(), learned=learned()).sel(channel=rec.channel),
        pictures=False,
    ),
    ("export_nwb", "sorting"): lambda rec: xephys.export_nwb(
        sorted_truth(), mkdtemp() + "/a.nwb", recording=rec, session_start="2026-11-27T10:00+00:00"
    ),
    ("export_alf", "sorting"): lambda rec: written(xephys.export_alf, rec),
    ("export_cell_explorer", "sorting"): lambda rec: written(xephys.export_cell_explorer, rec),
    ("export_npz", "sorting"): lambda rec: written(xephys.export_npz, rec),
    ("export_mat", "sorting"): lambda rec: written(xephys.export_mat, rec),
    ("export_report", "sorting"): lambda rec: written(xephys.export_report, rec),
    ("plot_traces", "channel_ids"): lambda rec: xr.Dataset(
        {"drawn": ("line", [len(line.get_xdata()) for line in xephys.plot.plot_traces(rec, channel_ids=[4, 1]).lines])}
    ),
    ("sort_offline", "sequences"): lambda rec: sort_offline(rec, sequences()),
    ("detect_sequences", "noise_levels"): lambda rec: detect_sequences(rec, noise_levels=raw_levels())["noise_levels"],
    ("sort_stim", "sequences"): lambda rec: sort_stim(rec, sequences(), trigger_times_s=[0.5]),
}  # fmt: skip

#: Parameters whose values belong to no channel, or name channels by position, with the reason.
WITHOUT_CHANNELS: dict[str, str] = {
    "components": "courses in time, the same for every channel",
    "denoiser": "courses in time",
    "shapes": "courses in time",
    "network": "weights of a network that sees one channel at a time",
    "prototype": "a course in time",
    "motion": "displacements by shank and depth",
    "design": "numbers of a filter",
    "sos": "coefficients of a filter",
    "parameters": "settings",
    "settings": "settings",
    "extensions": "settings",
    "options": "settings",
    "sparsity": "settings",
    "steps": "functions and their arguments",
    "operations": "functions",
    "history": "text",
    "peaks": "computed records count channels by position and carry no names",
    "spikes": "computed records count channels by position and carry no names",
    "labels": "one for each spike or trigger",
    "peak_channels": "positions of channels",
    "match_threshold": "one for each template",
    "trigger_times_s": "times",
    "periods_s": "times",
    "threshold": "numbers by position, as an array without names",
    "sample_index": "samples",
    "segment_index": "segments",
    "times_s": "times",
    "units": "one for each unit",
    "unit_ids": "names of units",
    "ignore": "a name of units",
    "depth_um": "two depths",
    "shank": "a name of a shank",
    "group": "a name of a group",
    "dtype": "a type",
    "compressor": "a compressor",
    "subject": "text",
    "metadata": "text",
    "name": "a sorter",
    "remove_excess_spikes(sorting)": "of the recording, the length counts alone",
}
