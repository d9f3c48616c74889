"""Names used by SpikeInterface and Kilosort and their equivalents here, for error messages and documentation."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class ForeignName(NamedTuple):
    """A parameter of another system.

    Attributes
    ----------
    name
        Its name in that system.
    ours
        Candidates for its name here, in order; the first that the function has is suggested.
    note
        What to do instead if there is no equivalent, or how the values differ.
    """

    name: str
    ours: tuple[str, ...]
    note: str = ""


#: Parameters of SpikeInterface's functions.
SPIKEINTERFACE = (
    ForeignName("freq_min", ("freq_min_hz",)),
    ForeignName("freq_max", ("freq_max_hz",)),
    ForeignName("freq", ("freq_hz",)),
    ForeignName("q", ("quality",)),
    ForeignName("filter_order", ("order", "filter_order")),
    ForeignName("margin_ms", ("tolerance",), "the halo follows from the filter; tolerance sets its accuracy"),
    ForeignName("coeff", ("sos",)),
    ForeignName("ref_channel_ids", ("groups",), "references are medians or averages over groups of channels"),
    ForeignName("local_radius", ("inner_radius_um",), "inner_radius_um and outer_radius_um are two parameters"),
    ForeignName("radius_um", ("exclude_radius_um", "outer_radius_um", "n_nearest")),
    ForeignName("exclude_radius", ("radius_um", "exclude_radius_um")),
    ForeignName("exclude_sweep_size", ("exclude_sweep_ms",)),
    ForeignName("local_radius_um", ("radius_um", "exclude_radius_um")),
    ForeignName("ms_before", ("ms_before",)),
    ForeignName("ms_after", ("ms_after",)),
    ForeignName("nbefore", ("ms_before",), "in milliseconds"),
    ForeignName("nafter", ("ms_after",), "in milliseconds"),
    ForeignName("max_spikes_per_unit", ("n_spikes_max",)),
    ForeignName("num_spikes", ("n_spikes_max",)),
    ForeignName("W", ("whitening",), "a labelled matrix, from estimate_whitening"),
    ForeignName("apply_mean", (), "no mean is subtracted: the filter has already removed it"),
    ForeignName("regularize", ("regularization",)),
    ForeignName("random_chunk_kwargs", ("excerpts", "seed"), "stretches come from sample_traces"),
    ForeignName("num_chunks_per_segment", ("n_slices",)),
    ForeignName("num_random_chunks", ("n_slices",)),
    ForeignName("chunk_size", ("chunk_duration_s", "slice_duration_s"), "in seconds"),
    ForeignName("chunk_duration", ("chunk_duration_s", "slice_duration_s"), "a number of seconds"),
    ForeignName(
        "bad_channel_ids", ("bad", "channel_ids"), "a mask or labels; a mask of ids is recording.channel.isin(ids)"
    ),
    ForeignName("std_mad_threshold", ("std_factor",)),
    ForeignName("psd_hf_threshold", ("psd_threshold_uv2_hz",)),
    ForeignName("dead_channel_threshold", ("dead_threshold",)),
    ForeignName("noisy_channel_threshold", ("noisy_threshold",)),
    ForeignName("outside_channel_threshold", ("outside_threshold",)),
    ForeignName("sigma_um", ("sigma_um",)),
    ForeignName("start_time", ("start_s",)),
    ForeignName("end_time", ("stop_s",)),
    ForeignName("start_frame", ("start_s",), "or recording.isel(time=slice(start, stop)) for samples"),
    ForeignName("end_frame", ("stop_s",), "or recording.isel(time=slice(start, stop)) for samples"),
    ForeignName("time_range", ("start_s",), "start_s and duration_s are two parameters"),
    ForeignName("t_start", ("start_s",)),
    ForeignName("t_starts", ("start_s",)),
    ForeignName("segment_index", ("segment",)),
    ForeignName("block_index", ("segment",)),
    ForeignName("stream_name", ("stream_id",)),
    ForeignName("file_path", ("path",)),
    ForeignName("file_paths", ("path",)),
    ForeignName("folder_path", ("path",)),
    ForeignName("output_folder", ("folder", "path")),
    ForeignName("save_path", ("path",)),
    ForeignName("num_channels", ("n_channels",)),
    ForeignName("num_chan", ("n_channels",)),
    ForeignName("num_units", ("n_units",)),
    ForeignName("durations", ("duration_s",)),
    ForeignName("duration", ("duration_s",)),
    ForeignName("gain_to_uV", ("gain_to_uv", "coordinates")),
    ForeignName("offset_to_uV", ("offset_to_uv", "coordinates")),
    ForeignName("return_scaled", (), "to_uv(recording) gives microvolts"),
    ForeignName("return_in_uV", (), "to_uv(recording) gives microvolts"),
    ForeignName("traces_list", ("data",)),
    ForeignName("sorter_name", ("preset",)),
    ForeignName("remove_existing_folder", ("overwrite",), "a folder is resumed; give another one to start afresh"),
    ForeignName("remove_if_exists", ("overwrite",)),
    ForeignName("verbose", ("progress",)),
    ForeignName("progress_bar", ("progress",)),
    ForeignName("docker_image", (), "run_sorter and run_sorters run a sorter in a container; presets need none"),
    ForeignName("n_jobs", (), "Dask schedules: dask.config.set(num_workers=n), or a distributed client"),
    ForeignName("total_memory", (), "Dask schedules; chunk_duration_s of open_recording sets how much a task holds"),
    ForeignName("mp_context", (), "Dask schedules; for processes, start a distributed client"),
    ForeignName("pool_engine", (), "Dask schedules; for processes, start a distributed client"),
    ForeignName("job_kwargs", (), "Dask schedules: dask.config.set(num_workers=n), or a distributed client"),
    ForeignName("delta_time", ("delta_ms",)),
    ForeignName("sorting1", ("tested",)),
    ForeignName("sorting2", ("truth",)),
    ForeignName("gt_sorting", ("truth",)),
    ForeignName("tested_sorting", ("tested",)),
    ForeignName("sorting_analyzer", ("sorting",)),
    ForeignName("copy_binary", ("recording",), "the traces are copied where a recording is given"),
    ForeignName("ax", ("ax",)),
    ForeignName("order_channel_by_depth", (), "channels are drawn in order of depth"),
    ForeignName("backend", (), "figures are Matplotlib's"),
    ForeignName("clim", ("spacing",)),
)
#: Parameters of Kilosort4 and their equivalents in the preset ``default`` and in functions. The preset ``kilosort4``
#: keeps their original names.
KILOSORT = (
    ForeignName("fs", ("sampling_frequency",)),
    ForeignName("n_chan_bin", ("n_channels",)),
    ForeignName("filename", ("path",)),
    ForeignName("data_dir", ("path",)),
    ForeignName("results_dir", ("folder", "path")),
    ForeignName("probe_name", ("probe",)),
    ForeignName("settings", (), "give each parameter by its name: sort(recording, preset='kilosort4', Th_learned=8)"),
    ForeignName("batch_size", ("chunk_duration_s",), "in seconds, where the recording is opened"),
    ForeignName("Th_universal", ("detect_threshold",)),
    ForeignName("Th_learned", ("match_threshold",)),
    ForeignName("Th_single_ch", ("detect_threshold",)),
    ForeignName("nblocks", ("drift",), "'follow', 'interpolate' or 'off'"),
    ForeignName("highpass_cutoff", ("freq_min_hz",)),
    ForeignName("do_CAR", ("reference",), "'median', 'average' or 'none'"),
    ForeignName("whitening_range", ("whitening_n_nearest", "n_nearest")),
    ForeignName("nearest_chans", ("n_nearest",)),
    ForeignName("n_pcs", ("n_components",)),
    ForeignName("nt", ("ms_before",), "ms_before and ms_after, in milliseconds"),
    ForeignName("nt0min", ("ms_before",), "in milliseconds"),
    ForeignName("acg_threshold", ("contamination_max",)),
    ForeignName("cluster_init_seed", ("seed",)),
    ForeignName("bad_channels", ("bad",), "mark them on the recording: mark_bad_channels"),
    ForeignName("invert_sign", ("peak_sign",), "or scale(recording, gain=-1)"),
    ForeignName("tmin", ("start_s",), "or sort a part: time_slice(recording, start_s, stop_s)"),
    ForeignName("tmax", ("stop_s",), "or sort a part: time_slice(recording, start_s, stop_s)"),
    ForeignName("save_preprocessed_copy", (), "save_recording writes any recording"),
    ForeignName("clear_cache", (), "memory is bounded by the chunks"),
)
#: Parameter values whose names differ.
VALUES = {
    "kilosort": "kilosort4", "ks4": "kilosort4", "kilosort2": "kilosort4", "kilosort2_5": "kilosort4",
    "kilosort3": "kilosort4", "negative": "neg", "positive": "pos", "mean": "average", "car": "median",
    "monopolar": "monopolar_triangulation", "gpu": "cuda", "matched_filtering": "matched_filter", "single": "none",
}  # fmt: skip

_BY_NAME = {row.name: row for row in (*KILOSORT, *SPIKEINTERFACE)}


def our_name(name: str, known: Iterable[str]) -> str | None:
    """The equivalent among ``known`` of a name or value of another system; None if there is none.

    Examples
    --------
    >>> our_name("freq_min", ["freq_min_hz", "freq_max_hz"]), our_name("ks4", ["default", "kilosort4"])
    ('freq_min_hz', 'kilosort4')
    """
    here = list(known)
    row = _BY_NAME.get(name)
    candidates = (*(row.ours if row else ()), VALUES.get(str(name).lower(), ""))
    return next((candidate for candidate in candidates if candidate in here), None)


def note_on(name: str) -> str:
    """Advice on a name of another system; empty if there is none."""
    return _BY_NAME[name].note if name in _BY_NAME else ""
