"""Metrics of new units, computed from the contents of the tree."""

import numpy as np
import pytest

import xephys

from .test_merge import tree_of


def test_noise_levels_follow_from_units_on_the_same_channel():
    from xephys.schema import make_recording
    from xephys.sorting import build_sorting

    templates = np.zeros((3, 10, 4), np.float32)
    templates[0, 4, 1], templates[1, 4, 1], templates[2, 4, 3] = -80, -40, -50
    rec = make_recording(np.zeros((3000, 4), "i2"), sampling_frequency=1000.0)
    units = {
        "label": ["good"] * 3,
        "channel_index": [1, 1, 3],
        "amplitude": np.array([80.0, 40, 50], np.float32),
        "snr": [8.0, 4.0, 10.0],
    }
    spikes = {"sample_index": [100, 200, 300, 400], "unit_index": [0, 1, 2, 1]}
    tree = build_sorting(rec, spikes=spikes, units=units, templates=templates, nbefore=4)
    merged = xephys.merge_units(tree, [0, 1])
    assert merged["units"]["snr"].values[0] == pytest.approx((80 + 2 * 40) / 3 / 10)
    far = xephys.merge_units(xephys.select_units(tree, [0, 2]), [0, 2])
    assert far["units"]["amplitude"].values[0] == pytest.approx(40.0)
    assert far["units"]["snr"].values[0] == pytest.approx(4.0)


def test_without_templates_amplitudes_are_unknown():
    tree = tree_of([[1000], [2000]], amplitude=np.array([3.0, 4.0]), snr=np.array([1.0, 2.0]))
    merged = xephys.merge_units(tree, [0, 1])
    assert np.isnan(merged["units"]["amplitude"].values).all() and np.isnan(merged["units"]["snr"].values).all()
    assert merged["units"]["num_spikes"].values.tolist() == [2]
