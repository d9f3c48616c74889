"""Waveforms cleaned by one CUDA kernel, in Numba's simulator or on a GPU, equal those of the CPU."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.matching import (
    N_BEFORE,
    N_CHANNELS,
    N_SAMPLES,
    NEIGHBORS,
    make_model,
    make_templates,
    make_traces,
    random_spikes,
)
from xephys.kernels.lib.dispatch import to_host
from xephys.kernels.lib.records_device import Columns
from xephys.kernels.match.cuda.clean import cleaned_windows
from xephys.kernels.match.features import match_and_project

BEFORE, AFTER, START = 120, 130, 500


@pytest.mark.parametrize(("n_units", "count"), [(1, 3), (8, 40)])
def test_projections_agree(cuda_xp, n_units, count):
    """Up to a spike every ten samples, so that most waveforms hold parts of several others."""
    model = make_model(make_templates(n_units, seed=n_units))
    rng = np.random.default_rng(3)
    components = np.ascontiguousarray(np.linalg.qr(rng.standard_normal((N_SAMPLES, 4)))[0].T, np.float32)
    traces = make_traces(model, random_spikes(n_units, 650, count, seed=5), 650, noise=1.0)
    given = {"nbefore": N_BEFORE, "components": components, "neighbors": NEIGHBORS, "model": model}
    expected = match_and_project(traces, before=BEFORE, after=AFTER, start=START, **given)
    # All spikes of the traces, as if none of them were a halo; their windows reach to the ends of longer traces.
    longer = np.concatenate([np.zeros((N_SAMPLES, N_CHANNELS), "f4"), traces, np.zeros((N_SAMPLES, N_CHANNELS), "f4")])
    spikes = match_and_project(longer, before=N_SAMPLES, after=N_SAMPLES, start=START - BEFORE, **given)
    columns = Columns({name: cuda_xp.asarray(np.ascontiguousarray(spikes[name])) for name in spikes.dtype.names})
    core = (spikes["sample_index"] >= START) & (spikes["sample_index"] < START + 650 - BEFORE - AFTER)
    chosen = slice(int(core.argmax()), int(core.argmax() + core.sum()))
    assert np.array_equal(spikes["sample_index"][chosen], expected["sample_index"])
    windows = cleaned_windows(
        cuda_xp, cuda_xp.asarray(traces), columns, chosen, first=START - BEFORE, nbefore=N_BEFORE,
        around=cuda_xp.asarray(NEIGHBORS[spikes["channel_index"][chosen]]), model=model, n_threads=4,
    )  # fmt: skip
    found = np.einsum("pt,ntk->nkp", components, to_host(windows))
    assert len(found) > 0.4 * count
    assert np.abs(found - expected["projection"]).max() < 1e-4 * np.abs(expected["projection"]).max()


def test_no_spikes_have_no_waveforms(cuda_xp):
    model = make_model(make_templates(1, seed=0))
    names = {"sample_index": "i8", "unit_index": "i8", "sample_offset": "f8", "amplitude": "f8"}
    nothing = Columns({name: cuda_xp.zeros(0, dtype=dtype) for name, dtype in names.items()})
    found = cleaned_windows(
        cuda_xp, cuda_xp.zeros((100, N_CHANNELS), dtype="f4"), nothing, slice(0, 0), first=0,
        nbefore=N_BEFORE, around=cuda_xp.zeros((0, 3), dtype="i4"), model=model,
    )  # fmt: skip
    assert found.shape == (0, N_SAMPLES, 3)
