"""ALF files: one array per attribute, and equally many rows in all attributes of an object."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pandas as pd

from tests.support.analyzed import analyzed_sorting
from xephys.io.export.alf import export_alf

from .trains import times_by_unit


def test_objects_have_the_rows_that_the_format_requires(tmp_path):
    """Objects are read file by file as ``object.attribute``; the attributes of an object have equal lengths."""
    _, sorting = analyzed_sorting()
    export_alf(sorting, tmp_path / "alf", n_channels_max=5)
    objects: dict = defaultdict(dict)
    for path in (tmp_path / "alf").iterdir():
        name, attribute, kind = path.name.split(".")
        read = np.load(path, allow_pickle=False) if kind == "npy" else pd.read_csv(path)
        objects[name][attribute] = read
    assert set(objects) == {"spikes", "clusters", "templates", "channels"}
    assert all(len({len(values) for values in one.values()}) == 1 for one in objects.values())
    spikes, clusters = objects["spikes"], objects["clusters"]
    assert (np.diff(spikes["times"]) >= 0).all()
    for unit, times in enumerate(times_by_unit(sorting)):
        np.testing.assert_array_equal(spikes["times"][spikes["clusters"] == unit], times)
    np.testing.assert_array_equal(np.round(spikes["times"] * 30_000), spikes["samples"])
    assert np.median(spikes["amps"]) < 1e-3  # volts
    assert clusters["waveforms"].shape == (4, sorting["templates"].sizes["sample"], 5)
    peaks = sorting["analysis/sparsity"]["peak_channel"].values
    assert clusters["channels"].tolist() == peaks.tolist()
    assert clusters["waveformsChannels"][:, 0].tolist() == peaks.tolist()
    main = np.take_along_axis(sorting["templates"]["templates"].values, peaks[:, None, None], axis=2)[:, :, 0]
    np.testing.assert_allclose(clusters["waveforms"][:, :, 0] * 1e6, main, rtol=1e-5)
    np.testing.assert_allclose(clusters["amps"] * 1e6, np.ptp(main, axis=1), rtol=1e-5)
    np.testing.assert_allclose(clusters["metrics"]["snr"], sorting["analysis/quality_metrics"]["snr"].values)
    assert objects["channels"]["localCoordinates"].shape == (12, 2)
