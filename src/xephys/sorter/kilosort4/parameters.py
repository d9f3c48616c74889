"""Parameters of the preset ``kilosort4``, with the names and defaults of that system, and with limits."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

Fraction = Annotated[float, Field(gt=0, le=1)]


class Kilosort4Parameters(BaseModel):
    """Parameters of ``preset="kilosort4"``."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    #: Units of parameters whose names do not contain them, for tables.
    UNITS: ClassVar[dict[str, str]] = {
        **dict.fromkeys(("fs", "highpass_cutoff"), "Hz"),
        **dict.fromkeys(("tmin", "tmax"), "s"),
        **dict.fromkeys(("batch_size", "nt", "nt0min"), "samples"),
        **dict.fromkeys(("Th_universal", "Th_learned", "Th_single_ch"), "noise"),
        **dict.fromkeys(("binning_depth", "sig_interp", "dmin", "dminx", "min_template_size"), "µm"),
        **dict.fromkeys(("max_channel_distance", "position_limit"), "µm"),
    }

    n_chan_bin: int | None = Field(None, ge=1, description="channels of the file; read from it, and checked if given")
    fs: float | None = Field(None, gt=0, description="sampling rate; read from the file, and checked if given")
    batch_size: int = Field(
        60000, ge=1000, description="samples of a chunk, if given; affects scheduling only, not results"
    )
    nblocks: int = Field(1, ge=0, description="blocks of a shank in which drift is estimated; 0: no correction")
    Th_universal: float = Field(9.0, gt=0, description="smallest score of a universal template")
    Th_learned: float = Field(8.0, gt=0, description="smallest score of a learned template")
    tmin: float = Field(0.0, ge=0, description="sort from this time on, seconds from the beginning")
    tmax: float = Field(
        float("inf"), gt=0, allow_inf_nan=True, description="sort up to this time, seconds from the beginning"
    )
    nt: int = Field(61, ge=11, le=301, description="samples of a waveform; an odd number")
    shift: float | None = Field(None, description="added to the data after the scale; the high-pass removes it again")
    scale: float | None = Field(None, description="factor by which the data are multiplied")
    batch_downsampling: int = Field(1, ge=1, description="look for spikes in every nth excerpt of 2 s")
    artifact_threshold: float = Field(
        float("inf"),
        gt=0,
        allow_inf_nan=True,
        description="filtered samples that reach it are set to zero, and 3 ms around; in the unit of the data",
    )
    nskip: int = Field(25, ge=1, description="whitening reads every nth excerpt of 2 s; 20 to 40 in all")
    whitening_range: int = Field(32, ge=1, description="number of channels of a whitening neighborhood")
    highpass_cutoff: float = Field(300.0, gt=0, description="cutoff of the high-pass")
    binning_depth: float = Field(5.0, gt=0, description="depth of a bin in which drift is estimated")
    sig_interp: float = Field(20.0, gt=0, description="range of the interpolation that corrects drift")
    drift_smoothing: tuple[float, float, float] = Field(
        (0.5, 0.5, 0.5), description="smoothing of the drift estimate over shifts, time and depth, in bins"
    )
    nt0min: int | None = Field(None, ge=1, description="samples before the trough; int(20 nt / 61) if not given")
    dmin: float | None = Field(
        None, gt=0, description="twice the grid step along the probe; if not given, from the probe"
    )
    dminx: float = Field(32.0, gt=0, description="twice the step of the grid across the probe")
    min_template_size: float = Field(10.0, gt=0, description="smallest envelope of a universal template")
    template_sizes: int = Field(5, ge=1, le=20, description="number of envelopes, multiples of the smallest")
    nearest_chans: int = Field(10, ge=1, description="channels of a universal template and of a spike's position")
    nearest_templates: int = Field(100, ge=1, le=20_000, description="places of the grid that compete for a spike")
    max_channel_distance: float = Field(32.0, gt=0, description="farthest place of the grid from a contact")
    max_peels: int = Field(100, ge=1, description="accepted without effect: matching takes every spike that it can")
    templates_from_data: bool = Field(True, description="learn shapes and components; False uses synthetic ones")
    n_templates: int = Field(6, ge=1, le=50, description="number of shapes of spikes on one channel")
    n_pcs: int = Field(6, ge=1, le=20, description="number of temporal components of the features")
    Th_single_ch: float = Field(6.0, gt=0, description="smallest peak of a waveform from which shapes are learned")
    acg_threshold: Fraction = Field(0.2, description="largest central rate of a good unit, relative to its shoulders")
    ccg_threshold: Fraction = Field(0.25, description="largest central rate of a pair that is merged")
    cluster_neighbors: int = Field(10, ge=2, description="number of landmarks to which a spike is linked")
    cluster_downsampling: int = Field(20, ge=1, description="spikes for each landmark; at least 4000 landmarks")
    max_cluster_subset: int | None = Field(25000, ge=100, description="largest number of landmarks of a section")
    x_centers: int | None = Field(None, ge=1, description="columns of sections on a shank; one per 50 um if not given")
    cluster_init_seed: int = Field(5, ge=0, description="seed of every random choice")
    duplicate_spike_ms: float = Field(
        0.25, ge=0, le=5, description="closer spikes of a unit are duplicates; 0 keeps all"
    )
    position_limit: float = Field(100.0, gt=0, description="largest distance of channels used to locate a spike")
    do_CAR: bool = Field(True, description="subtract the median over each shank's channels; from 24 channels on")
    invert_sign: bool = Field(False, description="multiply the data by -1 in every step")
    bad_channels: tuple[Any, ...] = Field((), description="channels to leave out, by their identifiers")
    shank_idx: tuple[Any, ...] | None = Field(None, description="shanks to sort, by their identifiers; or all")

    @field_validator("nt")
    @classmethod
    def _odd(cls, value: int) -> int:
        if value % 2 == 0:
            raise ValueError(f"it must be odd, for example {value + 1}")
        return value

    @field_validator("*", mode="before")
    @classmethod
    def _none(cls, value: Any) -> Any:
        return None if isinstance(value, str) and value.strip().lower() == "none" else value

    @field_validator("bad_channels", "shank_idx", "drift_smoothing", mode="before")
    @classmethod
    def _several(cls, value: Any) -> Any:
        """One value, several values, or the text ``3,5`` or ``[3, 5]`` from a command line."""
        if isinstance(value, str):
            return tuple(part.strip().strip("'\"") for part in value.strip("[]() ").split(",") if part.strip())
        return value if value is None or isinstance(value, (list, tuple)) else (value,)

    @model_validator(mode="after")
    def _fit(self) -> Kilosort4Parameters:
        if self.nt0min is not None and self.nt0min >= self.nt:
            raise ValueError(f"nt0min is {self.nt0min}; it must lie inside the {self.nt} samples of nt")
        if self.tmax <= self.tmin:
            raise ValueError(f"tmax is {self.tmax:g}; it must be greater than tmin, {self.tmin:g}")
        if self.n_pcs > self.nt:
            raise ValueError(f"n_pcs is {self.n_pcs}; it can be at most nt, {self.nt}")
        return self

    @property
    def n_passes(self) -> int:
        """Number of passes over the recording that collect events.

        They are detection, matching, and one before them for drift.
        """
        return 2 + (self.nblocks > 0)

    @property
    def band_hz(self) -> tuple[float, float]:
        """Corners of the filter: a high-pass."""
        return self.highpass_cutoff, float("inf")

    @property
    def nbefore(self) -> int:
        """Samples of a waveform before its trough."""
        return int(20 * self.nt / 61) if self.nt0min is None else self.nt0min

    def template_window(self, sampling_frequency: float) -> tuple[int, int]:
        """Number of samples of a template before its spike, and in total."""
        return self.nbefore, self.nt
