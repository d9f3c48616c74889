"""One pass finds the spikes of templates and the peaks of the residual, as two passes do."""

from __future__ import annotations

import numpy as np

from tests.kernels.match.test_features import AFTER, BEFORE, N_BEFORE, N_CHANNELS, NEIGHBORS, components, model, traces
from xephys.kernels.detect.peaks import detect_locally_exclusive
from xephys.kernels.features.waveforms import project_waveforms
from xephys.kernels.match.features import match_and_project
from xephys.kernels.match.leftover import LEFT, match_and_look
from xephys.kernels.match.templates import match_residual

COMPETING = np.tile(np.arange(N_CHANNELS, dtype=np.int32), (N_CHANNELS, 1))
PEAKS = {"peak_sign": "both", "exclude_sweep_samples": 15, "good": np.ones(N_CHANNELS, bool)}


def of_known(unit):
    """The model of one of two units: the spikes of the other have no template."""
    whole = model()
    return {
        **{name: whole[name][unit : unit + 1] for name in ("temporal", "spatial", "channels", "peak_channels")},
        **{name: whole[name][unit : unit + 1] for name in ("energies", "shifted_temporal")},
        "pair_starts": np.array([0, 1]),
        "pair_units": np.zeros(1, np.int32),
        "pair_overlaps": whole["pair_overlaps"][3 * unit : 3 * unit + 1],
    }


def found(data, *, before=BEFORE, after=AFTER, start=0):
    return match_and_look(
        data, before=before, after=after, start=start, nbefore=N_BEFORE, components=components(),
        neighbors=NEIGHBORS, competing=COMPETING, peak_thresholds=np.full(N_CHANNELS, 3.0, np.float32),
        **PEAKS, model=of_known(0),
    )  # fmt: skip


SPIKES = [(60, 0, 1.0), (150, 1, 1.0), (158, 0, 1.1), (300, 1, 0.9), (420, 0, 0.9), (431, 1, 1.2), (520, 1, 1.0)]


def test_spikes_without_a_template_are_the_remaining_peaks():
    spikes = found(traces(SPIKES))
    known, left = spikes[spikes["unit_index"] == 0], spikes[spikes["unit_index"] == LEFT]
    assert known["sample_index"].tolist() == [row for row, unit, _ in SPIKES if unit == 0]
    true = np.array([row for row, unit, _ in SPIKES if unit == 1])
    assert np.abs(left["sample_index"][:, None] - true).min(axis=0).max() <= 2
    assert len(left) == len(true)
    assert np.all(left["gain"] == left["amplitude"] ** 2)
    assert np.all(np.diff(spikes["sample_index"]) >= 0)


def test_records_are_those_of_two_passes():
    data = traces(SPIKES)
    tile = {"before": BEFORE, "after": AFTER, "start": 0, "nbefore": N_BEFORE}
    spikes = found(data)
    alone = match_and_project(data, **tile, components=components(), neighbors=NEIGHBORS, model=of_known(0))
    assert spikes[spikes["unit_index"] == 0].tobytes() == alone.tobytes()
    residual = match_residual(data, before=0, after=0, start=-BEFORE, nbefore=N_BEFORE, model=of_known(0))
    peaks = detect_locally_exclusive(
        residual, before=BEFORE, after=AFTER, start=0, thresholds=np.full(N_CHANNELS, 3.0, np.float32),
        neighbors=COMPETING, **PEAKS,
    )  # fmt: skip
    projected = project_waveforms(residual, peaks, **tile, components=components(), neighbors=NEIGHBORS)
    left = spikes[spikes["unit_index"] == LEFT]
    for name in ("sample_index", "channel_index", "projection"):
        assert left[name].tobytes() == projected[name].tobytes()


def test_tiles_find_the_peaks_of_the_whole():
    data, cut = traces(SPIKES), 290
    first = found(data[: cut + BEFORE + AFTER])
    second = found(data[cut:], start=cut)
    assert np.concatenate([first, second]).tobytes() == found(data).tobytes()


def test_an_empty_residual_has_no_peak():
    spikes = found(traces([(100, 0, 1.0)], noise=0.1))
    assert spikes["unit_index"].tolist() == [0]
    assert not len(found(np.zeros((400 + BEFORE + AFTER, N_CHANNELS), np.float32)))
