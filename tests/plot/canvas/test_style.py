"""Style: round lengths of scale bars, and matplotlib's settings stay unchanged."""

from __future__ import annotations

import functools
import tempfile

import numpy as np
import pytest

import xephys
from tests.pipeline.conftest import quick_sorter
from tests.support.analyzed import analyzed_sorting
from xephys import plot
from xephys.comparison import GroundTruthStudy, compare_collisions, compare_multiple_sorters, compare_two_sorters
from xephys.comparison.pair import compare
from xephys.plot import plot_probe
from xephys.plot.canvas.style import paper_style, round_length
from xephys.testing import simulate_sessions


@pytest.mark.parametrize(("length", "expected"), [(7.0, 5.0), (0.3, 0.2), (100.0, 100.0), (199.0, 100.0), (0.0, 1.0)])
def test_round_length(length, expected):
    assert round_length(length) == pytest.approx(expected)


def _of_a_comparison(function):
    return lambda simulated, sorting, **given: function(compare(simulated[1], simulated[1]), **given)


def _of_a_sorting(function):
    return lambda simulated, sorting, **given: function(sorting, **given)


def _of_a_recording(function):
    return lambda simulated, sorting, **given: function(simulated[0], **given)


def _of_peaks(simulated, sorting, **given):
    filtered = xephys.bandpass_filter(simulated[0])
    peaks = xephys.detect_peaks(filtered, noise_levels=xephys.estimate_noise_levels(filtered))
    located = xephys.localize_peaks(filtered, peaks).compute()
    return plot.plot_motion(simulated[0], _of_a_still_probe(), peaks=located, **given)


def _of_a_still_probe():
    return xephys.make_motion([[0.0], [0.0]], time_s=[0.0, 4.0], depth_um=[0.0])


def _of_an_analysis(function, *words):
    return lambda simulated, sorting, **given: function(analyzed_sorting()[1], *words, **given)


def _of_activity(simulated, sorting, **given):
    peaks = np.zeros(9, [("channel_index", "i8")])
    return plot.plot_peak_activity(peaks, simulated[0], **given)


def _of_two(function):
    return lambda simulated, sorting, **given: function(compare_two_sorters(sorting, sorting), **given)


def _of_several(function):
    return lambda simulated, sorting, **given: function(compare_multiple_sorters([sorting] * 3), **given)


def _of_collisions(function, *words):
    return lambda simulated, sorting, **given: function(compare_collisions(sorting, sorting), *words, **given)


def _of_a_study(simulated, sorting, **given):
    with tempfile.TemporaryDirectory() as folder:
        study = GroundTruthStudy.create(f"{folder}/study", {"monday": simulated})
        study.run_sorters({"quick": quick_sorter})
        return plot.plot_study(study, **given)


@functools.cache
def _tracked():
    """Two sessions, their truth and their tracks."""
    sessions, truth = simulate_sessions(n_sessions=2, n_neurons=10, n_channels=32, seed=0)
    return sessions, truth, xephys.track_units(sessions)


def _of_tracks(function):
    return lambda simulated, sorting, **given: function(_tracked()[2], **given)


def _of_calibration(simulated, sorting, **given):
    _, truth, tracks = _tracked()
    return plot.plot_calibration(tracks, truth.neuron, **given)


def _of_a_track(simulated, sorting, **given):
    sessions, _, tracks = _tracked()
    return plot.plot_track(tracks, sessions, 0, **given)


FIGURES = {
    "plot_study": _of_a_study,
    "plot_agreement": _of_two(plot.plot_agreement),
    "plot_comparison_collision_by_similarity": _of_collisions(plot.plot_comparison_collision_by_similarity, np.eye(3)),
    "plot_comparison_collision_pair_by_pair": _of_collisions(plot.plot_comparison_collision_pair_by_pair),
    "plot_multicomp_agreement": _of_several(plot.plot_multicomp_agreement),
    "plot_multicomp_agreement_by_sorter": _of_several(plot.plot_multicomp_agreement_by_sorter),
    "plot_multicomp_graph": _of_several(plot.plot_multicomp_graph),
    "plot_peak_activity": _of_activity,
    **{
        name: _of_an_analysis(getattr(plot, name))
        for name in (
            "plot_amplitude_distributions",
            "plot_amplitudes",
            "plot_autocorrelograms",
            "plot_crosscorrelograms",
            "plot_isi_distribution",
            "plot_principal_component",
            "plot_rasters",
            "plot_unit_depths",
            "plot_unit_locations",
            "plot_unit_probe_map",
            "plot_unit_waveforms",
            "plot_waveform_density",
        )
    },
    "plot_unit_summary": _of_an_analysis(plot.plot_unit_summary, 1),
    "plot_accuracy": _of_a_comparison(plot.plot_accuracy),
    "plot_confusion": _of_a_comparison(plot.plot_confusion),
    "plot_displacement": lambda simulated, sorting, **given: plot.plot_displacement(_of_a_still_probe(), **given),
    "plot_drift_raster": _of_a_sorting(plot.plot_drift_raster),
    "plot_motion": _of_peaks,
    "plot_probe": _of_a_recording(plot.plot_probe),
    "plot_report": _of_a_sorting(plot.plot_report),
    "plot_templates": _of_a_sorting(plot.plot_templates),
    "plot_calibration": _of_calibration,
    "plot_survival": _of_tracks(plot.plot_survival),
    "plot_presence": _of_tracks(plot.plot_presence),
    "plot_track": _of_a_track,
    "plot_track_matrix": _of_tracks(plot.plot_track_matrix),
    "plot_track_motion": _of_tracks(plot.plot_track_motion),
    "plot_traces": _of_a_recording(plot.plot_traces),
}


def test_every_figure_is_in_the_table():
    assert set(FIGURES) == set(plot.__all__)


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_gives_axes_that_pyplot_can_save(name, simulated, sorting, tmp_path):
    import matplotlib.pyplot as plt

    ax = FIGURES[name](simulated, sorting)
    assert isinstance(ax, plt.Axes)
    assert plt.gcf() is ax.figure
    plt.savefig(tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 5_000


@pytest.mark.parametrize("by_hand", [False, True], ids=["subplots", "add_axes"])
@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_is_drawn_into_given_axes(name, by_hand, simulated, sorting):
    import matplotlib.pyplot as plt

    if by_hand:
        figure = plt.figure(figsize=(9, 7))
        ax = figure.add_axes((0.1, 0.1, 0.35, 0.8))
    else:
        figure, (ax, _) = plt.subplots(1, 2, layout="constrained")
    assert FIGURES[name](simulated, sorting, ax=ax) is ax
    assert plt.get_fignums() == [figure.number]
    figure.draw_without_rendering()
    inside = [other.get_position().x1 for other in figure.axes if other is not ax and other.get_position().x0 < 0.45]
    assert all(x1 < 0.6 for x1 in inside)


def test_figures_leave_the_settings_alone(simulated):
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    plot_probe(simulated[0])
    assert dict(mpl.rcParams) == before


def test_settings_made_by_a_backend_during_a_figure_are_kept():
    """The first figure of a notebook loads the backend, which sets ``interactive``; later figures need that."""
    import matplotlib as mpl

    before = mpl.rcParams["interactive"], mpl.rcParams["font.size"]
    try:
        with paper_style():
            mpl.rcParams["interactive"] = not before[0]
            assert mpl.rcParams["font.size"] == 8
        assert mpl.rcParams["interactive"] is not before[0]
        assert mpl.rcParams["font.size"] == before[1]
    finally:
        mpl.rcParams["interactive"] = before[0]
