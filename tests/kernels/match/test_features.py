"""Projections of matched spikes are those of the spike alone, even where others overlap it."""

from __future__ import annotations

import numpy as np
import pytest

from xephys.kernels.match.features import match_and_project
from xephys.kernels.match.model import build_match_model
from xephys.kernels.match.templates import match_halo, match_templates
from xephys.kernels.templates.low_rank import low_rank_templates

N_SAMPLES, N_BEFORE, N_CHANNELS = 40, 12, 6
BEFORE, AFTER = match_halo(N_SAMPLES, nbefore=N_BEFORE)
NEIGHBORS = np.array([[0, 1, 2], [0, 1, 2], [1, 2, 3], [2, 3, 4], [3, 4, 5], [3, 4, 5]], np.int32)


def waveforms():
    time = np.arange(N_SAMPLES) - N_BEFORE
    shapes = [-np.exp(-0.5 * (time / w) ** 2) + 0.4 * np.exp(-0.5 * ((time - 9) / 5) ** 2) for w in (2.0, 3.5)]
    falls = [np.exp(-0.5 * (np.arange(N_CHANNELS) - peak) ** 2) for peak in (1.6, 3.4)]
    return np.stack([14 * s[:, None] * f for s, f in zip(shapes, falls, strict=True)])


def model():
    temporal, spatial = low_rank_templates(waveforms(), rank=2)
    channels = np.tile(np.arange(N_CHANNELS, dtype=np.int32), (2, 1))
    return build_match_model(temporal=temporal, spatial=spatial, channels=channels, n_channels=N_CHANNELS)


def components():
    rows = np.concatenate([w.T for w in waveforms()])
    return np.linalg.svd(rows, full_matrices=False)[2][:4].astype(np.float32)


def traces(spikes, n=600, noise=0.3, seed=0):
    made = noise * np.random.default_rng(seed).standard_normal((n + BEFORE + AFTER, N_CHANNELS))
    for row, unit, amplitude in spikes:
        first = row + BEFORE - N_BEFORE
        made[first : first + N_SAMPLES] += amplitude * waveforms()[unit]
    return made.astype(np.float32)


def found(data, *, before=BEFORE, after=AFTER, start=0):
    return match_and_project(
        data, before=before, after=after, start=start, nbefore=N_BEFORE, components=components(),
        neighbors=NEIGHBORS, amplitude_std=np.inf, model=model(),
    )  # fmt: skip


def expected(unit, amplitude, channel):
    return amplitude * (waveforms()[unit][:, NEIGHBORS[channel]].T @ components().T)


def test_overlapping_spikes_are_separated():
    spikes = [(100, 0, 1.0), (107, 1, 1.2), (300, 1, 0.8), (430, 0, 1.1), (433, 1, 1.0)]
    data = traces(spikes)
    records = found(data)
    assert [(int(r["sample_index"]), int(r["unit_index"])) for r in records] == [s[:2] for s in spikes]
    for record, (_, unit, amplitude) in zip(records, spikes, strict=True):
        truth = expected(unit, amplitude, record["channel_index"])
        first = int(record["sample_index"]) + BEFORE - N_BEFORE
        uncleaned = data[first : first + N_SAMPLES, NEIGHBORS[record["channel_index"]]].T @ components().T
        error = np.abs(record["projection"] - truth).max()
        assert error < 0.12 * np.abs(truth).max()
        if record["sample_index"] != 300:  # the only spike without an overlap
            assert error < 0.3 * np.abs(uncleaned - truth).max()


def test_sampling_phases_are_one_cloud():
    """A spike between two samples has the features of its template, not those of the shifted waveform."""
    late = traces([], noise=0.0)
    from xephys.kernels.match.model import shift_matrices

    delayed = np.einsum("ij,jc->ic", shift_matrices(N_SAMPLES, steps_per_sample=2)[2], waveforms()[0])
    late[BEFORE + 100 - N_BEFORE :][:N_SAMPLES] = delayed
    (record,) = found(late)
    truth = expected(0, 1.0, record["channel_index"])
    plain = delayed[:, NEIGHBORS[record["channel_index"]]].T @ components().T
    assert np.abs(record["projection"] - truth).max() < 0.3 * np.abs(plain - truth).max()


def test_spikes_are_the_same_as_without_projections():
    data = traces([(100, 0, 1.0), (107, 1, 1.2), (598, 1, 0.8)])
    plain = match_templates(
        data, before=BEFORE, after=AFTER, start=0, nbefore=N_BEFORE, amplitude_std=np.inf, model=model()
    )
    records = found(data)
    for name in plain.dtype.names:
        np.testing.assert_array_equal(records[name], plain[name])


def test_a_spike_across_a_border_belongs_to_one_core():
    data = traces([(297, 0, 1.0), (302, 1, 1.0)])
    left = found(data[: 300 + BEFORE + AFTER])
    right = found(data[300:], start=300)
    assert np.concatenate([left, right]).tobytes() == found(data).tobytes()


def test_another_window_may_be_projected():
    with pytest.raises(ValueError, match="components have 40 samples and templates 30"):
        short = {**model(), "temporal": model()["temporal"][..., :30]}
        match_and_project(traces([]), before=BEFORE, after=AFTER, start=0, nbefore=N_BEFORE, components=components(),
                          neighbors=NEIGHBORS, model=short)  # fmt: skip
