"""Pulses do not become spikes, and spikes between pulses stay."""

import numpy as np
import pytest

import xephys
from xephys.realtime import sort_offline, sort_stim

PULSES = 0.05 + 0.25 * np.arange(40)


@pytest.fixture(scope="module")
def stimulated(recording):
    """The recording with a pulse of 3 ms on all channels, larger on some, every quarter of a second."""
    rec, _ = recording
    samples = rec.values.astype(np.int32)
    shape = (3000 * np.exp(-np.arange(75) / 20)[:, None] * np.linspace(0.3, 1, 16)).astype(np.int32)
    for time in PULSES:
        at = round(time * 30_000)
        samples[at : at + 75] += shape
    return rec.copy(data=np.clip(samples, -32768, 32767).astype(np.int16))


def trains(sorting):
    spikes = sorting["spikes"]
    return set(zip(spikes["sample_index"].values.tolist(), spikes["unit_index"].values.tolist(), strict=True))


def test_the_spikes_are_those_without_pulses(recording, sequences, stimulated):
    clean = trains(sort_offline(recording[0], sequences))
    far = {(s, u) for s, u in clean if np.abs(s / 30_000 - PULSES).min() > 0.02}
    found = trains(sort_stim(stimulated, sequences, trigger_times_s=PULSES))
    near = {(s, u) for s, u in found if np.abs(s / 30_000 - PULSES).min() <= 0.02}
    assert len(far & found) > 0.97 * len(far)
    assert len(found - clean) < 0.05 * len(clean)
    assert all(not -0.5e-3 <= s / 30_000 - t <= 3.0e-3 for s, _ in near for t in PULSES)


def test_times_are_moved_to_the_pulses(recording, sequences, stimulated):
    sorting = sort_stim(stimulated, sequences, trigger_times_s=PULSES + 0.004, recenter_ms=10)
    np.testing.assert_allclose(sorting.attrs["trigger_times_s"], PULSES, atol=1e-4)
    exact = sort_stim(stimulated, sequences, trigger_times_s=PULSES)
    assert trains(sorting) == trains(exact)


def test_wrong_input_is_named(recording, sequences):
    for given, text in (({"recenter_ms": 80.0}, "recenter_ms is 80; give 0 to 50"), ({"mode": "cubc"}, "cubc")):
        with pytest.raises(xephys.ParameterError, match=text):
            sort_stim(recording[0], sequences, trigger_times_s=[1.0], **given)
