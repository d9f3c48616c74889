"""Blocks of any length give the spikes of the whole recording, to the sample."""

import numpy as np
import pytest

import xephys
from xephys.realtime import sort_offline, stream


@pytest.fixture(scope="module")
def samples(recording):
    return recording[0].isel(time=slice(0, 90_000)).values


@pytest.fixture(scope="module")
def offline(recording, sequences):
    part = recording[0].isel(time=slice(0, 90_000))
    spikes = sort_offline(xephys.make_recording(
        part.values, sampling_frequency=30_000.0, coordinates={"x": part.x.values, "y": part.y.values}
    ), sequences)["spikes"]  # fmt: skip
    return list(zip(spikes["sample_index"].values.tolist(), spikes["unit_index"].values.tolist(), strict=True))


def pieces(samples, size):
    return (samples[start : start + size] for start in range(0, len(samples), size))


def pairs(tables):
    found = np.concatenate(tables)
    found = found[np.argsort(found["sample_index"], kind="stable")]
    return list(zip(found["sample_index"].tolist(), found["unit_index"].tolist(), strict=True))


@pytest.mark.parametrize("size", [150, 1, 4999, 90_000])
def test_blocks_of_any_length_give_what_the_whole_recording_gives(samples, sequences, offline, size):
    length = 6000 if size == 1 else len(samples)
    found = pairs(list(stream(sequences, pieces(samples[:length], size))))
    if size == 1:
        offline = [spike for spike in offline if spike[0] < length - 500]
        found = [spike for spike in found if spike[0] < length - 500]
    assert len(found) > 5
    assert found == offline


def test_reset_begins_anew(samples, sequences):
    live = stream(sequences)
    runs = []
    for _ in range(2):
        runs.append([live.push(block) for block in pieces(samples[:30_000], 150)])
        live.reset()
    assert pairs(runs[0]) == pairs(runs[1]) and live.n_samples == 0


def test_a_spike_is_reported_within_the_latency(samples, sequences):
    live = stream(sequences)
    for number, block in enumerate(pieces(samples[:30_000], 150)):
        found = live.push(block)
        assert (found["sample_index"] >= (number - 1) * 150 - live.latency_samples - 30).all()
    assert live.latency_samples < 0.006 * 30_000


def test_a_wrong_block_is_refused_and_changes_nothing(samples, sequences, offline):
    live = stream(sequences)
    found = [live.push(samples[:300])]
    with pytest.raises(xephys.RecordingError, match=r"block at sample 300 has shape \(150, 15\).*of 16 channels"):
        live.push(samples[300:450, :15])
    bad = samples[300:450].astype(np.float32)
    bad[7, 3] = np.nan
    with pytest.raises(xephys.RecordingError, match="block at sample 300 holds NaN"):
        live.push(bad)
    found += [live.push(block) for block in pieces(samples[300:], 150)]
    assert pairs([*found, live.flush()]) == offline


def test_a_source_that_stops_early_ends_with_what_it_gave(samples, sequences):
    tables = list(stream(sequences, pieces(samples[:20_000], 150)))
    assert len(tables) == 20_000 // 150 + 2
    assert max(table["sample_index"].max(initial=0) for table in tables) < 20_000
    assert [len(table) for table in stream(sequences, iter([]))] == [0]


def test_something_else_than_blocks_is_refused(sequences):
    with pytest.raises(xephys.ParameterError, match="source is a int"):
        stream(sequences, 3)
