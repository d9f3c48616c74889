"""Several sortings joined into one keep every spike with its unit."""

import numpy as np
import pytest

import xephys
from xephys.errors import ParameterError
from xephys.schema import make_recording

from ..support.sorting_trees import sorting_of

PLACES = {"x": np.zeros(4), "y": 20.0 * np.arange(4)}


def recording(n=900, start_s=0.0, rate=1000.0):
    return make_recording(np.zeros((n, 4), "i2"), sampling_frequency=rate, start_s=start_s, coordinates=PLACES)


def trains(tree, segment=0):
    ids, spikes = tree["units"]["unit_id"].values.tolist(), tree["spikes"].dataset
    of = spikes["segment_index"].values == segment
    return {
        u: spikes["sample_index"].values[of & (spikes["unit_index"].values == k)].tolist() for k, u in enumerate(ids)
    }


def test_units_of_the_same_name_become_one_unit():
    one = sorting_of(recording(start_s=2.0))  # units 7, 17, 27
    two = xephys.select_units(sorting_of(recording(n=800), n_units=5), [47, 17])
    both = xephys.append_sortings([one, two])
    assert both["units"]["unit_id"].values.tolist() == [7, 17, 27, 47]
    assert trains(both, 0) == {**trains(one), 47: []}
    assert trains(both, 1) == {7: [], 27: [], **trains(two)}
    assert both.attrs["start_s"] == [2.0, 0.0] and both.attrs["n_samples"] == [900, 800]
    assert both["units"]["num_spikes"].values.sum() == both["spikes"].sizes["spike"]
    np.testing.assert_array_equal(both["templates"]["templates"][1], one["templates"]["templates"][1])
    np.testing.assert_array_equal(both["templates"]["templates"][3], two["templates"]["templates"][0])
    theirs = xephys.to_spikeinterface(both)
    assert theirs.get_unit_spike_train(17, segment_index=1).tolist() == trains(two)[17]


def test_units_of_two_probes_stay_apart():
    one, two = sorting_of(recording()), sorting_of(recording(), n_units=2)
    both = xephys.aggregate_units([one, two])
    assert both["units"]["unit_id"].values.tolist() == ["0:7", "0:17", "0:27", "1:7", "1:17"]
    expected = {f"0:{u}": train for u, train in trains(one).items()} | {f"1:{u}": t for u, t in trains(two).items()}
    assert trains(both) == expected
    assert (np.diff(both["spikes"]["sample_index"].values) >= 0).all()
    assert both["units"]["channel_index"].values.tolist() == [0, 1, 2, 4, 5]
    templates = both["templates"]["templates"].values
    np.testing.assert_array_equal(templates[:3, :, :4], one["templates"]["templates"])
    np.testing.assert_array_equal(templates[3:, :, 4:], two["templates"]["templates"])
    assert not templates[:3, :, 4:].any() and both["templates"]["probe"].values.tolist() == [0] * 4 + [1] * 4
    channels = xephys.aggregate_channels([recording(), recording()]).channel.values
    assert both["templates"]["channel"].values.tolist() == channels.tolist()
    assert xephys.compare(xephys.select_units(both, ["1:7", "1:17"]), two).summary["num_well_detected"] == 2


def test_sortings_that_do_not_belong_together_are_refused():
    one = sorting_of(recording())
    with pytest.raises(ParameterError, match=r"sorting 1 has samples \[800\] and sorting 0 has \[900\]"):
        xephys.aggregate_units([one, sorting_of(recording(n=800))])
    with pytest.raises(ParameterError, match="with the rates 1000, 2000 Hz"):
        xephys.append_sortings([one, sorting_of(recording(rate=2000.0))])
    with pytest.raises(TypeError, match=r"give \[one, two, \.\.\.\]"):
        xephys.append_sortings(one)
    with pytest.raises(ParameterError, match="0 sortings with the rates none Hz"):
        xephys.aggregate_units([])
