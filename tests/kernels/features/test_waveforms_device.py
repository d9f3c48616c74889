"""Waveforms on a device: the same snippets, and projections up to rounding."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.crossings import EDGES, NEIGHBORS, same_records
from xephys.kernels.features import waveforms
from xephys.kernels.features import waveforms_device as device
from xephys.kernels.lib import gather_device
from xephys.kernels.lib.records_device import Columns


@pytest.mark.parametrize("given", ["host", "device"])
def test_snippets(xp, traces, events, given):
    keywords = {**EDGES, "nbefore": 20, "nafter": 41}
    own = events if given == "host" else Columns({n: xp.asarray(events[n].copy()) for n in events.dtype.names})
    found = device.snippets(xp, xp.asarray(traces), own, **keywords)
    same_records(found, waveforms.snippets(traces, events, **keywords))


def test_projections(xp, traces, events, monkeypatch):
    monkeypatch.setattr(gather_device, "GATHERED", 7 * 61 * 5)  # a few events at a time
    components = np.linalg.qr(np.random.default_rng(3).normal(size=(61, 6)))[0].T.astype(np.float32)
    keywords = {**EDGES, "components": components, "neighbors": NEIGHBORS, "nbefore": 20}
    found = device.project_waveforms(xp, xp.asarray(traces), events, **keywords).get()
    expected = waveforms.project_waveforms(traces, events, **keywords)
    assert found.dtype == expected.dtype
    np.testing.assert_allclose(found["projection"], expected["projection"], atol=1e-5)
