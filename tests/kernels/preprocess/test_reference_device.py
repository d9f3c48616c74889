"""Common references on a device: medians equal NumPy's to the bit, averages up to rounding."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.counts import agree
from xephys.kernels.lib.dispatch import to_host
from xephys.kernels.preprocess import reference, reference_device

#: Near the middle of the magnitudes in ``counts``, so that channels leave and join again.
QUIET_LIMIT = 900.0


@pytest.mark.parametrize("operator", ["median", "average"])
@pytest.mark.parametrize(
    "sets", ["all", "groups", "some", "good", "left alone", "all left alone", "quiet", "quiet groups"]
)
def test_common_reference(xp, counts, operator, sets):
    given = {
        "all": {},
        "groups": {"groups": np.arange(40) % 3},
        "some": {"reference_channels": np.array([4, 9, 30])},
        "good": {"good": np.arange(40) % 5 > 0, "groups": np.arange(40) // 20},
        "left alone": {"groups": np.arange(40) % 4 - 1},
        "all left alone": {"groups": np.full(40, -1)},
        "quiet": {"quiet_limits": np.full(40, QUIET_LIMIT, "f4")},
        "quiet groups": {
            "groups": np.arange(40) % 3,
            "good": np.arange(40) % 5 > 0,
            "quiet_limits": np.linspace(0.5, 2, 40) * QUIET_LIMIT,
        },
    }[sets]
    values = (counts * np.float32(0.195))[:500]
    keywords = {"before": 5, "after": 2, "operator": operator, **given}
    found = to_host(reference_device.common_reference(xp, xp.asarray(values), **keywords))
    expected = reference.common_reference(values, **keywords)
    if operator == "median":
        np.testing.assert_array_equal(found, expected)
    agree(found, expected, 1e-6)
