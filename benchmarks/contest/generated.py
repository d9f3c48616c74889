"""Recordings made by SpikeInterface's generator: 128 contacts, temporally white noise, log-uniform amplitudes."""

from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

GAIN_UV = 0.195
RATE_HZ = 30_000.0
UPSAMPLING = 5
BEFORE_MS, AFTER_MS = 1.5, 2.5


class Setting(NamedTuple):
    """Parameters of a kind of recording.

    The contacts form a square grid of 4 × 32, 20 µm apart, or are ``staggered`` like those of a Neuropixels 1.0 probe.
    With ``noise_length_um``, noise is correlated between contacts as ``exp(-distance / length)``. If ``noise_uv`` is
    two
    numbers, the standard deviation of each contact is drawn between them.
    """

    n_units: int
    amplitudes_uv: tuple[float, float]
    amplitude_sd: float
    minimum_distance_um: float
    noise_uv: float | tuple[float, float]
    maximum_z_um: float = 40.0
    rates_hz: tuple[float, float] = (3.0, 12.0)
    staggered: bool = False
    noise_length_um: float = 0.0

    def generate(self, *, seed: int, duration_s: float) -> "Generated":
        """The recording of this setting and seed."""
        return generate(self, seed=seed, duration_s=duration_s)


class Generated(NamedTuple):
    """A recording that is not computed yet, its ground truth, and the units' mean templates ``(unit, sample,
    channel)``.

    ``noise_uv2`` is the covariance of the noise.
    """

    recording: Any
    truth: Any
    templates_uv: np.ndarray[Any, Any]
    nbefore: int
    noise_uv2: np.ndarray[Any, Any]


class Generator(Protocol):
    """A kind of recording that is not of our simulator."""

    def generate(self, *, seed: int, duration_s: float) -> Generated:
        """The recording of a seed."""


def generate(setting: Setting, *, seed: int, duration_s: float) -> Generated:
    """The recording of a setting and seed: a pure function of its arguments.

    Raises
    ------
    ValueError
        From SpikeInterface, if the units do not fit on the probe at that distance.
    """
    from spikeinterface.core.generate import (
        InjectTemplatesRecording,
        generate_sorting,
        generate_templates,
        generate_unit_locations,
    )
    from spikeinterface.generation.noise_tools import NoiseGeneratorRecording

    rng = np.random.default_rng(seed)
    probe = _probe(staggered=setting.staggered)
    truth = generate_sorting(
        num_units=setting.n_units,
        sampling_frequency=RATE_HZ,
        durations=[duration_s],
        firing_rates=setting.rates_hz,
        refractory_period_ms=4.0,
        seed=seed,
    )
    places = generate_unit_locations(
        setting.n_units,
        probe.contact_positions,
        margin_um=10,
        minimum_z=5,
        maximum_z=setting.maximum_z_um,
        minimum_distance=setting.minimum_distance_um,
        seed=seed,
    )
    templates = generate_templates(
        probe.contact_positions, places, RATE_HZ, BEFORE_MS, AFTER_MS, seed=seed, upsample_factor=UPSAMPLING
    )
    wanted = np.exp(rng.uniform(*np.log(setting.amplitudes_uv), setting.n_units))
    templates = templates * (wanted / np.abs(templates.mean(axis=3)).max(axis=(1, 2)))[:, None, None, None]
    n_spikes, nbefore = len(truth.to_spike_vector()), round(BEFORE_MS * RATE_HZ / 1000)
    covariance = _noise_covariance(setting, probe.contact_positions, seed)
    white = np.count_nonzero(covariance) == len(covariance)
    noise = NoiseGeneratorRecording(
        num_channels=128,
        sampling_frequency=RATE_HZ,
        durations=[duration_s],
        dtype="float32",
        seed=seed,
        **({"noise_levels": setting.noise_uv} if white else {"cov_matrix": covariance}),
        strategy="on_the_fly",
        noise_block_size=int(RATE_HZ),
    )
    factors = np.clip(1 + setting.amplitude_sd * rng.standard_normal(n_spikes), 0.4, 1.8)
    recording = InjectTemplatesRecording(
        truth,
        templates.astype(np.float32),
        nbefore=nbefore,
        amplitude_factor=factors.astype(np.float32),
        parent_recording=noise,
        upsample_vector=rng.integers(0, UPSAMPLING, n_spikes),
    )
    recording.set_probe(probe)
    return Generated(in_counts(recording), truth, templates.mean(axis=3).astype(np.float32), nbefore, covariance)


def truth_of(sample: np.ndarray[Any, Any], unit: np.ndarray[Any, Any], *, n_units: int) -> Any:
    """Spikes of the true units as SpikeInterface's sorting."""
    from spikeinterface import NumpySorting

    return NumpySorting.from_samples_and_labels([sample], [unit], RATE_HZ, unit_ids=np.arange(n_units))


def in_counts(recording: Any) -> Any:
    """Traces in µV as int16 counts with their gain."""
    import spikeinterface.preprocessing as preprocessing

    scaled = preprocessing.scale(recording, gain=1 / GAIN_UV, dtype="float32")
    counts = preprocessing.astype(scaled, "int16", round=True)
    counts.set_channel_gains(GAIN_UV)
    counts.set_channel_offsets(0.0)
    return counts


def _probe(*, staggered: bool) -> Any:
    if staggered:
        from xephys.simulation.probe import make_layout, to_probeinterface

        return to_probeinterface(make_layout("neuropixels-1", 128))
    from spikeinterface.core.generate import generate_multi_columns_probe

    probe = generate_multi_columns_probe(
        num_columns=4,
        num_contact_per_column=[32] * 4,
        xpitch=20,
        ypitch=20,
        contact_shapes="circle",
        contact_shape_params={"radius": 6},
    )
    probe.set_device_channel_indices(np.arange(128))
    return probe


def _noise_covariance(setting: Setting, places: np.ndarray[Any, Any], seed: int) -> np.ndarray[Any, Any]:
    low, high = np.broadcast_to(setting.noise_uv, 2)
    sizes = (
        np.random.default_rng([seed, 1]).uniform(low, high, len(places)) if low < high else np.full(len(places), low)
    )
    if not setting.noise_length_um:
        return np.diag(sizes**2)
    distances = np.linalg.norm(places[:, None] - places[None], axis=2)
    return np.asarray(np.outer(sizes, sizes) * np.exp(-distances / setting.noise_length_um))


def save(recording: Any, path: Path) -> None:
    """Compute the recording and save it as int16, in SpikeInterface's binary folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    recording.save(folder=path, format="binary", progress_bar=False)
