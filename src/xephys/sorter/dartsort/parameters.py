"""Parameters of the preset ``dartsort``: the fields of that system's configuration, with its names and limits."""

from __future__ import annotations

import os
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from ...checks import hint_for
from ...errors import ParameterError
from ..default.parameters import DefaultParameters
from ..steps.tidy import Finish

#: Corner of the high-pass of both strategies that filter.
HIGHPASS_HZ = 300.0
#: An upper corner above every recording's: the strategies have none.
NO_LIMIT_HZ = 1e6
#: Threshold at which the residual of matching is searched for units that were missed.
MISSED_THRESHOLD = 4.5
#: Most temporal components of a feature; the denoiser may have more.
N_FEATURES_MAX = 20
#: Stands for amplitudes that do not vary.
AMPLITUDE_STD_MIN = 1e-4
Positive = Annotated[float, Field(gt=0)]
#: Length of a part of a spike's window: the slowest spikes end within a few milliseconds, and the denoiser holds a
#: square matrix of the window.
Milliseconds = Annotated[float, Field(gt=0, le=20)]
Strategy = Literal["none", "standardize", "ibllike", "ibllikecmr"]

#: How the descriptions of fields begin that are accepted without effect; what does their work follows.
IDLE = "accepted without effect: "
ALL_CHUNKS = f"{IDLE}every chunk is detected, so that no unit is missed"
WORKERS = f"{IDLE}the active Dask scheduler decides"
WRITTEN_ONCE = f"{IDLE}results are written once, into the folder"


class DARTsortUserConfig(BaseModel):
    """Configuration of dartsort: every field under its name, checked when it is made.

    Fields without a use here are accepted; their descriptions name what replaces them.

    Raises
    ------
    ParameterError
        If a field does not exist (the nearest is suggested), or a value is outside its limits.

    Examples
    --------
    >>> DARTsortUserConfig(voltage_threshold=4).voltage_threshold
    4.0
    >>> DARTsortUserConfig(voltage_treshold=4)
    Traceback (most recent call last):
    xephys.errors.ParameterError: DARTsortUserConfig has no field 'voltage_treshold'; did you mean 'voltage_threshold'?
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    #: Units of parameters whose names do not contain them, for tables.
    UNITS: ClassVar[dict[str, str]] = {
        **dict.fromkeys(("ms_before", "ms_after", "feature_ms_before", "feature_ms_after"), "ms"),
        **dict.fromkeys(
            ("voltage_threshold", "matching_threshold", "initial_threshold", "motion_voltage_threshold"), "noise"
        ),
        **dict.fromkeys(("amplitude_scaling_stddev", "amplitude_scaling_boundary"), "template"),
        "chunk_length_samples": "samples",
        "speed_limit_um_per_s": "µm/s",
        "median_neighborhood_bins": "bins",
    }

    do_motion_estimation: bool = Field(True, description="estimate the motion, and let the templates follow it")
    preprocessing: Strategy = Field(
        "none", description="steps before detection; none expects filtered and referenced traces"
    )
    already_preprocessed: Literal["yes", "no", "assume_yes_if_float"] = Field(
        "assume_yes_if_float", description="whether the steps of preprocessing were done before"
    )
    preprocessing_dtype: Literal["float16", "float32"] = Field(
        "float32",
        description=f"{IDLE}traces are float32 in every step, and kept in steps of 1/64 of the noise",
    )
    subsampling_spikes: int | None = Field(2_048_000, gt=0, description=ALL_CHUNKS)
    subsampling_spikes_per_channel: int | None = Field(5000, gt=0, description=ALL_CHUNKS)
    subsampling_presence: float = Field(0.1, gt=0, le=1, description=ALL_CHUNKS)
    matching_iterations: int = Field(1, ge=0, le=5, description="rounds of matching and clustering before the last one")
    dredge_only: bool = Field(False, description="stop after the motion: xephys.dartsort.dartsort does")
    n_jobs_cpu: int = Field(0, description=WORKERS)
    n_jobs_gpu: int = Field(0, description=WORKERS)
    n_jobs_small: int = Field(-2, description=WORKERS)
    n_jobs_small_gpu: int = Field(4, description=WORKERS)
    device: str | None = Field(None, description="None or cpu; passes on a GPU are those of preset default")
    executor: str = Field("threading_unless_multigpu", description=WORKERS)
    chunk_length_samples: int = Field(
        30_000, ge=1000, description=f"{IDLE}chunks are those of the recording, and change no result"
    )
    work_in_tmpdir: bool = Field(False, description="keep intermediate results in a temporary folder")
    copy_recording_to_tmpdir: bool | Literal["yes", "no", "if_preprocessing"] = Field(
        False, description=f"{IDLE}white traces are kept between passes (cache)"
    )
    workdir_copier: Literal["shutil", "rsync"] = Field("shutil", description=WRITTEN_ONCE)
    workdir_follow_symlinks: bool = Field(False, description=WRITTEN_ONCE)
    tmpdir_parent: str | None = Field(None, description="where the temporary folder is made")
    save_intermediates: bool = Field(False, description="leave finished passes in the output folder")
    save_final_features: bool = Field(True, description="write the features of matched spikes")
    ms_before: Milliseconds = Field(1.4, description="length of a spike's window before its trough")
    ms_after: Milliseconds = Field(2.6 + 0.1 / 3, description="length of a spike's window from its trough on")
    alignment_ms: Positive = Field(1.5, description=f"{IDLE}a cluster is aligned before it is averaged")
    deduplication_ms: Positive = Field(
        0.5,
        description="of two spikes of a unit within this time, the better one is kept",
    )
    peak_sign: Literal["neg", "both", "pos"] = Field("both", description="sign of the detected peaks")
    voltage_threshold: Positive = Field(3.0, description="smallest peak that is examined")
    matching_threshold: Positive = Field(8.0, description="root of the smallest energy that a matched spike explains")
    initial_threshold: Positive = Field(10.0, description="root of the smallest energy that a detected spike explains")
    motion_voltage_threshold: Positive = Field(4.0, description="smallest peak used for the motion")
    temporal_pca_rank: int = Field(8, ge=1, le=40, description="number of temporal components")
    feature_ms_before: Milliseconds = Field(0.75, description="length of a feature's window before its trough")
    feature_ms_after: Milliseconds = Field(1.25, description="length of a feature's window from its trough on")
    subtraction_radius_um: Positive = Field(200.0, description="radius around an event that is subtracted")
    deduplication_radius_um: Positive = Field(50.0, description="radius in which an event is not examined again")
    featurization_radius_um: Positive = Field(
        100.0, description="radius of an event's features, which are on 16 channels at most"
    )
    fit_radius_um: Positive = Field(75.0, description="radius around events from which components are learned")
    localization_radius_um: Positive = Field(100.0, description="radius of the channels that locate an event")
    nn_denoiser_class_name: Literal["SingleChannelWaveformDenoiser", "Decollider"] = Field(
        "Decollider",
        description=f"{IDLE}xephys.learn_denoiser gives the denoiser; train_single_channel and train_decollider "
        "of xephys.dartsort train networks",
    )
    nn_denoiser_pretrained_path: str | None = Field(
        None, description="refused: xephys.learn_denoiser gives the denoiser; Decollider.load reads weights"
    )
    amplitude_scaling_stddev: float = Field(0.01, ge=0, description="standard deviation of a spike's amplitude")
    amplitude_scaling_boundary: float = Field(
        1.0 / 3.0, ge=0, description="amplitudes are between 1/(1+b) and 1+b for this b"
    )
    temporal_upsamples: int = Field(
        4, ge=1, description=f"{IDLE}the matcher places each template between samples on its own"
    )
    agg_kind: Literal["qda", "template_distance", "none"] = Field(
        "qda",
        description="none: units are not merged after the last matching; otherwise they are if their shapes are equal "
        "up to size and their spikes keep a common refractory time",
    )
    postprocessing: Literal["agglomerate_and_clean", "agglomerate", "clean"] = Field(
        "agglomerate_and_clean",
        description="clean: as with agg_kind none; agglomerate: deduplication_ms is not applied",
    )
    spikeinterface_merge_preset: str | None = Field(
        None, description=f"{IDLE}xephys.curate.merge_units, after the sort"
    )
    fit_matching_models_only: bool = Field(False, description=f"{IDLE}a sort always matches the whole recording")
    save_full_final_residual: bool = Field(False, description=f"{IDLE}xephys.match_residual gives it lazily")
    rigid: bool = Field(False, description="one displacement for the whole probe")
    probe_boundary_padding_um: float = Field(100.0, ge=0, description="events farther outside the probe are dropped")
    spatial_bin_length_um: Positive = Field(1.0, description="depth of a bin of the motion raster")
    temporal_bin_length_s: Positive = Field(1.0, description="length of a bin of the motion raster")
    smoothing_um: Positive | None = Field(3.0, description="smoothing of the raster over depth; None: one bin")
    smoothing_s: Positive | None = Field(None, description="smoothing of the raster over time; None: one bin")
    window_step_um: Positive = Field(400.0, description="distance of the windows in which motion is estimated")
    window_scale_um: Positive = Field(600.0, description="size of these windows")
    window_margin_um: float | None = Field(None, description="distance of the windows from the ends of the probe")
    max_dt_s: Positive = Field(500.0, description="largest time between bins that are compared")
    max_disp_um: Positive | None = Field(None, description="largest displacement between two bins")
    correlation_threshold: float = Field(0.1, gt=0, lt=1, description="smallest correlation that is used")
    min_amplitude: float | None = Field(None, description="smallest amplitude of events used for the motion")
    speed_limit_um_per_s: Positive = Field(500.0, description="faster displacements are interpolated")
    max_dist_from_median_um: Positive = Field(250.0, description="displacements farther from a running median, too")
    median_neighborhood_bins: int = Field(51, ge=1, description="bins of that median")

    @field_validator("subsampling_spikes", "subsampling_spikes_per_channel", "smoothing_um", mode="before")
    @classmethod
    def _none(cls, value: Any) -> Any:
        return None if isinstance(value, str) and value.strip().lower() == "none" else value

    @field_validator("tmpdir_parent", "nn_denoiser_pretrained_path", mode="before")
    @classmethod
    def _text(cls, value: Any) -> Any:
        return os.fspath(value) if isinstance(value, os.PathLike) else value

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth_value(cls, value: Any, info: ValidationInfo) -> Any:
        """Refuse True for a number: Python would count it as 1."""
        takes = str(cls.model_fields[str(info.field_name)].annotation)
        if isinstance(value, (bool, np.bool_)) and "bool" not in takes:
            raise ValueError("a truth value; give a number" if "int" in takes or "float" in takes else "a truth value")
        return value

    def __init__(self, **fields: Any) -> None:
        for name in fields:
            if name not in type(self).model_fields:
                hint = hint_for(name, type(self).model_fields)
                raise ParameterError(f"DARTsortUserConfig has no field {name!r}{hint}")
        try:
            super().__init__(**fields)
        except ValidationError as error:
            faults = "; ".join(f"{e['loc'][0]} is {e['input']!r}: {e['msg']}" for e in error.errors())
            raise ParameterError(f"{faults}; xephys.parameters('dartsort') lists the limits") from error

    def __setattr__(self, name: str, value: Any) -> None:
        raise ParameterError(
            "a configuration is not changed after it is made; make another: type(cfg)(**{**cfg.model_dump(), "
            f"{name!r}: {value!r}}})"
        )


def idle_fields(cfg: DARTsortUserConfig) -> dict[str, str]:
    """Fields with another value than their default that have no effect, and what replaces each.

    Examples
    --------
    >>> idle_fields(DARTsortUserConfig(n_jobs_cpu=4))
    {'n_jobs_cpu': 'the active Dask scheduler decides'}
    """
    fields = type(cfg).model_fields.items()
    texts = {name: field.description or "" for name, field in fields if getattr(cfg, name) != field.default}
    return {name: text.removeprefix(IDLE) for name, text in texts.items() if text.startswith(IDLE)}


class DARTsortParameters(DARTsortUserConfig):
    """Parameters of ``preset="dartsort"``: the defaults of four fields are others than dartsort's.

    Raw recordings are filtered and referenced unless they already are. Spikes may vary in amplitude, and explain less
    energy: at dartsort's limits, small units lose their spikes. Below 7, what many far neurons leave becomes a unit.
    """

    preprocessing: Strategy = Field("ibllikecmr", description="steps before detection")
    matching_threshold: Positive = Field(7.0, description="root of the smallest energy that a matched spike explains")
    amplitude_scaling_stddev: float = Field(0.1, ge=0, description="standard deviation of a spike's amplitude")
    amplitude_scaling_boundary: float = Field(
        1.0, ge=0, description="amplitudes are between 1/(1+b) and 1+b for this b"
    )

    @property
    def n_passes(self) -> int:
        """Number of passes over the recording that collect events: detection, rounds of matching, the last one."""
        return 2 + self.matching_iterations

    @property
    def band_hz(self) -> tuple[float, float]:
        """Corners of the filter."""
        return (HIGHPASS_HZ if self.preprocessing in ("ibllike", "ibllikecmr") else 0.0), float("inf")

    @property
    def of_matching(self) -> DefaultParameters:
        """The parameters of the steps that follow detection, under the names that these have there."""
        return DefaultParameters(
            freq_max_hz=NO_LIMIT_HZ,
            detect_threshold=MISSED_THRESHOLD,
            peak_sign=self.peak_sign,
            exclude_radius_um=self.deduplication_radius_um,
            ms_before=self.feature_ms_before,
            ms_after=self.feature_ms_after,
            n_components=min(self.temporal_pca_rank, N_FEATURES_MAX),
            n_refinements=self.matching_iterations,
            match_threshold=self.matching_threshold,
            amplitude_min=1.0 / (1.0 + self.amplitude_scaling_boundary),
            amplitude_max=1.0 + self.amplitude_scaling_boundary,
            amplitude_std=max(self.amplitude_scaling_stddev, AMPLITUDE_STD_MIN),
            drift="follow" if self.do_motion_estimation else "off",
        )

    @property
    def finish(self) -> Finish:
        """What is done to units after the last matching."""
        joins = self.agg_kind != "none" and self.postprocessing != "clean"
        return Finish(joins=joins, repeat_ms=0.0 if self.postprocessing == "agglomerate" else self.deduplication_ms)

    def template_window(self, sampling_frequency: float) -> tuple[int, int]:
        """Number of samples of a template before its spike, and in total."""
        return self.of_matching.template_window(sampling_frequency)
