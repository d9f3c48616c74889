"""Components are orthonormal and explain the spikes."""

from __future__ import annotations

import numpy as np
import pytest

import xephys
from tests.support.spiking import case, peaks


def test_components_are_orthonormal_and_explain_the_spikes(components):
    assert components.dims == ("component", "sample")
    basis = components.values
    np.testing.assert_allclose(basis @ basis.T, np.eye(4), atol=1e-5)
    snippets = xephys.extract_snippets(case().filtered, peaks(), ms_before=0.7, ms_after=1.3).compute()["waveform"]
    rest = snippets - snippets @ basis.T @ basis
    assert (rest**2).sum() < 0.1 * (snippets**2).sum()


def test_a_window_has_as_many_samples_as_components():
    with pytest.raises(xephys.ParameterError, match="n_components is 8, and the window has 2 samples"):
        xephys.learn_components(case().filtered, peaks(), n_components=8, ms_before=0.02, ms_after=0.03)


def test_computed_peaks_give_the_same_components():
    lazy = xephys.learn_components(case().filtered, peaks(), n_components=4)
    found = xephys.learn_components(case().filtered, peaks().compute(), n_components=4)
    np.testing.assert_allclose(found, lazy, atol=1e-6)  # snippets come in another order
