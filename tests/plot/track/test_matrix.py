"""The matrix of probabilities: every pair where its units are, frames around tracks, a strip of sessions."""

import numpy as np

from xephys import track_units
from xephys.plot import plot_track_matrix
from xephys.testing import simulate_sessions


def test_every_cell_is_the_probability_of_its_pair(tracks):
    order = [int(track) for track in tracks["tracks"]["track"].values[::-1]]
    ax = plot_track_matrix(tracks, track_ids=order)
    units, pairs = tracks["units"].to_dataset(), tracks["pairs"].to_dataset()
    rows = [row for track in order for row in np.flatnonzero(units["track"].values == track)]
    drawn = np.ma.filled(ax.images[0].get_array(), np.nan)
    assert drawn.shape == (len(rows), len(rows)) and np.isnan(np.diag(drawn)).all()
    columns = (pairs[name].values for name in ("first", "second", "probability"))
    expected = {frozenset(pair): p for *pair, p in zip(*columns, strict=True)}
    for i in range(len(rows)):
        for j in range(i):
            assert drawn[i, j] == drawn[j, i] == expected.get(frozenset((rows[i], rows[j])), 0.0)
    colors = ax.images[1].get_array()[:, 0]
    session = units["session"].values[rows]
    assert len(np.unique(np.column_stack([colors, session]), axis=0)) == 4
    (frames,) = ax.collections
    assert len(frames.get_paths()) == len(order)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["mon", "tue", "wed", "thu"]


def test_parts_of_one_neuron_are_drawn():
    sessions, _ = simulate_sessions(n_sessions=4, n_neurons=20, n_channels=64, dropout=0.0, oversplits=0.2, seed=0)
    tracks = track_units(sessions)
    splits = tracks["splits"].to_dataset()
    assert splits.sizes["split"]
    track = int(tracks["units"]["track"].values[splits["first"].values[0]])
    drawn = plot_track_matrix(tracks, track_ids=track).images[0].get_array()
    session = tracks["units"]["session"].values[tracks["units"]["track"].values == track]
    i, j = np.nonzero((session[:, None] == session) & ~np.eye(len(session), dtype=bool))
    assert len(i) and (drawn[i, j] > 0).all()
