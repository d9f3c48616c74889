"""Parameters of the preset ``rt_sort``: the names and defaults of RT-Sort, with units and limits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Fraction = Annotated[float, Field(ge=0, le=1)]

#: Defaults that depend on the probe, as in RT-Sort.
BY_PROBE: Mapping[str, Mapping[str, float]] = {
    "mea": {
        "max_latency_diff_spikes": 3.5,
        "max_latency_diff_sequences": 3.5,
        "max_amp_median_diff_spikes": 0.65,
        "max_amp_median_diff_sequences": 0.65,
        "max_root_amp_median_std_sequences": float("inf"),
    },
    "neuropixels": {
        "max_latency_diff_spikes": 2.5,
        "max_latency_diff_sequences": 2.5,
        "max_amp_median_diff_spikes": 0.45,
        "max_amp_median_diff_sequences": 0.45,
        "max_root_amp_median_std_sequences": 2.5,
    },
}


class RTSortParameters(BaseModel):
    """Parameters of ``preset="rt_sort"`` and of :func:`xephys.realtime.detect_sequences`."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    #: Units of parameters whose names do not contain them, for tables.
    UNITS: ClassVar[dict[str, str]] = {
        **dict.fromkeys(("ms_before", "ms_after", "repeated_detection_overlap_time"), "ms"),
        **dict.fromkeys(("inner_radius", "outer_radius"), "µm"),
        **dict.fromkeys(("max_latency_diff_spikes", "max_latency_diff_sequences"), "samples"),
        "relocate_root_max_latency": "samples",
        "candidate_threshold": "noise",
    }

    probe: Literal["auto", "mea", "neuropixels"] = Field(
        "auto", description="network and defaults; 'auto': the one trained at the nearest sampling rate"
    )
    model_path: str | None = Field(None, description="file of a network of yours, instead of that of the probe")
    freq_min_hz: float = Field(300.0, gt=0, description="lower corner of the band")
    freq_max_hz: float = Field(6000.0, gt=0, description="upper corner of the band; at most 0.45 of the rate")
    detection_window_s: float | None = Field(
        None, gt=0, description="learn sequences from this much of the beginning; from everything if not given"
    )
    stringent_thresh: float | None = Field(
        None, gt=0, lt=1, description="smallest probability of a root; the network's own if not given"
    )
    loose_thresh: float | None = Field(
        None, gt=0, lt=1, description="smallest probability on a channel around; the network's own if not given"
    )
    candidate_threshold: float | None = Field(None, gt=0, description="size of a candidate; the network's if not given")
    ms_before: float = Field(0.5, gt=0, le=2, description="detections of one spike lie at most this long before a root")
    ms_after: float = Field(0.5, gt=0, le=2, description="and this long after; the larger of the two is used")
    inner_radius: float = Field(50.0, gt=0, description="range in which one root is chosen")
    outer_radius: float = Field(100.0, gt=0, description="range of the channels of a sequence")
    n_channels_max: int = Field(16, ge=2, le=64, description="number of channels of a sequence, the nearest ones")
    min_elecs_for_array_noise: int | None = Field(
        None, ge=1, description="an event on this many channels is noise; a tenth, and at least 100, if not given"
    )
    min_elecs_for_seq_noise: int | None = Field(
        None, ge=1, description="a sequence on this many channels is noise; a twentieth, and at least 300, if not given"
    )
    min_activity_root_cocs: int = Field(2, ge=1, description="smallest number of spikes of a root")
    min_activity_hz: float = Field(0.05, ge=0, description="smallest rate of a root")
    max_n_components_latency: int = Field(4, ge=1, le=10, description="components of a mixture of latencies")
    max_n_components_amp: int = Field(4, ge=1, le=20, description="rounds of splitting by amplitudes")
    min_coc_n: int = Field(10, ge=4, description="smallest number of spikes of a cluster")
    min_coc_p: float = Field(10.0, ge=0, le=100, description="smallest share of the spikes of a mixture, percent")
    min_extend_comp_p: float = Field(
        50.0, ge=0, le=100, description="latencies are compared where this share of spikes is detected, percent"
    )
    elec_patience: int = Field(6, ge=1, description="number of channels without a split after which comparison ends")
    split_coc_clusters_amps: bool = Field(True, description="whether to split by amplitudes")
    min_amp_dist_p: float = Field(
        0.1, gt=0, lt=1, description="largest probability of a gap in one group, below which it is two"
    )
    min_loose_elec_prob: Fraction = Field(0.03, description="smallest mean probability of a channel of a sequence")
    min_inner_loose_detections: int = Field(
        3, ge=1, description="smallest number of detections within the inner radius"
    )
    min_loose_detections_n: int = Field(4, ge=1, description="smallest number of detections")
    min_loose_detections_r_spikes: Fraction = Field(1 / 3, description="smallest share of the channels of a sequence")
    min_loose_detections_r_sequences: Fraction = Field(1 / 3, description="smallest share of channels of two sequences")
    max_latency_diff_spikes: float | None = Field(None, gt=0, description="mean difference from a sequence; by probe")
    max_latency_diff_sequences: float | None = Field(None, gt=0, description="the same for two sequences; by probe")
    max_amp_median_diff_spikes: float | None = Field(
        None, gt=0, description="relative difference of amplitudes from a sequence; by probe"
    )
    max_amp_median_diff_sequences: float | None = Field(None, gt=0, description="the same for two; by probe")
    max_root_amp_median_std_spikes: float = Field(
        2.5, gt=0, allow_inf_nan=True, description="difference on the root in its standard deviations"
    )
    max_root_amp_median_std_sequences: float | None = Field(
        None, gt=0, allow_inf_nan=True, description="the same for two sequences; by probe"
    )
    repeated_detection_overlap_time: float = Field(0.2, gt=0, le=2, description="closer roots are one spike")
    min_seq_spikes_n: int = Field(10, ge=2, description="smallest number of spikes of a sequence")
    min_seq_spikes_hz: float = Field(0.05, ge=0, description="smallest rate of a sequence")
    relocate_root_min_amp: float = Field(0.8, gt=0, le=1, description="size of a root relative to the largest channel")
    relocate_root_max_latency: float = Field(
        -2.0, le=0, description="earliest time of a root before the largest channel"
    )
    follow: float = Field(
        0.02, ge=0, lt=1, description="weight of a spike in the moving averages that follow drift; 0: none"
    )
    ms_waveform_before: float = Field(1.0, gt=0, le=5, description="mean waveform before a spike, ms")
    ms_waveform_after: float = Field(2.0, gt=0, le=5, description="mean waveform after a spike, ms")
    contamination_max: float = Field(0.2, gt=0, description="largest contamination of a good unit")
    good_snr_min: float = Field(4.0, ge=0, description="smallest signal-to-noise ratio of a good unit")
    seed: int = Field(0, ge=0, description="seed of every random choice")

    @model_validator(mode="after")
    def _in_order(self) -> RTSortParameters:
        for low, high in (("freq_min_hz", "freq_max_hz"), ("inner_radius", "outer_radius")):
            if getattr(self, low) > getattr(self, high):
                raise ValueError(f"{low} is {getattr(self, low):g}, above {high}, {getattr(self, high):g}")
        if self.stringent_thresh and self.loose_thresh and self.loose_thresh > self.stringent_thresh:
            raise ValueError(
                f"loose_thresh is {self.loose_thresh:g}, above stringent_thresh, {self.stringent_thresh:g}"
            )
        return self

    @property
    def n_passes(self) -> int:
        """Number of passes over the recording that collect events."""
        return 1

    @property
    def band_hz(self) -> tuple[float, float]:
        """Corner frequencies of the band in which spikes are sorted."""
        return self.freq_min_hz, self.freq_max_hz

    def template_window(self, sampling_frequency: float) -> tuple[int, int]:
        """Number of samples of a template before its spike, and in total."""
        before, after = (
            round(ms * 1e-3 * sampling_frequency) for ms in (self.ms_waveform_before, self.ms_waveform_after)
        )
        return before, before + after

    def limit(self, name: str, sampling_frequency: float) -> float:
        """A limit that is given, or the one of the probe."""
        given = getattr(self, name)
        return float(BY_PROBE[self.network_name(sampling_frequency)][name] if given is None else given)

    def network_name(self, sampling_frequency: float) -> str:
        """The network of this project to use."""
        from ...detect.weights import nearest_network

        return nearest_network(sampling_frequency) if self.probe == "auto" else self.probe

    def learning(self, n_channels: int) -> dict[str, Any]:
        """The settings of :func:`xephys.kernels.realtime.learn.learn_sequences`."""
        names = (
            "min_activity_root_cocs", "min_activity_hz", "max_n_components_latency", "max_n_components_amp",
            "min_coc_n", "elec_patience", "split_coc_clusters_amps", "min_amp_dist_p", "min_seq_spikes_n",
            "min_seq_spikes_hz", "relocate_root_min_amp", "relocate_root_max_latency",
        )  # fmt: skip
        n_noise = max(300, n_channels // 20) if self.min_elecs_for_seq_noise is None else self.min_elecs_for_seq_noise
        return {
            **{name: getattr(self, name) for name in names},
            "min_coc_p": self.min_coc_p / 100,
            "min_extend_comp_p": self.min_extend_comp_p / 100,
            "min_elecs_for_seq_noise": n_noise,
        }
