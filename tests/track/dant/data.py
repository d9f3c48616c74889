"""A data folder of pyDANT, small enough to be tracked in a moment."""

import numpy as np

from xephys.testing import simulate_sessions


def write_data(folder, *, n_sessions=3, n_neurons=20, n_channels=48, seed=0, **given):
    sessions, truth = simulate_sessions(
        n_sessions=n_sessions, n_neurons=n_neurons, n_channels=n_channels, seed=seed, **given
    )
    (folder / "spike_times").mkdir(parents=True)
    np.save(folder / "waveform_all.npy", np.concatenate([s["templates"].values for s in sessions]).transpose(0, 2, 1))
    np.save(folder / "session_index.npy", np.repeat(np.arange(n_sessions), [s.sizes["unit"] for s in sessions]) + 1)
    np.save(folder / "channel_locations.npy", np.column_stack([sessions[0]["x"], sessions[0]["y"]]))
    for k, train in enumerate(np.concatenate([s["spike_time"].values for s in sessions])):
        np.save(folder / "spike_times" / f"Unit{k}.npy", train)
    return {"path_to_data": str(folder), "output_folder": str(folder / "out")}, truth
