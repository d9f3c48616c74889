"""The kinds of recordings on which sorters are compared: parameters of a simulator, by name."""

from typing import Any, Literal, NamedTuple

from . import generated
from .generated_drift import DriftSetting
from .real_units import RealSetting

Role = Literal["accuracy", "background", "speed"]
AMPLITUDES_UV = (30.0, 150.0)


class Kind(NamedTuple):
    """The definition of a kind of recording:

    parameters of our simulator, or a setting of SpikeInterface's generator.
    """

    title: str
    duration_s: float
    n_channels: int
    n_units: int
    simulator: dict[str, Any] | None = None
    generator: generated.Generator | None = None
    role: Role = "accuracy"


def _static(duration_s: float, n_units: int) -> Kind:
    setting = generated.Setting(n_units, AMPLITUDES_UV, 0.05, 15.0, 10.0)
    return Kind(f"static, SpikeInterface's generator, {duration_s:g} s", duration_s, 128, n_units, None, setting)


def _easy(duration_s: float, n_units: int) -> Kind:
    simulator = {"preset": "easy", "amplitude_range_uv": AMPLITUDES_UV}
    return Kind(f"static, our simulator, {duration_s:g} s", duration_s, 128, n_units, simulator)


def _speed(duration_s: float) -> Kind:
    simulator = {"preset": "easy", "amplitude_range_uv": AMPLITUDES_UV}
    return Kind(f"384 channels, {duration_s:g} s", duration_s, 384, 150, simulator, role="speed")


def _moved(title: str, setting: DriftSetting | RealSetting, duration_s: float = 120.0) -> Kind:
    title = f"{title}, {setting.n_channels} channels, {duration_s:g} s"
    return Kind(title, duration_s, setting.n_channels, setting.n_units, generator=setting)


_BURSTING = {"preset": "easy", "bursting_fraction": 1.0, "spike_shapes": (("broad", 1.0),), "burst_amplitude_loss": 0.4}
#: Half of the units follow a tenth of a neighbor's spikes, so about one in ten spikes of either unit is coincident.
_SYNCHRONOUS = {"preset": "easy", "synchronous_fraction": 1.0, "synchronous_share": (0.1, 0.1)}
#: Log-normal rates between 0.3 and 40 Hz: active neighbors coincide some hundred times in ten minutes by chance.
_LONG = {"preset": "easy", "rate_median_hz": 3.0, "rate_sigma": 1.3}
_TISSUE = {
    "preset": "easy", "probe": "neuropixels-1", "amplitude_range_uv": (18.0, 110.0), "amplitude_cv": (0.15, 0.15),
    "rate_median_hz": 4.0, "rate_sigma": 0.7, "noise_uv": 12.0, "noise_spectrum": "measured", "noise_length_um": 25.0,
}  # fmt: skip
_TETRODE = {"preset": "easy", "probe": "tetrode"}
#: Tissue that moves by as much as the contacts of a tetrode are apart: too few to tell how.
_MOVING_TETRODE = {**_TETRODE, "drift": "slow", "drift_um": 20.0, "amplitude_range_uv": (80.0, 300.0)}


def _hard(n_channels: int, n_units: int, probe: str, **simulator: Any) -> Kind:
    title = f"hard, {n_channels} channel{'s' if n_channels > 1 else ''}"
    return Kind(title, 120.0, n_channels, n_units, {"preset": "hard", "probe": probe, **simulator})


#: A tetrode whose units stand out from the hash of four times as many far units as a long probe has for each contact.
_CROWDED = {"preset": "hard", "probe": "tetrode", "n_far_units": 120, "amplitude_range_uv": (60.0, 260.0)}


def _drift(preset: str, drift: str, drift_um: float, duration_s: float = 300.0, n_channels: int = 128) -> Kind:
    title = f"{preset}, {drift} drift of {drift_um:g} µm, {n_channels} channels, {duration_s:g} s"
    n_units = round(n_channels * (80 if preset == "hard" else 40) / 128)
    simulator = {"preset": preset, "drift": drift, "drift_um": drift_um}
    return Kind(title, duration_s, n_channels, n_units, simulator)


def _small_drift(title: str, n_channels: int, n_units: int, probe: str, drift: str, drift_um: float) -> Kind:
    """Few contacts on shanks of less than 100 µm, in hard conditions, and tissue that moves along them."""
    simulator = {"preset": "hard", "probe": probe, "drift": drift, "drift_um": drift_um}
    return Kind(f"hard, {title}, {drift} drift of {drift_um:g} µm", 120.0, n_channels, n_units, simulator)


def _populous(drift: str, drift_um: float) -> Kind:
    """As many units on as many channels as in the simulations with which Kilosort4 was compared, and as much hash:

    600 units, and 600 that are too small to be scored, at 5.6 spikes a second on average.
    """
    title = f"600 units and 600 small ones on 384 channels, {drift} drift of {drift_um:g} µm"
    simulator = {
        "preset": "easy", "probe": "neuropixels-1", "amplitude_range_uv": (50.0, 250.0), "noise_uv": 10.0,
        "rate_median_hz": 4.4, "rate_sigma": 0.7, "drift": drift, "drift_um": drift_um, "breathing_um": 6.0,
        "n_far_units": 600, "far_amplitude_range_uv": (12.0, 40.0), "far_rate_hz": 5.6,
    }  # fmt: skip
    return Kind(title, 60.0, 384, 600, simulator)


KINDS: dict[str, Kind] = {
    "static": _static(60.0, 40),
    "static300": _static(300.0, 60),
    "easy": _easy(60.0, 40),
    "easy300": _easy(300.0, 60),
    "dense": Kind(
        "dense, SpikeInterface's generator",
        60.0,
        128,
        120,
        generator=generated.Setting(120, (18.0, 110.0), 0.15, 8.0, 5.0),
    ),
    "dense-np1": Kind(
        "dense on Neuropixels 1.0, SpikeInterface's generator",
        60.0,
        128,
        120,
        generator=generated.Setting(
            120, (18.0, 110.0), 0.15, 8.0, (8.0, 10.0), rates_hz=(1.0, 15.0), staggered=True, noise_length_um=25.0
        ),
    ),
    "tissue": Kind("dense on Neuropixels 1.0, our simulator", 60.0, 128, 120, _TISSUE),
    "hard": Kind("hard", 120.0, 128, 80, {"preset": "hard"}),
    "hard1": _hard(1, 2, "linear"),
    "hard2": _hard(2, 3, "linear"),
    "hard4": _hard(4, 6, "tetrode"),
    "crowded4": Kind("hard, tetrode in a hash of 120 units", 180.0, 4, 8, _CROWDED),
    "hard8": _hard(8, 8, "neuropixels-like"),
    "hard16": _hard(16, 10, "linear"),
    "hard32": _hard(32, 20, "neuropixels-like"),
    "short": Kind("hard, 32 channels, 30 s", 30.0, 32, 20, {"preset": "hard"}),
    "short-easy": Kind("easy, 32 channels, 30 s", 30.0, 32, 10, {"preset": "easy"}),
    "short16-hard": Kind("hard, 16 channels, 20 s", 20.0, 16, 8, {"preset": "hard"}),
    "short16": Kind("easy, 16 channels, 20 s", 20.0, 16, 5, {"preset": "easy"}),
    "short16-slow": _drift("easy", "slow", 30.0, 20.0, 16),
    "short16-steps": _drift("easy", "steps", 30.0, 20.0, 16),
    "short16-nonrigid": _drift("easy", "nonrigid", 30.0, 20.0, 16),
    "short16-hard-slow": _drift("hard", "slow", 30.0, 20.0, 16),
    "short16-wander": _moved(
        "SpikeInterface's generator, wandering", DriftSetting(6, "random_walk", (-15.0, 8.0), n_channels=16), 20.0
    ),
    "short-slow": _drift("easy", "slow", 30.0, 30.0, 32),
    "short-steps": _drift("easy", "steps", 30.0, 30.0, 32),
    "short-nonrigid": _drift("easy", "nonrigid", 30.0, 30.0, 32),
    "short-wander": _drift("easy", "rigid", 20.0, 30.0, 32),
    "short-hard-slow": _drift("hard", "slow", 30.0, 30.0, 32),
    "short-hard-steps": _drift("hard", "steps", 20.0, 30.0, 32),
    "short-hard-nonrigid": _drift("hard", "nonrigid", 30.0, 30.0, 32),
    "background": Kind("background only", 60.0, 128, 0, {"preset": "hard"}, role="background"),
    "tetrodes": Kind("four tetrodes", 60.0, 16, 16, _TETRODE),
    "tetrode": Kind("one tetrode", 60.0, 4, 5, _TETRODE),
    "tetrode-slow": Kind("one tetrode, slow drift of 20 µm", 60.0, 4, 3, _MOVING_TETRODE),
    "linear": Kind("linear, 32 channels", 60.0, 32, 10, {"preset": "easy", "probe": "linear"}),
    "single": Kind("one channel", 60.0, 1, 2, {"preset": "easy", "probe": "linear"}),
    "bursting": Kind("all units burst, 40 % amplitude loss", 60.0, 64, 20, _BURSTING),
    "long": Kind("easy, 30 minutes, rates up to 40 Hz", 1800.0, 32, 24, _LONG),
    "synchronous": Kind("a tenth of the spikes coincident", 60.0, 64, 20, _SYNCHRONOUS),
    "hard-still": _drift("hard", "none", 0.0),
    "hard-slow": _drift("hard", "slow", 50.0),
    "hard-nonrigid": _drift("hard", "nonrigid", 40.0),
    "hard-steps": _drift("hard", "steps", 20.0),
    "hard-wander": _drift("hard", "rigid", 20.0),
    "hard-still120": _drift("hard", "none", 0.0, 120.0),
    "hard-slow120": _drift("hard", "slow", 50.0, 120.0),
    "hard-nonrigid120": _drift("hard", "nonrigid", 40.0, 120.0),
    "hard-steps120": _drift("hard", "steps", 20.0, 120.0),
    "hard-wander120": _drift("hard", "rigid", 20.0, 120.0),
    "hard8-slow": _small_drift("8 channels", 8, 8, "neuropixels-like", "slow", 30.0),
    "hard32-shanks": _small_drift("4 shanks of 8 channels", 32, 20, "multi-shank", "rigid", 25.0),
    "easy-still": _drift("easy", "none", 0.0, 120.0, 64),
    "easy-slow": _drift("easy", "slow", 30.0, 120.0, 64),
    "easy-nonrigid": _drift("easy", "nonrigid", 30.0, 120.0, 64),
    "easy-steps": _drift("easy", "steps", 30.0, 120.0, 64),
    "easy128-still": _drift("easy", "none", 0.0, 120.0),
    "easy128-slow": _drift("easy", "slow", 30.0, 120.0),
    "easy128-nonrigid": _drift("easy", "nonrigid", 30.0, 120.0),
    "easy128-steps": _drift("easy", "steps", 30.0, 120.0),
    "populous-none": _populous("none", 0.0),
    "populous-medium": _populous("nonrigid", 25.0),
    "populous-high": _populous("nonrigid", 60.0),
    "populous-fast": _populous("nonrigid+breathing", 25.0),
    "populous-step": _populous("steps", 30.0),
    "np1-wander": _moved("Neuropixels 1.0, wandering", DriftSetting(70, "random_walk", (-15.0, 8.0))),
    "np1-steps": _moved("Neuropixels 1.0, steps", DriftSetting(70, "steps", (-12.0, 12.0))),
    "np2-zigzag": _moved("Neuropixels 2.0, zigzag", DriftSetting(70, "zigzag", (-20.0, 20.0), 0.5, "neuropixels-2")),
    "np2-bumps": _moved("Neuropixels 2.0, bumps", DriftSetting(70, "bump", (-15.0, 15.0), 1.0, "neuropixels-2")),
    "np2-fixed": _moved("Neuropixels 2.0, still", DriftSetting(70, "none", (-1.0, 1.0), 1.0, "neuropixels-2")),
    "wander384": _moved("384 channels, wandering", DriftSetting(200, "random_walk", (-10.0, 10.0), n_channels=384)),
    "real-still": _moved("measured waveforms and noise, still", RealSetting(60)),
    "real-drift": _moved("measured waveforms and noise, drifting", RealSetting(60, 30.0)),
    "real-still64": _moved("measured waveforms and noise, still", RealSetting(30, n_channels=64)),
    "speed": _speed(60.0),
    "speed600": _speed(600.0),
    "warm": Kind("every kernel once", 10.0, 64, 16, {"preset": "hard"}),
    "quick": Kind("quick", 10.0, 16, 4, {"preset": "easy", "amplitude_range_uv": (80.0, 150.0)}),
}
