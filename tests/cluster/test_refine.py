"""Refinement of matched units: a unit whose spikes were matched by another's template is found again."""

from __future__ import annotations

import numpy as np
import pytest

import xephys
from tests.support.spiking import case
from xephys.cluster.refine import estimated_counts


@pytest.fixture(scope="module")
def components():
    peaks = xephys.detect_peaks(case().white, noise_levels=case().white_levels)
    return xephys.learn_components(case().white, peaks, n_components=4, ms_before=0.9, ms_after=1.3)


@pytest.fixture(scope="module")
def noise(components):
    return xephys.estimate_feature_noise(case().white, components=components)


def matched(components, spikes, channels):
    templates = xephys.estimate_templates(
        case().white, spikes, peak_channels=channels, ms_before=0.9, ms_after=1.3, n_nearest=16
    )
    return xephys.match_templates(
        case().white, templates=templates, components=components, n_nearest=8, amplitude_min=0.2, amplitude_std=1.0
    ).compute()


def test_units_that_share_a_template_are_separated(components, noise):
    spikes = case().spikes.copy()
    near = np.argsort(case().truth.unit_positions[:, 1])[:2]
    # The mean of the two templates was matched in place of both.
    merged = spikes[np.isin(spikes["unit_index"], near)]
    merged["unit_index"] = 0
    found = matched(components, merged, case().truth.peak_channels[near[:1]])
    refined = xephys.refine_clusters(case().white, found, components=components, feature_noise=noise)
    assert refined.n_clusters >= 2
    assert set(refined.splits["unit"]) == {0}
    assert refined.splits["num_spikes"].min() >= 20
    best = []
    for unit in near:
        true = spikes["sample_index"][spikes["unit_index"] == unit]
        shares = []
        for cluster in range(refined.n_clusters):
            own = found["sample_index"][refined.labels == cluster] + refined.sample_shift[refined.labels == cluster]
            hits = sum(np.abs(true - sample).min() <= 12 for sample in own)
            shares.append(hits / max(len(own), 1))
        best.append(int(np.argmax(shares)))
        assert max(shares) > 0.9
    assert best[0] != best[1]


def test_clean_units_stay_as_they_are(components, noise):
    found = matched(components, case().spikes, case().truth.peak_channels)
    refined = xephys.refine_clusters(case().white, found, components=components, feature_noise=noise)
    assert refined.n_clusters == 5
    for unit in range(5):
        labels = refined.labels[found["unit_index"] == unit]
        assert (labels == np.bincount(labels[labels >= 0]).argmax()).mean() > 0.95


def test_only_part_of_a_large_unit_is_used(components, noise):
    found = matched(components, case().spikes, case().truth.peak_channels)
    refined = xephys.refine_clusters(
        case().white, found, components=components, feature_noise=noise, n_spikes_per_unit_max=30
    )
    assert np.bincount(found["unit_index"][refined.labels >= 0]).max() <= 30
    counts = estimated_counts(found, refined.labels, n_spikes_per_unit_max=30)
    np.testing.assert_allclose(counts, np.bincount(found["unit_index"]), rtol=0.1)


def test_no_spikes_give_no_units(components, noise):
    found = matched(components, case().spikes, case().truth.peak_channels)[:0]
    refined = xephys.refine_clusters(case().white, found, components=components, feature_noise=noise)
    assert refined.n_clusters == 0 and len(refined.labels) == 0


def test_spikes_without_projections_are_refused(components, noise):
    found = np.zeros(3, [("sample_index", "i8"), ("unit_index", "i8")])
    with pytest.raises(xephys.ParameterError, match="no projections; match them with components="):
        xephys.refine_clusters(case().white, found, components=components, feature_noise=noise)


def test_a_parameter_beyond_its_limit_is_named(components, noise):
    with pytest.raises(xephys.ParameterError, match="n_spikes_min is 0; it must be greater than 0"):
        xephys.refine_clusters(
            case().white, np.zeros(0, []), components=components, feature_noise=noise, n_spikes_min=0
        )
