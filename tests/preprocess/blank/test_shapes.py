import numpy as np
import pytest

import xephys
from xephys.errors import ParameterError, RecordingError

RATE = 10_000.0
TIMES_S = 0.05 + 0.1 * np.arange(19)


@pytest.fixture(scope="module")
def stimulated():
    """Two seconds of noise with two kinds of artifact in turn, each at a size of its own."""
    rng = np.random.default_rng(0)
    shapes = rng.normal(0, 200, (2, 20, 3))
    noise = rng.normal(0, 5, (20_000, 3))
    traces, kinds, sizes = noise.copy(), np.arange(19) % 2, rng.uniform(0.5, 1.5, 19)
    for time_s, kind, size in zip(TIMES_S, kinds, sizes, strict=True):
        at = round(time_s * RATE)
        traces[at : at + 20] += size * shapes[kind]
    names = np.array(["short", "strong"])[kinds]
    return xephys.make_recording(traces.astype("f4"), sampling_frequency=RATE), noise, names


def test_each_kind_is_learned_and_subtracted_with_its_size(stimulated):
    recording, noise, names = stimulated
    artifacts = xephys.estimate_artifacts(recording, trigger_times_s=TIMES_S, labels=names, ms_before=0, ms_after=2)
    assert artifacts.sizes == {"label": 2, "sample": 20, "channel": 3}
    options = {"trigger_times_s": TIMES_S, "artifacts": artifacts, "labels": names}
    rest = xephys.subtract_artifacts(recording, **options, scale_amplitude=True).values - noise
    assert rest.std() < 1.5
    assert (xephys.subtract_artifacts(recording, **options).values - noise).std() > 3 * rest.std()


def test_the_mean_is_used_with_few_triggers(stimulated):
    recording, _, names = stimulated
    window = {"trigger_times_s": TIMES_S, "labels": names, "ms_before": 0, "ms_after": 2}
    mean = xephys.estimate_artifacts(recording, **window, operator="average")
    first = np.stack([recording.values[round(t * RATE) :][:20] for t in TIMES_S[::2]])
    np.testing.assert_allclose(mean.values[0], first.mean(axis=0), rtol=1e-5, atol=1e-3)
    one = xephys.estimate_artifacts(recording, **window, n_triggers_max=1)
    np.testing.assert_array_equal(one.values[0], first[0])


def test_bad_input_is_refused(stimulated):
    recording, _, names = stimulated
    shape = xephys.estimate_artifacts(recording, trigger_times_s=TIMES_S, labels=names)
    with pytest.raises(ParameterError, match="artifacts hold no shape of label 'odd'; they hold short, strong"):
        xephys.subtract_artifacts(recording, trigger_times_s=[0.1], labels=["odd"], artifacts=shape)
    with pytest.raises(ParameterError, match=r"labels have shape \(2,\) for 1 triggers"):
        xephys.subtract_artifacts(recording, trigger_times_s=[0.1], labels=["short", "odd"], artifacts=shape)
    with pytest.raises(ParameterError, match="time_jitter_ms is -1"):
        xephys.subtract_artifacts(recording, trigger_times_s=TIMES_S, labels=names, artifacts=shape, time_jitter_ms=-1)
    with pytest.raises(RecordingError, match="artifacts: 1 of the 3 channels have no value, such as 2"):
        xephys.subtract_artifacts(recording, trigger_times_s=[0.1], artifacts=shape.isel(channel=[0, 1]))
    with pytest.raises(ParameterError, match="no artifact of kind '0' lies with"):
        xephys.estimate_artifacts(recording, trigger_times_s=[2.5])
