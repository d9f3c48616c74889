"""Recordings of SpikeInterface's drifting generator: staggered contacts, correlated noise, tissue that moves."""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import numpy as np

from .generated import RATE_HZ, Generated, in_counts

Movement = Literal["zigzag", "bump", "random_walk", "steps", "none"]

DISPLACEMENTS_PER_S = 5.0
SMOOTH_S = (
    6.0  # of a random walk: tissue wanders within minutes, and does not jump from one fifth of a second to the next
)
ELLIPSOIDS: Mapping[str, Any] = {
    "ms_before": 1.5,
    "ms_after": 3.0,
    "mode": "ellipsoid",
    "unit_params": {
        "alpha": (60.0, 400.0),
        "spatial_decay": (10, 45),
        "ellipse_shrink": (0.4, 1),
        "ellipse_angle": (0, 2 * np.pi),
    },
}


class DriftSetting(NamedTuple):
    """Parameters of a kind of recording.

    The tissue moves between ``range_um``; with ``gradient`` below 1, its lowest units move by that share of it.
    ``layout`` is a name of the simulator's layouts.
    """

    n_units: int
    movement: Movement
    range_um: tuple[float, float]
    gradient: float = 1.0
    layout: str = "neuropixels-1"
    n_channels: int = 128

    def generate(self, *, seed: int, duration_s: float) -> Generated:
        """The recording of this setting and seed: a pure function of its arguments."""
        from spikeinterface.core.generate import generate_unit_locations
        from spikeinterface.generation.drifting_generator import generate_drifting_recording

        from xephys.simulation.probe import make_layout, to_probeinterface

        probe = to_probeinterface(make_layout(self.layout, self.n_channels))
        places = generate_unit_locations(
            self.n_units,
            probe.contact_positions,
            margin_um=20.0,
            minimum_z=5.0,
            maximum_z=45.0,
            minimum_distance=18.0,
            distance_strict=False,
            seed=seed,
        )
        still, drifting, truth, more = generate_drifting_recording(
            num_units=self.n_units,
            duration=duration_s,
            probe=probe,
            unit_locations=places,
            displacement_data=self.displacements(places[:, 1], seed=seed, duration_s=duration_s),
            generate_templates_kwargs=dict(ELLIPSOIDS),
            generate_sorting_kwargs={"firing_rates": (1.0, 12.0), "refractory_period_ms": 3.0},
            generate_noise_kwargs={"noise_levels": (7.0, 10.0), "spatial_decay": 25.0},
            amplitude_std=0.12,
            extra_outputs=True,
            seed=seed,
        )
        templates = more["templates"].templates_array
        counts = in_counts(still if self.movement == "none" else drifting)
        sd = np.full(self.n_channels, 8.5)
        nbefore = round(1.5 * RATE_HZ / 1000)
        return Generated(counts, truth, templates.astype(np.float32), nbefore, np.diag(sd**2))

    def displacements(self, depth_um: np.ndarray[Any, Any], *, seed: int, duration_s: float) -> tuple[Any, ...]:
        """What ``generate_drifting_recording`` takes as ``displacement_data``."""
        low, high = self.range_um
        course = self.course(seed=seed, duration_s=duration_s)
        share = (depth_um - depth_um.min()) / max(float(np.ptp(depth_um)), 1e-9)
        factor = self.gradient + (1 - self.gradient) * share
        per_unit = np.zeros((len(course), len(depth_um), 2))
        per_unit[:, :, 1] = course[:, None] * factor
        vectors = np.zeros((len(course), 2, 1))
        vectors[:, 1, 0] = course
        levels = np.arange(low, high + 1)
        steps = np.stack([np.zeros_like(levels), levels], axis=1)
        return per_unit, vectors, factor[:, None], DISPLACEMENTS_PER_S, steps

    def course(self, *, seed: int, duration_s: float) -> np.ndarray[Any, Any]:
        """Displacement in µm, five times a second, from one end of the range to the other."""
        from scipy.ndimage import gaussian_filter1d
        from spikeinterface.generation.drifting_generator import make_one_displacement_vector

        n, (low, high) = round(duration_s * DISPLACEMENTS_PER_S), self.range_um
        rng = np.random.default_rng([seed, 77])
        if self.movement == "none":
            return np.zeros(n)
        if self.movement == "steps":
            levels = rng.uniform(low, high, 6)
            return np.asarray(levels[np.searchsorted(np.sort(rng.uniform(0.1 * n, 0.9 * n, 5)), np.arange(n))])
        shape = make_one_displacement_vector(
            self.movement,
            duration=duration_s,
            displacement_sampling_frequency=DISPLACEMENTS_PER_S,
            period_s=duration_s / 2,
            t_start_drift=0.0,
            bump_interval_s=(duration_s / 6, duration_s / 3),
            seed=seed,
        )[:n]
        if self.movement == "random_walk":
            shape = gaussian_filter1d(shape, SMOOTH_S * DISPLACEMENTS_PER_S)
        return np.asarray(low + (high - low) * (shape - shape.min()) / max(float(np.ptp(shape)), 1e-9))
