"""A report for a browser: every link leads to a file, every unit has a row."""

from __future__ import annotations

from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

import xephys
from tests.support.analyzed import analyzed_sorting
from xephys.errors import OutputError, ParameterError
from xephys.plot.report.folder import export_report


class Links(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found, self.open = [], []

    def handle_starttag(self, tag, attributes):
        self.found += [value for key, value in attributes if key in ("href", "src")]
        if tag not in ("img", "meta"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_every_link_leads_to_a_file_and_every_unit_has_a_row(tmp_path):
    _, sorting = analyzed_sorting()
    export_report(sorting, tmp_path / "report", n_units_max=2, dpi=40)
    page = Links()
    page.feed((tmp_path / "report" / "index.html").read_text(encoding="utf8"))
    assert not page.open
    assert {"figures/drift_raster.png", "figures/crosscorrelograms.png", "units.csv"} <= set(page.found)
    assert sum(link.startswith("figures/unit_") and link[13].isdigit() for link in page.found) == 2
    for link in page.found:
        assert (tmp_path / "report" / link).stat().st_size > 0
    table = pd.read_csv(tmp_path / "report" / "units.csv")
    assert table["unit_id"].tolist() == sorting["units"]["unit_id"].values.tolist()
    np.testing.assert_allclose(table["snr"], sorting["analysis/quality_metrics"]["snr"].values)
    with pytest.raises(OutputError, match="exists"):
        export_report(sorting, tmp_path / "report")


def test_names_of_units_are_escaped_and_a_minimal_sorting_is_enough(tmp_path, sorting):
    renamed = xephys.relabel_units(sorting, unit_ids={0: "<a>", 1: "b/c", 2: "d"})
    export_report(renamed, tmp_path / "report", dpi=30)
    text = (tmp_path / "report" / "index.html").read_text(encoding="utf8")
    assert "&lt;a&gt;" in text
    assert (tmp_path / "report" / "figures" / "unit_b-c.png").is_file()
    bare = xephys.make_sorting(times_s=[0.1, 0.2], labels=[1, 2], sampling_frequency=1000.0)
    with pytest.raises(ParameterError, match="a report needs templates"):
        export_report(bare, tmp_path / "other")


def test_a_sorting_whose_channels_the_analysis_found(tmp_path, simulated, sorting):
    """Results stay those of the units when a report fills in the channels that the sorting itself does not have."""
    recording, spikes = simulated[0], sorting["spikes"]
    labels = sorting["units"]["unit_id"].values[spikes["unit_index"].values]
    bare = xephys.make_sorting(sample_index=spikes["sample_index"].values, labels=labels, recording=recording)
    assert "channel_index" not in bare["units"]
    analyzed = xephys.analyze(bare, recording, ["templates", "correlograms", "quality_metrics"])
    export_report(analyzed, tmp_path / "report", recording=recording, dpi=30)
    assert (tmp_path / "report" / "figures" / "crosscorrelograms.png").is_file()
