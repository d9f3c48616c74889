"""What is sorted and how: the groups of input, sorter, waveforms, curation and compiled files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...errors import ParameterError
from .fields import Group, setting

#: Arguments of ``open_recording`` that are no reader options of a batch, and what to do instead.
_NO_READER_OPTIONS = {
    **dict.fromkeys(("stream_id", "gain_to_uv", "offset_to_uv"), "give the field of that name"),
    "chunk_duration_s": "it is chosen here, and smaller after a lack of memory",
    "trust": "a configuration must not make files run code; open the recording yourself, and give it for its path",
}


@dataclass(frozen=True)
class RecordingConfig(Group):
    """What is read of a file, and the band in which it is sorted."""

    stream_id: str | None = setting(None, doc="stream (well) of a file that holds several")
    hdf5_plugin_path: str | None = setting(None, doc="folder of the HDF5 filter that decompresses the file")
    first_n_mins: float | None = setting(None, "min", "sort only the start of the recording", low=0)
    start_time_s: float | None = setting(None, "s", "sort from here on, counted from the first sample", low=0)
    end_time_s: float | None = setting(None, "s", "sort up to here, counted from the first sample", low=0)
    rec_chunks: tuple[tuple[int, int], ...] = setting((), "samples", "epochs (start, stop), sorted jointly")
    rec_chunks_s: tuple[tuple[float, float], ...] = setting((), "s", "epochs (start, stop), sorted jointly")
    mea_y_max: float | None = setting(None, "um", "flip y to this value minus y; -1: to the largest y", low=-1)
    gain_to_uv: float | None = setting(None, "uV", "microvolts per count, instead of the file's")
    offset_to_uv: float | None = setting(None, "uV", "microvolts at zero counts, instead of the file's")
    reader_options: Mapping[str, Any] | None = setting(None, doc="other arguments of open_recording for all files")
    freq_min: float = setting(300.0, "Hz", "lower corner of the band-pass of waveforms and metrics", low=0)
    freq_max: float = setting(6000.0, "Hz", "upper corner of the band-pass of waveforms and metrics", low=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in self.reader_options or {}:
            if name in _NO_READER_OPTIONS:
                raise ParameterError(f"reader_options holds {name}; {_NO_READER_OPTIONS[name]}")
        if self.rec_chunks and self.rec_chunks_s:
            raise ParameterError("rec_chunks and rec_chunks_s are both given; give epochs in samples or in seconds")
        cut = [name for name in ("first_n_mins", "start_time_s", "end_time_s") if getattr(self, name) is not None]
        if cut and (self.rec_chunks or self.rec_chunks_s):
            raise ParameterError(f"{cut[0]} and epochs are both given; the epochs alone say what is sorted")
        if self.first_n_mins is not None and len(cut) > 1:
            raise ParameterError(f"first_n_mins and {cut[1]} are both given; give one of them")
        if None not in (self.start_time_s, self.end_time_s) and not (self.start_time_s or 0) < (self.end_time_s or 0):
            raise ParameterError(f"start_time_s={self.start_time_s} is not before end_time_s={self.end_time_s}")
        for name in ("rec_chunks", "rec_chunks_s"):
            for start, stop in getattr(self, name):
                if not 0 <= start < stop:
                    raise ParameterError(f"{name} holds ({start:g}, {stop:g}); an epoch starts at 0 or later, and ends")
        if not self.freq_min < self.freq_max:
            raise ParameterError(f"freq_min={self.freq_min:g} Hz is not below freq_max={self.freq_max:g} Hz")


@dataclass(frozen=True)
class SorterConfig(Group):
    """Which sorter runs, in the only place that says so."""

    sorter_name: str = setting("default", doc="name in the table of back-ends")
    sorter_path: str | None = setting(None, doc="folder of a sorter written in MATLAB")
    sorter_params: Mapping[str, Any] | None = setting(None, doc="parameters of the sorter, over its defaults")
    use_docker: bool = setting(False, doc="run the sorter in its container")


@dataclass(frozen=True)
class RTSortConfig(Group):
    """Parameters of the sorter ``rt_sort``, which follows spikes as they travel along axons."""

    model_path: str | None = setting(None, doc="file (.npz) of a detection network of yours; None: that of the probe")
    probe: str = setting("mea", doc="kind of probe", choices=("mea", "neuropixels"))
    device: str = setting("cuda", doc="accepted; the detector runs where the sorter's passes do")
    num_processes: int | None = setting(None, instead="threads share the work; see n_jobs")
    recording_window_ms: tuple[float, float] | None = setting(
        None, "ms", instead="start_time_s and end_time_s choose the part that is sorted"
    )
    save_rt_sort_pickle: bool = setting(True, instead="xephys.realtime keeps learned sequences, as data")
    delete_inter: bool = setting(False, instead="the field of the same name in execution removes intermediate files")
    verbose: bool = setting(True, instead="a function given as progress is told about every chunk")
    params: Mapping[str, Any] | None = setting(None, doc="parameters of the sorter, over those of the probe")
    detection_window_s: float | None = setting(None, "s", "learn sequences from this long a start", low=0)


@dataclass(frozen=True)
class WaveformConfig(Group):
    """Waveforms around spikes, from which templates and metrics follow."""

    ms_before: float = setting(2.0, "ms", "start of a waveform before the spike", low=0.1)
    ms_after: float = setting(2.0, "ms", "end of a waveform after the spike", low=0.1)
    pos_peak_thresh: float = setting(
        2.0, doc="a unit is positive if its maximum exceeds this multiple of its minimum", low=0
    )
    max_waveforms_per_unit: int = setting(300, doc="spikes whose waveforms are averaged, drawn at random", low=1)
    compiled_ms_before: float = setting(2.0, "ms", "start of a template in compiled files", low=0.1)
    compiled_ms_after: float = setting(2.0, "ms", "end of a template in compiled files", low=0.1)
    scale_compiled_waveforms: bool = setting(True, doc="compile in microvolts; if false, in counts of the file")
    std_at_peak: bool = setting(True, doc="judge the spread of waveforms at the peak; if false, over the window below")
    std_over_window_ms_before: float = setting(0.5, "ms", "start of that window before the peak", low=0)
    std_over_window_ms_after: float = setting(1.5, "ms", "end of that window after the peak", low=0)
    streaming: bool = setting(True, instead="waveforms are always read chunk by chunk, once for all units")
    save_waveform_files: bool = setting(
        True, instead="templates and spreads are kept, and xephys.extract_waveforms reads waveforms when wanted"
    )


@dataclass(frozen=True)
class CurationConfig(Group):
    """Limits for units, in two stages; None switches a rule off."""

    curate_first: bool = setting(True, doc="remove units with too few spikes (spikes_min_first)")
    curate_second: bool = setting(True, doc="remove units that break one of the other limits")
    curation_epoch: int | None = setting(None, doc="number of the epoch on which units are judged; None: all", low=0)
    fr_min: float | None = setting(0.05, "Hz", "minimum firing rate", low=0)
    isi_viol_max: float | None = setting(
        0.01, "fraction", "maximum of the violations: 0.01 is one spike in a hundred", low=0, high=1
    )
    isi_violation_method: str = setting(
        "percent", doc="share of short intervals, or contamination after Hill", choices=("percent", "hill")
    )
    snr_min: float | None = setting(5.0, doc="minimum amplitude as a multiple of the channel's noise", low=0)
    spikes_min_first: int | None = setting(30, "spikes", "minimum in the first stage", low=0)
    spikes_min_second: int | None = setting(50, "spikes", "minimum in the second stage", low=0)
    std_norm_max: float | None = setting(1.0, doc="maximum spread of waveforms, as a share of the amplitude", low=0)


@dataclass(frozen=True)
class CompilationConfig(Group):
    """Files that hold the units in the form in which other programs expect them."""

    compile_single_recording: bool = setting(True, doc="write compiled files")
    compile_to_mat: bool = setting(False, doc="write sorted.mat")
    compile_to_npz: bool = setting(True, doc="write sorted.npz, without pickles")
    compile_waveforms: bool = setting(False, doc="write the template of each unit, by polarity")
    save_electrodes: bool = setting(True, doc="add the electrode of each unit")
    save_spike_times: bool = setting(True, doc="add the spike train of each unit")
    save_raw_pkl: bool = setting(
        False, doc="write sorted_spikedata.pkl with all units too; a pickle can run code where it is loaded"
    )
    save_dl_data: bool = setting(False, doc="add channels, polarity, amplitudes and spreads of each unit")
    include_failed_units: bool = setting(False, doc="compile units that curation removed, too")
