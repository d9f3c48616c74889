"""The recording that is moved to a device: its sampling delays give every transform work to do."""

from __future__ import annotations

import numpy as np

from tests.support.spiking import case


def recording():
    traces = case().recording
    return traces.assign_coords(inter_sample_shift=("channel", np.arange(traces.sizes["channel"]) % 6 / 6))
