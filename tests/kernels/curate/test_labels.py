"""Labels of units by the properties of their trains."""

from __future__ import annotations

import numpy as np

from xephys.kernels.curate.labels import label_units


def test_labels_follow_contamination_and_rates():
    labels = label_units(
        np.array([500, 500, 5, 500, 500]),
        np.array([0.0, np.nan, 0.0, 0.0, 0.0]),
        np.array([9.0, 9.0, 9.0, 1.0, np.nan]),
    )
    assert labels.tolist() == ["good", "mua", "mua", "noise", "noise"]


def test_a_small_unit_is_not_good_however_clean():
    labels = label_units(np.array([500, 500]), np.zeros(2), np.array([4.9, 5.1]))
    assert labels.tolist() == ["mua", "good"]
