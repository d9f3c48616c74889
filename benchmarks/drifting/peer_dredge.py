"""DREDge itself on events in a file; runs in an environment that has ``dredge-ephys``, which brings torch.

    python peer_dredge.py EVENTS.npz OUT.npz

EVENTS holds ``amplitude``, ``depth_um`` and ``time_s`` of each event. OUT gets the attributes of its estimate:
``displacement``, ``time_bin_centers_s``, ``spatial_bin_centers_um`` (absent if it is rigid) and ``version``.
"""

import sys
from importlib.metadata import version

import numpy as np


def main(given: str, out: str) -> None:
    from dredge.dredge_ap import register

    events = np.load(given)
    estimate, _ = register(events["amplitude"], events["depth_um"], events["time_s"], device="cpu", pbar=False)
    depths = estimate.spatial_bin_centers_um
    np.savez(
        out,
        displacement=estimate.displacement,
        time_bin_centers_s=estimate.time_bin_centers_s,
        version=version("dredge-ephys"),
        **({} if depths is None else {"spatial_bin_centers_um": depths}),
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
