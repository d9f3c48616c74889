"""Pictures beside Kilosort4's files: all three, also of a sorting without spikes."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from xephys.io.export.kilosort_pictures import draw_pictures


@pytest.mark.parametrize("n_spikes", [0, 1, 50])
def test_three_pictures(tmp_path, n_spikes):
    rng = np.random.default_rng(0)
    np.save(tmp_path / "spike_positions.npy", rng.uniform(0, 100, (n_spikes, 2)))
    np.save(tmp_path / "channel_positions.npy", np.stack([np.zeros(5), 20.0 * np.arange(5)], axis=1))
    n_units = 3 if n_spikes else 0
    sorting = xr.DataTree.from_dict(
        {
            "spikes": xr.Dataset(
                {
                    "sample_index": ("spike", np.arange(n_spikes) * 100),
                    "unit_index": ("spike", np.arange(n_spikes) % max(n_units, 1)),
                }
            ),
            "units": xr.Dataset(
                {"firing_rate": ("unit", np.ones(n_units)), "contamination": ("unit", np.full(n_units, np.nan))}
            ),
        }
    )
    sorting.attrs["sampling_frequency"] = 1000.0
    draw_pictures(tmp_path, sorting, rng.uniform(5, 20, n_spikes))
    made = {path.name: path.stat().st_size for path in tmp_path.glob("*.png")}
    assert set(made) == {"diagnostics.png", "spike_positions.png", "drift_scatter.png"}
    assert min(made.values()) > 3000
