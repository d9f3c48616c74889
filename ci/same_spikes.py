"""Print digests of the sortings of eight fixed recordings: python ci/same_spikes.py > before.txt

Run it before and after a change that must not move a spike, and compare the two outputs line by line. Spikes, units
and templates of both presets are hashed to the bit. The digests depend on the processor, so they are compared on one
machine and never stored.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import xarray as xr

import xephys
from xephys.testing import simulate_recording

NODES = ("spikes", "units", "templates")


def recordings() -> Iterator[tuple[str, xr.DataArray]]:
    """Small recordings that together take every path through the sorter."""
    kinds: dict[str, dict[str, Any]] = {
        "tetrode": {"n_channels": 4, "n_units": 4, "duration_s": 30, "probe": "tetrode"},
        "linear-32": {"n_channels": 32, "n_units": 10, "duration_s": 20, "probe": "linear"},
        "dense-128": {"n_channels": 128, "n_units": 40, "duration_s": 20},
        "long-384": {"n_channels": 384, "n_units": 60, "duration_s": 10},
        "hard-64": {"n_channels": 64, "n_units": 20, "duration_s": 30, "preset": "hard"},
        "multi-shank": {"n_channels": 64, "n_units": 16, "duration_s": 20, "probe": "multi-shank"},
    }
    for seed, (name, parameters) in enumerate(kinds.items()):
        yield name, simulate_recording(seed=seed, **parameters)[0]


def digest(tree: xr.DataTree) -> str:
    """Hash of all variables of the spikes, units and templates, by name and type."""
    total = hashlib.sha256()
    for node in NODES:
        for name, variable in sorted(tree[node].dataset.variables.items(), key=lambda item: str(item[0])):
            values = np.ascontiguousarray(variable.values)
            bits = repr(values.tolist()).encode() if values.dtype == object else values.tobytes()
            total.update(f"{node}/{name}/{values.dtype}/{values.shape}".encode() + bits)
    return total.hexdigest()[:16]


def show(name: str, preset: str, tree: xr.DataTree) -> None:
    sizes = f"{tree['units'].sizes['unit']:4d} units {tree['spikes'].sizes['spike']:7d} spikes"
    print(f"{name:12s} {preset:10s} {sizes}  {digest(tree)}", flush=True)


def main() -> None:
    for name, recording in recordings():
        for preset, parameters in (("default", {}), ("kilosort4", {"nblocks": 0})):
            tree = xephys.sort(recording, preset=preset, **parameters)
            show(name, preset, tree)
            if name == "linear-32" and preset == "default":
                again = simulate_recording(n_channels=32, n_units=10, duration_s=20, probe="linear", seed=1)[0]
                show("learned", preset, xephys.sort(again, learned=tree))
            if name == "multi-shank":
                part = recording.ephys.time_slice(start_s=3.3, stop_s=17.1)
                show("sliced", preset, xephys.sort(part, preset=preset, **parameters))


if __name__ == "__main__":
    main()
