"""Centers of mass equal SpikeInterface's."""

from __future__ import annotations

import numpy as np

import xephys
from tests.support.spiking import RATE, case


def test_centers_of_mass_equal_spikeinterfaces(records):
    import spikeinterface.core as si
    from spikeinterface.sortingcomponents.peak_localization import localize_peaks

    peer = si.NumpyRecording([case().filtered.values], RATE)
    peer.set_dummy_probe_from_locations(np.stack([case().filtered.x, case().filtered.y], axis=1))
    inside = records[(records["sample_index"] > 100) & (records["sample_index"] < 8 * RATE - 100)]
    theirs = localize_peaks(
        peer,
        inside[["sample_index", "channel_index", "amplitude", "segment_index"]],
        method="center_of_mass",
        method_kwargs={"radius_um": 75.0, "feature": "ptp"},
        ms_before=0.5,
        ms_after=0.5,
        job_kwargs={"n_jobs": 1, "progress_bar": False},
    )
    ours = xephys.localize_peaks(case().filtered, inside, method="center_of_mass").compute()
    for axis in "xy":
        np.testing.assert_allclose(ours[axis], theirs[axis], atol=0.5)
