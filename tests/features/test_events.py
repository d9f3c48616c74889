"""Windows around events, in samples."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from tests.support.spiking import RATE
from xephys import ParameterError
from xephys.features.events import columns_of, spike_records, window_samples


def test_window_samples():
    assert window_samples(0.5, 1.0, RATE) == (15, 30)
    assert window_samples(0, 0.001, RATE) == (0, 1)
    with pytest.raises(ParameterError, match=r"ms_before is -0.1; it must be at least 0"):
        window_samples(-0.1, 1.0, RATE)
    with pytest.raises(ParameterError, match="ms_after is 0; it must be greater than 0"):
        window_samples(0.5, 0, RATE)


COLUMNS = {"sample_index": np.array([30, 10, 20]), "unit_index": np.array([1, 0, -1])}


@pytest.mark.parametrize(
    "as_what",
    [
        lambda columns: columns,
        pd.DataFrame,
        lambda columns: xr.Dataset({name: ("spike", values) for name, values in columns.items()}),
        lambda columns: np.asarray(pd.DataFrame(columns).to_records(index=False)),
        lambda columns: xr.DataTree.from_dict(
            {"spikes": xr.Dataset({name: ("spike", values) for name, values in columns.items()})}
        ),
    ],
    ids=["dict", "DataFrame", "Dataset", "records", "sorting"],
)
def test_any_table_of_events_is_accepted(as_what):
    found = columns_of(as_what(COLUMNS))
    assert {name: values.tolist() for name, values in found.items()} == {
        name: values.tolist() for name, values in COLUMNS.items()
    }
    assert spike_records(as_what(COLUMNS)).tolist() == [(10, 0), (20, -1), (30, 1)]
    assert spike_records(as_what(COLUMNS), labels=np.array([5, 6, 7])).tolist() == [(10, 6), (20, 7), (30, 5)]


def test_unsuitable_tables_are_refused():
    with pytest.raises(ParameterError, match="the columns have different lengths"):
        columns_of({"sample_index": [1, 2], "unit_index": [0]})
    with pytest.raises(TypeError, match="got list"):
        columns_of([1, 2, 3])
    with pytest.raises(ParameterError, match=r"the spikes have no unit_index.*clustering\.spikes\(peaks\)"):
        spike_records({"sample_index": np.array([1, 2])})
    with pytest.raises(ParameterError, match="labels are float64"):
        spike_records({"sample_index": np.array([1, 2])}, labels=np.array([0.5, 1.0]))
