"""All switches of the simulator in one frozen dataclass, and the two presets that set them.

Parameters are in physical units. A simulation is a pure function of one configuration, including its seed.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

from xephys.checks import hint_for
from xephys.errors import ParameterError
from xephys.simulation.waveforms import KINDS

ProbeName = Literal["neuropixels-like", "linear", "tetrode", "multi-shank", "neuropixels-1", "neuropixels-2", "mea"]
NoiseSpectrum = Literal["thermal", "measured"]
NoiseCorrelation = Literal["exponential", "gaussian"]
CHOICES = {
    "probe": get_args(ProbeName),
    "noise_spectrum": get_args(NoiseSpectrum),
    "noise_correlation": get_args(NoiseCorrelation),
}
DRIFTS = ("none", "slow", "rigid", "nonrigid", "breathing", "steps")


@dataclass(frozen=True)
class SimulationConfig:
    """Parameters of a simulated recording. The defaults are those of ``preset="easy"``.

    Attributes
    ----------
    duration_s, n_channels, n_units, sampling_frequency, seed, probe
        Probe, size and seed of the recording. ``sampling_frequency`` is in Hz.
    amplitude_range_uv, amplitude_skew
        Absolute peak amplitude of a unit on its best channel, log-uniform between the two values; a skew above 1 makes
        small units more frequent.
    amplitude_cv
        Range of the units' coefficients of variation of spike amplitude.
    rate_median_hz, rate_sigma
        Log-normal firing rates.
    rare_fraction, rare_rate_hz
        Share of units that fire rarely, and the range of their rates, log-uniform.
    rate_modulation
        Standard deviation of the logarithm of a slow modulation that all rates share.
    bursting_fraction, partial_fraction, synchronous_fraction
        Fractions of units that burst, that are active only part of the time, and that follow spikes of a neighbor.
    synchronous_share
        Range of the fraction of the neighbor's spikes that are followed, within half a millisecond.
    burst_amplitude_loss, burst_widening
        Loss of amplitude and increase in width at full exhaustion inside bursts.
    spike_shapes
        Names and relative frequencies of the kinds of units (see ``waveforms.KINDS``).
    noise_uv, colored_noise
        Standard deviation of the thermal noise, and whether it falls towards high frequencies as after an amplifier's
        low-pass instead of being white.
    noise_spectrum
        ``thermal``, or ``measured``: as in tissue, where most noise comes from neurons too far away to be told apart
        (see ``noise.MEASURED``); ``colored_noise`` is then ignored.
    noise_length_um, noise_correlation
        How far that noise is shared between contacts: the correlation at distance ``d`` is ``exp(-d / length)``, or
        ``exp(-(d / length)² / 2)`` if gaussian. 0 for independent channels.
    n_far_units, far_amplitude_range_uv, far_rate_hz
        Small distant units whose spikes form the unresolved hash; they are not part of the scored truth.
    field_uv, slow_wave_uv, mains_uv, mains_hz
        RMS of the 1/f field, amplitude of slow waves (below 4 Hz), amplitude of the mains and its odd harmonics.
    n_dead_channels, n_noisy_channels, offset_uv
        Faulty contacts (noisy: eight times the thermal noise), and the standard deviation of the channels' DC offsets.
    stimulation_period_s, movement_rate_hz
        Seconds between two saturating stimulus trains (0: none); movement artifacts per second.
    gain_uv, full_scale_uv
        Step and range of the converter.
    inter_sample_shift
        Whether channels are sampled one after the other, as on Neuropixels. It affects spikes only: the noise is white
        and the field is slow.
    drift, drift_um, breathing_um
        Names out of ``slow``, ``rigid``, ``nonrigid``, ``breathing`` and ``steps``, joined by ``+``, or ``none``;
        peak-to-peak size of the first three and of the largest step; size of the breathing.
    session, displacement_um, missing_fraction
        Number of the session: units, their waveforms and the contacts are the same in all sessions of a seed, and
        spikes, noise, artifacts and drift are drawn anew. The tissue is displaced by ``displacement_um`` throughout,
        and a share of the units, another one in each session, is silent.
    """

    duration_s: float = 10.0
    n_channels: int = 32
    n_units: int = 10
    sampling_frequency: float = 30_000.0
    seed: int = 0
    probe: ProbeName = "neuropixels-like"
    amplitude_range_uv: tuple[float, float] = (50.0, 200.0)
    amplitude_skew: float = 1.0
    amplitude_cv: tuple[float, float] = (0.03, 0.07)
    rate_median_hz: float = 6.0
    rate_sigma: float = 0.4
    rare_fraction: float = 0.0
    rare_rate_hz: tuple[float, float] = (0.01, 0.05)
    rate_modulation: float = 0.0
    bursting_fraction: float = 0.0
    partial_fraction: float = 0.0
    synchronous_fraction: float = 0.0
    synchronous_share: tuple[float, float] = (0.1, 0.25)
    burst_amplitude_loss: float = 0.4
    burst_widening: float = 0.3
    spike_shapes: tuple[tuple[str, float], ...] = (("narrow", 0.35), ("broad", 0.65))
    noise_uv: float = 8.0
    colored_noise: bool = False
    noise_spectrum: NoiseSpectrum = "thermal"
    noise_length_um: float = 0.0
    noise_correlation: NoiseCorrelation = "exponential"
    n_far_units: int = 0
    far_amplitude_range_uv: tuple[float, float] = (5.0, 28.0)
    far_rate_hz: float = 8.0
    field_uv: float = 0.0
    slow_wave_uv: float = 0.0
    mains_uv: float = 0.0
    mains_hz: float = 50.0
    n_dead_channels: int = 0
    n_noisy_channels: int = 0
    offset_uv: float = 0.0
    stimulation_period_s: float = 0.0
    movement_rate_hz: float = 0.0
    gain_uv: float = 0.195
    full_scale_uv: float = 6000.0
    inter_sample_shift: bool = False
    drift: str = "none"
    drift_um: float = 30.0
    breathing_um: float = 3.0
    session: int = 0
    displacement_um: float = 0.0
    missing_fraction: float = 0.0

    def __post_init__(self) -> None:
        _at_least("duration_s", self.duration_s, 0.05)
        _at_least("sampling_frequency", self.sampling_frequency, 5000.0)
        _at_least("n_channels", self.n_channels, 1)
        for name in (
            "n_units",
            "n_far_units",
            "noise_uv",
            "field_uv",
            "slow_wave_uv",
            "mains_uv",
            "noise_length_um",
            "seed",
            "session",
            "missing_fraction",
        ):
            _at_least(name, getattr(self, name), 0)
        if self.missing_fraction > 1:
            raise ParameterError(f"missing_fraction={self.missing_fraction} is above 1; give a share of the units")
        low, high = self.amplitude_range_uv
        if not 0 < low <= high:
            raise ParameterError(f"amplitude_range_uv={self.amplitude_range_uv} is not 0 < low <= high; give two in µV")
        low, high = self.synchronous_share
        if not 0 <= low <= high <= 1:
            raise ParameterError(f"synchronous_share={self.synchronous_share} is not 0 <= low <= high <= 1; give two")
        slowest, fastest = self.rare_rate_hz
        if not 0 < slowest <= fastest:
            raise ParameterError(f"rare_rate_hz={self.rare_rate_hz} is not 0 < low <= high; give two in Hz")
        if self.gain_uv <= 0 or self.full_scale_uv / self.gain_uv > 32767:
            raise ParameterError(
                f"full_scale_uv={self.full_scale_uv} at gain_uv={self.gain_uv} does not fit int16 (32767 steps); "
                "raise the gain or lower the range"
            )
        for name, choices in CHOICES.items():
            value = getattr(self, name)
            if value not in choices:
                raise ParameterError(f"{name}={value!r} does not exist; choose one of {', '.join(choices)}")
        for part in self.drift.split("+"):
            if part not in DRIFTS:
                raise ParameterError(f"drift={self.drift!r}: no {part!r}; join names of {', '.join(DRIFTS)} by '+'")
        for kind, _ in self.spike_shapes:
            if kind not in KINDS:
                raise ParameterError(f"spike_shapes: {kind!r} does not exist; choose among {', '.join(KINDS)}")
        if self.n_dead_channels + self.n_noisy_channels >= max(self.n_channels, 1) and self.n_dead_channels:
            raise ParameterError(
                f"n_dead_channels={self.n_dead_channels} and n_noisy_channels={self.n_noisy_channels} leave none of "
                f"{self.n_channels} channels; lower them"
            )

    @property
    def n_samples(self) -> int:
        return round(self.duration_s * self.sampling_frequency)

    @property
    def session_seed(self) -> tuple[int, ...]:
        """Seed of what differs between sessions."""
        return (self.seed, 1000, self.session) if self.session else (self.seed,)

    @property
    def token(self) -> str:
        """Identity of the content: equal configurations give equal samples."""
        return hashlib.sha1(repr(sorted(asdict(self).items())).encode(), usedforsecurity=False).hexdigest()


def _at_least(name: str, value: float, limit: float) -> None:
    if not math.isfinite(value) or value < limit:
        raise ParameterError(f"{name}={value} is below its limit {limit}; raise it")


HARD: dict[str, Any] = {
    "amplitude_range_uv": (20.0, 250.0),
    "amplitude_cv": (0.05, 0.15),
    "rate_median_hz": 3.5,
    "rate_sigma": 0.8,
    "rate_modulation": 0.35,
    "bursting_fraction": 0.25,
    "partial_fraction": 0.15,
    "synchronous_fraction": 0.15,
    "spike_shapes": (
        ("narrow", 0.22), ("broad", 0.38), ("slow", 0.08),
        ("triphasic", 0.08), ("positive", 0.08), ("propagating", 0.16),
    ),
    "noise_uv": 8.0,
    "colored_noise": True,
    "amplitude_skew": 1.3,
    "field_uv": 60.0,
    "slow_wave_uv": 150.0,
    "mains_uv": 8.0,
    "offset_uv": 50.0,
    "movement_rate_hz": 0.04,
    "stimulation_period_s": 20.0,
    "gain_uv": 2.34375,
    "full_scale_uv": 2400.0,
    "inter_sample_shift": True,
}  # fmt: skip


def make_config(preset: str = "easy", **parameters: Any) -> SimulationConfig:
    """Configuration of a preset, with some parameters replaced.

    ``easy`` is white noise and well separated units. ``hard`` is built to resemble a real recording: unresolved hash, a
    field with hundreds of times the noise power, faulty channels, artifacts, bursts, small units. Unless given, the
    numbers of far units and of dead and noisy channels follow ``n_channels`` (six far units per channel; one channel of
    each kind in 64).

    Raises
    ------
    ParameterError
        If the preset or a parameter does not exist, or a value is outside its limits.

    Examples
    --------
    >>> from xephys.simulation.config import make_config
    >>> make_config("hard", n_channels=64).n_far_units
    384
    """
    if preset not in ("easy", "hard"):
        raise ParameterError(f"preset={preset!r} does not exist; choose 'easy' or 'hard'")
    known = [f.name for f in fields(SimulationConfig)]
    for name in parameters:
        if name not in known:
            listed = ", ".join(known)
            raise ParameterError(f"a simulation has no parameter {name!r}; it has {listed}{hint_for(name, known)}")
    values: dict[str, Any] = {}
    if preset == "hard":
        n_channels = int(parameters.get("n_channels", SimulationConfig.n_channels))
        n_faulty = n_channels // 64
        values = {**HARD, "n_far_units": 6 * n_channels, "n_dead_channels": n_faulty, "n_noisy_channels": n_faulty}
    values |= parameters
    for name in ("amplitude_range_uv", "amplitude_cv", "far_amplitude_range_uv", "synchronous_share", "rare_rate_hz"):
        if name in values:
            values[name] = tuple(float(v) for v in values[name])
    if "spike_shapes" in values:
        values["spike_shapes"] = tuple((str(k), float(w)) for k, w in dict(values["spike_shapes"]).items())
    return SimulationConfig(**values)
