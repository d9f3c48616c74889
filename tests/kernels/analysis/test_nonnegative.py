"""Non-negative least squares equal SciPy's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import nnls

from xephys.kernels.analysis.nonnegative import nonnegative


@pytest.mark.parametrize("seed", range(20))
def test_nonnegative_least_squares_as_scipy_solves_it(seed: int) -> None:
    rng = np.random.default_rng(seed)
    columns = rng.normal(size=(60, 5)) + rng.normal(size=(60, 1))
    target = columns @ rng.normal(size=5) + rng.normal(size=60)
    expected = nnls(columns, target)[0]
    np.testing.assert_allclose(nonnegative(columns.T @ columns, columns.T @ target), expected, atol=1e-8)


def test_two_copies_of_one_template_share_the_scale() -> None:
    gram = np.full((2, 2), 4.0)
    assert nonnegative(gram, np.array([8.0, 8.0])).sum() == pytest.approx(2.0, rel=1e-5)
