"""Whitening with one matrix for all channels."""

from __future__ import annotations

import numpy as np
import pytest

import xephys
from tests.support.correlated import noise_recording
from xephys import ParameterError
from xephys.recording.excerpts import sample_traces


def test_it_has_no_parameters():
    with pytest.raises(ParameterError, match="mode 'global' has no parameter 'n_nearest'; it has none"):
        xephys.estimate_whitening(noise_recording(), mode="global", n_nearest=4)


def test_global_is_the_symmetric_inverse_root():
    matrix = xephys.estimate_whitening(noise_recording(), mode="global", regularization=1e-9)["matrix"].values
    sample = np.concatenate(sample_traces(noise_recording()))
    values, vectors = np.linalg.eigh(np.cov(sample.astype("f8").T, bias=True))
    expected = vectors @ np.diag(values**-0.5) @ vectors.T
    np.testing.assert_allclose(matrix, expected, rtol=1e-4, atol=1e-6)
