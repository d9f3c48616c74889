"""Values and estimates that do not fit the traces are refused in one sentence, where a wrong result would follow."""

from __future__ import annotations

import numpy as np
import pytest

import xephys
from tests.test_wrong_calls import _sorting, given
from xephys import plot

__all__ = ["given"]  # the fixture

#: Wrong calls by their topic: the call, and what the sentence must contain.
CALLS = {
    "the gain by hand": (lambda g: xephys.sort(g.r * 0.195), r"say 'counts' with gains.*scale\(units='uV'\)"),
    "levels of raw traces": (
        lambda g: xephys.detect_peaks(g.f, noise_levels=xephys.estimate_noise_levels(g.r)),
        r"traces as recorded, and these traces are after bandpass_filter.*\(estimate_noise_levels\)",
    ),
    "endless levels": (lambda g: xephys.detect_peaks(g.f, noise_levels=g.levels + np.inf), "hold inf; they are finite"),
    "negative levels": (lambda g: xephys.detect_peaks(g.f, noise_levels=-g.levels), "finite and at least 0"),
    "millivolts": (lambda g: xephys.scale(g.r, gain=1e-3, units="mV"), "voltages are in 'uV'"),
    "one excerpt": (
        lambda g: xephys.estimate_noise_levels(g.r, excerpts=g.array),
        r"give a list of arrays \(sample, channel\) of the 8 channels",
    ),
    "a seed below zero": (lambda g: xephys.estimate_noise_levels(g.r, seed=-1), "seed is -1; it must be at least 0"),
    "coefficients of one section": (lambda g: xephys.filter_with_sos(g.r, sos=np.ones(6)), "with output='sos'"),
    "an unstable filter": (
        lambda g: xephys.filter_with_sos(g.r, sos=np.array([[1, 0, 0, 1, -3.0, 2.5]])),
        "unstable.*or design another",
    ),
    "triggers of every segment": (
        lambda g: xephys.remove_artifacts(g.r, trigger_times_s=[[0.5, 1.0]]),
        r"has shape \(1, 2\); give one list of times",
    ),
    "half a sample": (lambda g: xephys.sample_times(g.r, [0.5]), "holds 0.5; give whole numbers"),
    "a sample before the start": (lambda g: xephys.sample_times(g.r, [3, -5]), "holds -5; give whole numbers from 0"),
    "two contacts along the depth": (
        lambda g: xephys.highpass_spatial_filter(g.r[:, :2]),
        "has 2 channels, too few for a filter over depth of order 3; use common_reference",
    ),
    "components without their spike": (
        lambda g: xephys.project_peaks(
            g.f, g.f.ephys.detect_peaks(noise_levels=g.levels), components=g.r[:3].rename(time="component")
        ),
        "the attribute nbefore None; give .component, sample. .*learn_components",
    ),
    "a mode without a folder": (
        lambda g: xephys.run_sorter("xephys_default", g.r, mode="resume"),
        "mode is 'resume'; it must be one of 'raise', 'keep', 'overwrite'",
    ),
    "labels for bad": (
        lambda g: xephys.bandpass_filter(g.r.assign_coords(bad=("channel", ["good"] * 8))),
        r"'bad' holds \['good'\] and so on; give True or False for each channel, or labels to mark_bad_channels",
    ),
    "a figure of no comparison": (lambda g: plot.plot_accuracy(_sorting(g)), "give a Comparison, from compare"),
    "a figure of two sorters for several": (
        lambda g: plot.plot_multicomp_graph(xephys.compare(_sorting(g), _sorting(g))),
        "a Comparison; give a MultiSortingComparison, from comparison.compare_multiple_sorters",
    ),
    "a study of recordings": (
        lambda g: xephys.comparison.GroundTruthStudy({"monday": g.r}),
        "GroundTruthStudy: study_folder is .*; give one path",
    ),
    "phy's files of another recording": (
        lambda g: xephys.export_phy(_sorting(g), g.folder / "other", recording=g.r[:20_000]),
        "the recording has 0 to 19999; give the recording that was sorted",
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_what_does_not_fit_is_refused_in_a_sentence(name, given):
    call, sentence = CALLS[name]
    with pytest.raises((ValueError, TypeError), match=sentence) as caught:
        call(given)
    assert len(str(caught.value)) < 500
    assert "\n" not in str(caught.value)
