"""SpikeInterface's ``dredge_online_lfp`` on a field in a file; runs in the peers' environment.

    python peer_field.py FIELD.npz OUT.npz

FIELD holds ``traces (time, row)``, ``row_um`` and ``rate``. OUT gets ``displacement`` and ``time_s``.
"""

import sys

import numpy as np


def main(given: str, out: str) -> None:
    from probeinterface import Probe
    from spikeinterface.core import NumpyRecording
    from spikeinterface.preprocessing import directional_derivative
    from spikeinterface.sortingcomponents.motion.dredge import dredge_online_lfp

    data = np.load(given)
    traces = data["traces"]
    recording = NumpyRecording([traces], float(data["rate"]))
    probe = Probe(ndim=2)
    places = float(data["row_um"]) * np.arange(traces.shape[1])
    probe.set_contacts(np.stack([0 * places, places], axis=1), shapes="circle", shape_params={"radius": 5})
    probe.set_device_channel_indices(np.arange(traces.shape[1]))
    recording.set_probe(probe, in_place=True)
    profile = directional_derivative(recording, order=2, edge_order=1)
    found = dredge_online_lfp(profile, rigid=True, progress_bar=False, device="cpu")
    motion = found[0] if isinstance(found, tuple) else found
    np.savez(out, displacement=motion.displacement[0][:, 0], time_s=motion.temporal_bins_s[0])


if __name__ == "__main__":
    main(*sys.argv[1:])
