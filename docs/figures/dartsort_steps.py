"""Draw docs/figures/dartsort_steps.png, what detection by subtraction does: python docs/figures/dartsort_steps.py"""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np

import xephys
from xephys.testing import simulate_recording

START, STOP = 30_000, 30_900


def main() -> None:
    recording, truth = simulate_recording(
        duration_s=12, n_channels=16, n_units=10, seed=5, amplitude_range_uv=(50, 160), rate_median_hz=15.0
    )
    filtered = xephys.bandpass_filter(recording)
    white = xephys.whiten(filtered, whitening=xephys.estimate_whitening(filtered))
    levels = xephys.estimate_noise_levels(white)
    peaks = xephys.detect_peaks(white, noise_levels=levels, peak_sign="both")
    denoiser = xephys.learn_denoiser(white, peaks)
    known = {"denoiser": denoiser, "noise_levels": levels}
    events = xephys.detect_by_subtraction(white, **known, keep_denoised=True).compute()
    residual = xephys.subtraction_residual(white, **known)

    window = slice(START, STOP)
    seen, left = white.isel(time=window).values, residual.isel(time=window).values
    milliseconds = np.arange(STOP - START) / 30
    step = 14.0 * np.arange(seen.shape[1])
    figure, axes = plt.subplots(1, 4, figsize=(13, 4.6), width_ratios=(2, 2, 1.2, 1.6), layout="constrained")
    own = events[(events["sample_index"] >= START) & (events["sample_index"] < STOP)]
    for axis, traces, title in zip(axes, (seen, left), ("a  white traces and events", "b  what is left"), strict=False):
        axis.plot(milliseconds, traces + step, color="0.35", linewidth=0.5)
        axis.set(title=title, xlabel="time (ms)", yticks=[], ylim=(step[0] - 18, step[-1] + 14))
    axes[0].scatter(
        (own["sample_index"] - START) / 30, step[own["channel_index"]], s=26, facecolors="none", edgecolors="C3"
    )
    largest = own[np.argmax(own["gain"])]
    waveform = largest["denoised"] @ denoiser["component"].values
    row = int(largest["sample_index"]) - START - int(denoiser.attrs["nbefore"])
    channels = np.flatnonzero(np.abs(waveform).max(axis=1) > 0)
    for place, slot in enumerate(channels):
        channel = _channels_within(white, int(largest["channel_index"]))[slot]
        cut = seen[max(row, 0) : row + waveform.shape[1], channel]
        axes[2].plot(cut[-waveform.shape[1] :] + 14 * place, color="0.7", linewidth=0.8)
        axes[2].plot(waveform[slot][-len(cut) :] + 14 * place, color="C0", linewidth=1.2)
    axes[2].set(title="c  one event, denoised", xlabel="sample", yticks=[])
    axes[3].scatter(events["sample_index"] / 30_000, events["y"], s=2, c=np.log(events["gain"]), cmap="viridis")
    depths = truth.unit_positions[:, 1]
    axes[3].scatter(np.full(len(depths), 12.3), depths, marker="<", color="C3", s=18)
    axes[3].set(title="d  where events are (◂ units)", xlabel="time (s)", ylabel="y (µm)")
    figure.savefig(Path(__file__).with_suffix(".png"), dpi=110)


def _channels_within(white: object, channel: int, radius_um: float = 200.0) -> np.ndarray:
    positions = np.stack([white.x.values, white.y.values], axis=1)  # type: ignore[attr-defined]
    return np.flatnonzero(np.hypot(*(positions - positions[channel]).T) <= radius_um)


if __name__ == "__main__":
    main()
