"""The picture of a study shows every unit of every sorter, counts and times, and where a run failed."""

from __future__ import annotations

import numpy as np
import pytest

from tests.pipeline.conftest import failing_sorter, quick_sorter
from tests.support.figures import saved_size
from xephys.comparison import GroundTruthStudy
from xephys.plot import plot_study


@pytest.fixture
def study(simulated, tmp_path):
    made = GroundTruthStudy.create(tmp_path / "study", {"monday": simulated})
    made.run_sorters({"quick": quick_sorter, "broken": failing_sorter})
    return made


def test_units_counts_and_times(study, tmp_path):
    figure = plot_study(study).figure
    _, ranked, by_snr, numbers, taken = figure.axes
    accuracy = study.aggregate_performance_by_unit()["accuracy"].to_numpy(float)
    np.testing.assert_array_equal(ranked.lines[0].get_ydata(), np.sort(accuracy)[::-1])
    np.testing.assert_array_equal(by_snr.lines[0].get_xdata(), study.concat_all_snr()["snr"])
    assert [label.get_text() for label in numbers.get_xticklabels()] == study.sorter_names
    assert [len(line.get_xdata()) for line in taken.lines] == [1, 1]
    assert saved_size(figure, tmp_path) > 5_000


def test_with_an_exhaustive_truth_false_positives_are_counted(study):
    study.run_comparisons(exhaustive_gt=True)
    numbers = plot_study(study).figure.axes[3]
    assert len(numbers.patches) == 4 * len(study.sorter_names)
