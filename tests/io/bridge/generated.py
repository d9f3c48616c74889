"""Random SpikeInterface recordings and sortings: a random number of segments, properties, probes and units."""

from __future__ import annotations

from typing import Any

import numpy as np
import spikeinterface.core as si
from probeinterface import ProbeGroup, generate_linear_probe

RATE = 1000.0
PROPERTIES: dict[str, Any] = {
    "brain_area": lambda n: np.array(["CA1", "DG", "cortex"])[np.arange(n) % 3],
    "quality": lambda n: np.arange(n) > 1,
    "x": lambda n: np.arange(n) * 1.5,
    "label": lambda n: np.array(["a", "bc"])[np.arange(n) % 2],
    "stacked": lambda n: np.arange(3 * n).reshape(n, 3),
    "odd name": lambda n: np.arange(n, dtype="uint8"),
    "objects": lambda n: np.array([None, {"a": [1, 2]}, "text", 2.5][:n] + [None] * max(0, n - 4), object),
}


def generated(seed: int, *, without: tuple[str, ...] = ()) -> Any:
    """A random recording; without some of the properties, if these are named."""
    rng = np.random.default_rng(seed)
    n_channels, n_segments = int(rng.integers(1, 9)), int(rng.integers(1, 4))
    dtype = str(rng.choice(["int16", "uint16", "float32", "int32"]))
    traces = [rng.integers(0, 200, (int(rng.integers(50, 400)), n_channels)).astype(dtype) for _ in range(n_segments)]
    ids = rng.permutation(100)[:n_channels] if rng.random() < 0.5 else [f"ch{k}" for k in rng.permutation(n_channels)]
    recording = si.NumpyRecording(traces, sampling_frequency=RATE, channel_ids=np.array(ids))
    if rng.random() < 0.5:
        recording.set_channel_gains(rng.uniform(0.1, 1, n_channels))
        recording.set_channel_offsets(rng.uniform(-5, 5, n_channels))
    for index, samples in enumerate(traces):
        kind = rng.integers(3)
        if kind == 1:
            recording.segments[index]._t_start = float(np.round(rng.uniform(0, 50), 3))
        if kind == 2:
            times = float(rng.uniform(0, 9)) + np.cumsum(rng.uniform(0.9, 1.1, len(samples))) / RATE
            recording.set_times(times, segment_index=index, with_warning=False)
    if rng.random() < 0.7:
        recording.set_probegroup(probes(n_channels, several=rng.random() < 0.5))
    for name in rng.permutation(list(PROPERTIES))[: rng.integers(0, 5)]:
        if name in without:
            continue
        recording.set_property(name, PROPERTIES[name](n_channels))
    recording.annotate(session=f"night {seed}", days=[1, 2])
    return recording


def probes(n_channels: int, *, several: bool) -> ProbeGroup:
    group = ProbeGroup()
    n_first = n_channels // 2 if several and n_channels > 2 else n_channels
    group.add_probe(generate_linear_probe(n_first, ypitch=20.0))
    if n_first < n_channels:
        second = generate_linear_probe(n_channels - n_first, ypitch=20.0)
        second.move([500.0, 0.0])
        group.add_probe(second)
    group.set_global_device_channel_indices(np.arange(n_channels))
    return group


UNIT_PROPERTIES: dict[str, Any] = {
    "quality": lambda n: np.array(["good", "mua", "noise"])[np.arange(n) % 3],
    "label": lambda n: np.array(["a", "bc"])[np.arange(n) % 2],
    "unit": lambda n: np.arange(n)[::-1],
    "unit_id": lambda n: np.arange(n, dtype="uint8"),
    "num_spikes": lambda n: np.arange(n) + 0.5,
    "with/slash": lambda n: np.where(np.arange(n) == 1, np.nan, np.arange(n)),
    "with blank": lambda n: np.arange(n) % 2 == 0,
    "nested": lambda n: np.arange(6 * n, dtype="f4").reshape(n, 2, 3),
    "group": lambda n: np.arange(n) % 2,
    "texts": lambda n: np.array([f"ä {k}" * k for k in range(n)]),
    "complex": lambda n: np.arange(n) * 1j,
    "big": lambda n: np.arange(n, dtype=">i4"),
    "objects": lambda n: np.array([None, {"a": [1, 2]}, "text", 2.5][:n] + [None] * max(0, n - 4), object),
}


def generated_sorting(seed: int) -> Any:
    """A random sorting: segments, units without spikes, starts, names, properties."""
    rng = np.random.default_rng(seed)
    n_units, n_segments = int(rng.integers(1, 9)), int(rng.integers(1, 5))
    names = rng.permutation(100)[:n_units] if rng.random() < 0.5 else [f"unit {k}" for k in rng.permutation(n_units)]
    trains = [np.sort(rng.integers(0, 900, int(rng.integers(0, 80)))) for _ in range(n_segments)]
    labels = [np.array(names)[rng.integers(0, n_units, len(train))] for train in trains]
    sorting = si.NumpySorting.from_samples_and_labels(trains, labels, RATE, unit_ids=np.array(names))
    for segment in sorting.segments:
        segment._t_start = None if rng.random() < 0.5 else float(np.round(rng.uniform(0, 50), 3))
    for name in rng.permutation(list(UNIT_PROPERTIES))[: rng.integers(0, 7)]:
        sorting.set_property(name, UNIT_PROPERTIES[name](n_units))
    sorting.annotate(session=f"night {seed}", days=[1, 2])
    return sorting
