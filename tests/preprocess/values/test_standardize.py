import numpy as np
import pytest
import xarray as xr

import xephys
from xephys.errors import ParameterError, RecordingError


@pytest.fixture(scope="module")
def recording():
    """Six seconds; each channel has its own level and spread, and the last is constant."""
    rng = np.random.default_rng(3)
    traces = rng.standard_normal((60_000, 4)) * [5, 20, 80, 0] + [100, -50, 0, 7]
    return xephys.make_recording(traces.astype("f4"), sampling_frequency=10_000.0)


@pytest.fixture(scope="module")
def statistics(recording):
    return xephys.estimate_statistics(recording)


def test_estimates_against_the_whole(recording, statistics):
    values = recording.values[:, :3]
    np.testing.assert_allclose(statistics["median"][:3], np.median(values, axis=0), atol=3)
    for name in ("mad", "std"):
        np.testing.assert_allclose(statistics[name][:3], [5, 20, 80], rtol=0.03)
    np.testing.assert_allclose(
        statistics["quantile_high"][:3] - statistics["quantile_low"][:3], 4.6527 * values.std(axis=0), rtol=0.03
    )
    assert float(statistics["std"][3]) == 0


def test_what_is_applied_is_what_was_estimated(recording, statistics):
    values = recording.values.astype("f8")
    median, mad = (statistics[name].values.astype("f8") for name in ("median", "mad"))
    centered = xephys.center(recording, statistics=statistics)
    np.testing.assert_allclose(centered.values, values - median, atol=1e-4)
    scores = xephys.zscore(recording, statistics=statistics, target_std=2.0)
    np.testing.assert_allclose(scores.values[:, :3], (2 * (values - median) / np.where(mad, mad, 1))[:, :3], atol=1e-4)
    assert (scores.values[:, 3] == 0).all()
    assert scores.attrs["units"] == "noise"


def test_quantiles_by_channel_and_pooled(recording, statistics):
    each = xephys.normalize_by_quantile(recording, statistics=statistics, target_range=10.0, target_median=1.0)
    ranges = np.ptp(np.quantile(each.values[:, :3], [0.01, 0.99], axis=0), axis=0)
    np.testing.assert_allclose(ranges, 10, rtol=0.03)
    np.testing.assert_allclose(np.median(each.values, axis=0), 1, atol=0.2)
    pooled = xephys.normalize_by_quantile(recording, statistics=statistics, target_range=10.0, mode="pool_channel")
    ranges = np.ptp(np.quantile(pooled.values[:, :3], [0.01, 0.99], axis=0), axis=0)
    np.testing.assert_allclose(ranges / ranges[0], [1, 4, 16], rtol=0.05)


def test_bad_input_is_refused(recording, statistics):
    with pytest.raises(RecordingError, match="statistics: 2 of the 4 channels have no value, such as 2"):
        xephys.center(recording, statistics=statistics.isel(channel=[0, 1]))
    with pytest.raises(RecordingError, match="statistics are in uV and the traces in counts"):
        xephys.zscore(recording, statistics=statistics.assign_attrs(units="uV"))
    with pytest.raises(RecordingError, match="make them with estimate_statistics"):
        xephys.center(recording, statistics=xr.Dataset())
    with pytest.raises(ParameterError, match="target_std is 0"):
        xephys.zscore(recording, statistics=statistics, target_std=0)
    with pytest.raises(ParameterError, match="target_range is -1"):
        xephys.normalize_by_quantile(recording, statistics=statistics, target_range=-1)
    with pytest.raises(ParameterError, match=r"quantile_low is 0\.9 and quantile_high 0\.1"):
        xephys.estimate_statistics(recording, quantile_low=0.9, quantile_high=0.1)
    with pytest.raises(ParameterError, match="did you mean 'median'"):
        xephys.center(recording, statistics=statistics, operator="medain")
