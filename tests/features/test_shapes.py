"""Shapes learned from a recording, and recordings from which none can be learned."""

from __future__ import annotations

import numpy as np
import pytest

import xephys
from xephys import ParameterError
from xephys.errors import SilentRecordingError

from ..support.spiking import RATE, case


@pytest.fixture(scope="module")
def shapes():
    return xephys.learn_shapes(case().white)


def test_shapes_and_components_have_unit_norm(shapes):
    assert shapes["shape"].shape == (6, 61)
    np.testing.assert_allclose(np.linalg.norm(shapes["shape"], axis=1), 1.0, rtol=1e-5)
    np.testing.assert_allclose(shapes["component"].values @ shapes["component"].values.T, np.eye(6), atol=1e-5)
    assert shapes.attrs["nbefore"] == 20


def test_the_shapes_fit_the_waveforms_of_the_units(shapes):
    """The cosine between each true template in the traces and the nearest shape."""
    templates = xephys.estimate_templates(
        case().white, case().spikes, peak_channels=case().truth.peak_channels, ms_before=20 / 30, ms_after=41 / 30,
        n_nearest=1,
    )["waveform"].values[:, :, 0]  # fmt: skip
    cosine = np.abs(templates @ shapes["shape"].values.T) / np.linalg.norm(templates, axis=1, keepdims=True)
    assert cosine.max(axis=1).min() > 0.9


def test_the_same_seed_gives_the_same_shapes(shapes):
    assert xephys.learn_shapes(case().white).equals(shapes)
    assert not xephys.learn_shapes(case().white, seed=1)["shape"].equals(shapes["shape"])


def test_few_spikes_give_few_shapes():
    """A high threshold leaves a handful of clips: fewer shapes and components, but no failure."""
    largest = np.sort(np.abs(case().white.values).ravel())[-200]
    few = xephys.learn_shapes(case().white, detect_threshold=float(largest), n_tiles=None)
    assert 1 <= few.sizes["shape"] <= few.attrs["n_clips"]
    assert few.sizes["component"] <= few.attrs["n_clips"]


def test_bad_input_is_refused():
    with pytest.raises(SilentRecordingError, match=r"no peak above 1000 stands alone in 8 s .* lower detect_threshold"):
        xephys.learn_shapes(case().white, detect_threshold=1000.0)
    with pytest.raises(ParameterError, match="nbefore is 61; it must lie inside the 61 samples"):
        xephys.learn_shapes(case().white, nbefore=61)
    with pytest.raises(ParameterError, match="n_shapes is 0; it must be greater than 0"):
        xephys.learn_shapes(case().white, n_shapes=0)


def test_shapes_are_drawn_from_a_seed():
    drawn = xephys.standard_shapes(sampling_frequency=RATE, n_shapes=4, n_components=3, n_samples=41, nbefore=13)
    assert (drawn["shape"].shape, drawn["component"].shape, drawn.attrs["n_clips"]) == ((4, 41), (3, 41), 0)
