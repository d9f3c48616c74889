"""SpikeInterface's ``dredge_ap`` on peaks in a file; runs in the peers' environment, which has torch but not xephys.

    python peer.py PEAKS.npz OUT.npz

PEAKS holds ``peaks``, ``positions``, ``duration_s`` and ``sampling_frequency`` of one shank, and ``rigid`` if one
displacement of the whole shank is wanted. OUT gets ``displacement``
``(time, depth)``, ``time_s``, ``depth_um``, ``seconds`` and ``version``.
"""

import sys
import time
from importlib.metadata import version

import numpy as np


def main(given: str, out: str) -> None:
    from probeinterface import Probe
    from spikeinterface.core import generate_recording
    from spikeinterface.sortingcomponents.motion.dredge import dredge_ap

    data = np.load(given)
    positions, records, rate = data["positions"], data["peaks"], 1000.0
    probe = Probe(ndim=2)
    probe.set_contacts(positions, shapes="circle", shape_params={"radius": 5})
    probe.set_device_channel_indices(np.arange(len(positions)))
    # Only its duration and geometry are used; a low rate keeps it small.
    recording = generate_recording(
        num_channels=len(positions), durations=[float(data["duration_s"])], sampling_frequency=rate, set_probe=False
    )
    recording.set_probe(probe, in_place=True)
    fields = [("sample_index", "<i8"), ("channel_index", "<i8"), ("amplitude", "<f8"), ("segment_index", "<i8")]
    peaks, places = np.zeros(len(records), fields), np.zeros(len(records), [("x", "<f8"), ("y", "<f8")])
    peaks["sample_index"] = np.minimum(
        records["sample_index"] * rate / float(data["sampling_frequency"]), recording.get_num_samples() - 1
    )
    peaks["amplitude"], peaks["channel_index"] = records["amplitude"], records["channel_index"]
    places["y"] = records["y"]
    begin = time.perf_counter()
    motion, _ = dredge_ap(
        recording=recording,
        peaks=peaks,
        peak_locations=places,
        rigid="rigid" in data and bool(data["rigid"]),
        progress_bar=False,
        device="cpu",
        extra_outputs=True,
    )
    np.savez(
        out,
        displacement=motion.displacement[0],
        time_s=motion.temporal_bins_s[0],
        depth_um=motion.spatial_bins_um,
        seconds=time.perf_counter() - begin,
        version=version("spikeinterface"),
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
