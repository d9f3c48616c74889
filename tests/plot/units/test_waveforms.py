"""Waveforms, their density, and their principal components."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.analyzed import analyzed_sorting
from xephys.errors import ParameterError
from xephys.plot import plot_principal_component, plot_unit_waveforms, plot_waveform_density

from .test_trains import panels


def own_waveforms(sorting, unit):
    kept, sparsity = sorting["analysis/waveforms"], sorting["analysis/sparsity"]
    owner = sorting["spikes"]["unit_index"].values[kept["waveform_spike"].values]
    slot = kept["channel_index"].values[unit].tolist().index(sparsity["peak_channel"].values[unit])
    return kept["waveform"].values[owner == unit][:, :, slot]


def test_single_waveforms_and_their_mean_are_drawn():
    _, sorting = analyzed_sorting()
    for unit, panel in enumerate(panels(plot_unit_waveforms(sorting, n_waveforms_max=7))):
        expected = own_waveforms(sorting, unit)
        *single, mean = panel.lines
        assert len(single) == 7
        np.testing.assert_array_equal(single[0].get_ydata(), expected[0])
        np.testing.assert_allclose(mean.get_ydata(), expected.mean(axis=0), rtol=1e-5)
        assert mean.get_xdata()[30] == 0  # the spike, one millisecond from the beginning


def test_every_sample_of_every_waveform_is_in_the_density():
    _, sorting = analyzed_sorting()
    for panel in panels(plot_waveform_density(sorting)):
        np.testing.assert_allclose((panel.images[0].get_array() ** 2).sum(axis=0), 1.0)


def test_components_are_those_of_the_peak_channel():
    _, sorting = analyzed_sorting()
    ax = plot_principal_component(sorting, unit_ids=[1, 0], components=(0, 2))
    node, kept = sorting["analysis/principal_components"], sorting["analysis/waveforms"]
    owner = sorting["spikes"]["unit_index"].values[kept["waveform_spike"].values]
    channel = sorting["analysis/sparsity"]["peak_channel"].values[1]
    for unit, dots in zip((1, 0), ax.collections, strict=True):
        slot = kept["channel_index"].values[unit].tolist().index(channel)
        np.testing.assert_allclose(dots.get_offsets(), node["projection"].values[owner == unit][:, [0, 2], slot])
    assert ax.get_ylabel() == "component 3"
    with pytest.raises(ParameterError, match="there are 5"):
        plot_principal_component(sorting, components=(0, 5))
