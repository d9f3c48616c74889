"""Parameters of the preset ``default``, with their limits."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

#: A pass-band that ends below this contains no spikes.
SPIKES_ABOVE_HZ = 100.0


class DefaultParameters(BaseModel):
    """Parameters of ``preset="default"``."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    #: Units of parameters whose names do not contain them, for tables.
    UNITS: ClassVar[dict[str, str]] = {
        **dict.fromkeys(("detect_threshold", "match_threshold"), "noise"),
        **dict.fromkeys(("ms_before", "ms_after"), "ms"),
        **dict.fromkeys(("amplitude_min", "amplitude_max", "amplitude_std"), "template"),
    }

    freq_min_hz: float = Field(300.0, gt=0, description="lower cutoff of the band-pass")
    freq_max_hz: float = Field(6000.0, gt=0, description="upper cutoff of the band-pass; at most 0.45 of the rate")
    filter_order: int = Field(5, ge=1, le=10, description="order of the band-pass, applied twice")
    reference: Literal["median", "average", "none"] = Field(
        "median", description="common reference over each shank; none is used below 24 channels"
    )
    whitening_n_nearest: int = Field(32, ge=1, description="number of channels of a whitening neighborhood")
    detect_threshold: float = Field(4.5, gt=0, description="detection threshold")
    peak_sign: Literal["neg", "pos", "both"] = Field("both", description="sign of the detected peaks")
    exclude_sweep_ms: float = Field(0.5, gt=0, description="shortest time between two detected peaks at one place")
    exclude_radius_um: float = Field(50.0, ge=0, description="radius within which a larger peak suppresses others")
    ms_before: float = Field(0.9, gt=0, le=20, description="length of a spike's window before its peak")
    ms_after: float = Field(1.3, gt=0, le=20, description="length of a spike's window from its peak on")
    n_components: int = Field(6, ge=1, le=20, description="number of temporal components of the features")
    n_nearest: int = Field(16, ge=1, description="number of channels of the features")
    n_peaks_per_section_max: int = Field(30_000, ge=100, description="most peaks clustered in one section of the probe")
    n_spikes_min: int = Field(20, ge=2, description="fewest spikes of a unit; raised where peaks are thinned out")
    n_refinements: int = Field(2, ge=0, le=5, description="how often matched units are split and merged again")
    match_threshold: float = Field(5.0, gt=0, description="smallest reduction of the residual that counts as a spike")
    amplitude_min: float = Field(0.5, gt=0, le=1, description="smallest amplitude of a spike")
    amplitude_max: float = Field(1.5, ge=1, description="largest amplitude of a spike")
    amplitude_std: float = Field(0.1, gt=0, description="expected standard deviation of a spike's amplitude")
    drift: Literal["follow", "interpolate", "off"] = Field(
        "follow", description="if the tissue moves: move the templates, interpolate the traces, or do nothing"
    )
    contamination_max: float = Field(0.2, gt=0, le=1, description="largest contamination of a good unit")
    good_snr_min: float = Field(5.0, ge=0, description="smallest signal-to-noise ratio of a good unit")
    seed: int = Field(0, ge=0, description="seed of every random choice")

    @model_validator(mode="after")
    def _fit(self) -> DefaultParameters:
        if self.freq_max_hz < SPIKES_ABOVE_HZ:
            raise ValueError(
                f"freq_max_hz is {self.freq_max_hz:g} Hz, and spikes are above {SPIKES_ABOVE_HZ:g} Hz; "
                f"if {self.freq_max_hz:g} kHz is meant, give {1000 * self.freq_max_hz:g}"
            )
        return self

    @property
    def n_passes(self) -> int:
        """Number of passes over the recording that collect events: detection, refinements, and the last matching."""
        return 2 + self.n_refinements + (self.drift == "interpolate")

    @property
    def band_hz(self) -> tuple[float, float]:
        """Corners of the filter."""
        return self.freq_min_hz, self.freq_max_hz

    @property
    def good_limits(self) -> dict[str, Any]:
        """Limits of a good unit, as :func:`judge_units` takes them."""
        return {name: getattr(self, name) for name in ("contamination_max", "good_snr_min", "n_spikes_min")}

    def template_window(self, sampling_frequency: float) -> tuple[int, int]:
        """Number of samples of a template before its spike, and in total."""
        nbefore = round(self.ms_before * 1e-3 * sampling_frequency)
        return nbefore, nbefore + round(self.ms_after * 1e-3 * sampling_frequency)
