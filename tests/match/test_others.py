"""Spikes of other neurons that a template matched are left out, chunk by chunk, whatever the chunks."""

import numpy as np
import pytest

from xephys.graph.checkpoint import CheckpointedEvents
from xephys.match.others import N_SPIKES_MAX, without_spikes_of_others
from xephys.match.selected import SelectedRecords

DTYPE = np.dtype([("sample_index", "<i8"), ("unit_index", "<i8"), ("amplitude", "<f8"), ("projection", "<f4", (4, 3))])


def matched(n_spikes, n_others, *, seed=0):
    """Spikes of unit 0, alone; of unit 2 with those of others among them; and who is one of these."""
    rng = np.random.default_rng(seed)
    unit = rng.permutation(np.repeat([0, 2, 3], [n_spikes, n_spikes, n_others]))
    foreign = unit == 3
    spikes = np.zeros(len(unit), DTYPE)
    spikes["sample_index"] = np.arange(len(unit)) * 50
    spikes["unit_index"] = np.where(foreign, 2, unit)
    spikes["amplitude"] = rng.normal(np.where(foreign, 0.9, 1.0), 0.05)
    spikes["projection"] = rng.standard_normal((len(unit), 4, 3))
    spikes["projection"][:, 0] += 5
    spikes["projection"][foreign, 1] += rng.normal(4, 2.5, (n_others, 3))
    return spikes, foreign


def stored(spikes, folder, *, n_chunks):
    folder.mkdir()
    parts, paths = np.array_split(spikes, n_chunks), []
    for number, part in enumerate(parts):
        paths.append(folder / f"{number}.npy")
        np.save(paths[-1], part)
    counts = np.array([len(part) for part in parts])
    return CheckpointedEvents(folder, tuple(paths), counts, spikes.dtype, 30_000.0, 0, "token")


@pytest.mark.parametrize("n_spikes", [400, N_SPIKES_MAX])
def test_others_are_left_out_of_the_unit_that_has_them(tmp_path, n_spikes):
    spikes, foreign = matched(n_spikes, 2 * n_spikes)
    kept, records = without_spikes_of_others(stored(spikes, tmp_path / "one", n_chunks=1), n_spikes_min=20)
    assert records["unit"].tolist() == [2]
    assert records["num_spikes"] == min(3 * n_spikes, N_SPIKES_MAX)
    assert records["amplitude"] > records["amplitude_others"]
    left_out = np.ones(len(spikes), bool)
    left_out[kept.selected] = False
    assert not left_out[spikes["unit_index"] == 0].any()
    assert np.mean(left_out[foreign]) > 0.95
    assert np.mean(left_out[~foreign & (spikes["unit_index"] == 2)]) < 0.05
    again, _ = without_spikes_of_others(stored(spikes, tmp_path / "seven", n_chunks=7), n_spikes_min=20)
    assert np.array_equal(kept.selected, again.selected)


def test_without_others_every_spike_is_kept(tmp_path):
    spikes, _ = matched(300, 0)
    kept, records = without_spikes_of_others(stored(spikes, tmp_path / "clean", n_chunks=3), n_spikes_min=20)
    assert kept.count == len(spikes)
    assert len(records) == 0
    few, records = without_spikes_of_others(stored(spikes[:15], tmp_path / "few", n_chunks=2), n_spikes_min=20)
    assert few.count == 15
    assert len(records) == 0


def test_a_selection_is_judged_like_records_of_its_own(tmp_path, monkeypatch):
    """Records that are not one file per chunk, however many are looked at together."""
    spikes, _ = matched(300, 600)
    own = without_spikes_of_others(stored(spikes, tmp_path / "own", n_chunks=3), n_spikes_min=20)[0].selected
    twice = np.repeat(spikes, 2)
    selection = SelectedRecords(stored(twice, tmp_path / "twice", n_chunks=4), np.arange(0, len(twice), 2))
    monkeypatch.setattr("xephys.match.others.N_SPIKES_AT_A_TIME", 100)
    assert np.array_equal(without_spikes_of_others(selection, n_spikes_min=20)[0].selected, own)
