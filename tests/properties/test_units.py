"""An estimate made on counts is refused on microvolts and on white traces, and the other way round, wherever taken."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
import xarray as xr

import xephys
from xephys.errors import RecordingError
from xephys.testing import simulate_recording


@cache
def made() -> dict[str, Any]:
    """Traces in each unit, and the estimates of each."""
    counts, truth = simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0)
    traces = {"counts": xephys.bandpass_filter(counts), "uV": xephys.bandpass_filter(xephys.to_uv(counts))}
    whitening = {unit: xephys.estimate_whitening(one, n_nearest=4) for unit, one in traces.items()}
    traces["noise"] = xephys.whiten(traces["counts"], whitening=whitening["counts"])
    whitening["noise"] = xephys.estimate_whitening(traces["noise"], n_nearest=4)
    spikes = truth.spikes[["sample_index", "unit_index"]]
    templates = {
        unit: xephys.estimate_templates(one, spikes, peak_channels=truth.peak_channels, n_nearest=6)
        for unit, one in traces.items()
    }
    return {
        "traces": traces,
        "whitening": whitening,
        "templates": templates,
        "matches": xephys.match_templates(traces["noise"], templates=templates["noise"]).compute(),
        "noise_levels": {unit: xephys.estimate_noise_levels(one) for unit, one in traces.items()},
        "statistics": {unit: xephys.estimate_statistics(one) for unit, one in traces.items()},
    }


#: Functions of traces, by the estimate that they take.
USES = {
    "whiten": ("whitening", xephys.whiten),
    "detect_peaks": ("noise_levels", xephys.detect_peaks),
    "blank_common_artifacts": ("noise_levels", xephys.blank_common_artifacts),
    "blank_noisy_stretches": ("noise_levels", xephys.blank_noisy_stretches),
    "common_reference": ("noise_levels", xephys.common_reference),
    "silence_periods": ("noise_levels", lambda r, **given: xephys.silence_periods(r, periods_s=[(0.5, 1.0)], **given)),
    "zscore": ("statistics", xephys.zscore),
    "center": ("statistics", xephys.center),
    "match_templates": ("templates", xephys.match_templates),
    "match_residual": ("templates", xephys.match_residual),
    "estimate_noise_gain": ("templates", xephys.estimate_noise_gain),
    "balance_thresholds": (
        "templates",
        lambda r, **given: xephys.balance_thresholds(r, made()["matches"], **given),
    ),
}
OTHERS = [("counts", "uV"), ("uV", "counts"), ("counts", "noise"), ("noise", "uV")]


@pytest.mark.parametrize(("of", "on"), OTHERS, ids=["-".join(pair) for pair in OTHERS])
@pytest.mark.parametrize("name", USES)
def test_an_estimate_in_another_unit_is_refused(name, of, on):
    estimate, use = USES[name]
    with pytest.raises(RecordingError, match=f"in {of} and the traces in {on}; estimate"):
        use(made()["traces"][on], **{estimate: made()[estimate][of]})


@pytest.mark.parametrize("name", USES)
def test_an_estimate_in_the_unit_of_the_traces_is_taken(name):
    estimate, use = USES[name]
    for unit, traces in made()["traces"].items():
        use(traces, **{estimate: made()[estimate][unit]})


def test_xarray_refuses_to_join_traces_in_different_units_if_told_to():
    """What the page on segments advises, since Xarray otherwise takes the attributes of the first."""
    counts, _ = simulate_recording(duration_s=1, n_channels=4, n_units=1, seed=0)
    microvolts = xephys.to_uv(counts)
    parts = [microvolts[:100], counts[100:200]]
    with pytest.raises(xr.MergeError, match="units"):
        xr.concat(parts, "time", combine_attrs="no_conflicts")
    joined = xr.concat([microvolts[:100], microvolts[100:200]], "time", combine_attrs="no_conflicts")
    np.testing.assert_array_equal(joined.values, microvolts[:200].values)
    assert joined.attrs["units"] == "uV"
