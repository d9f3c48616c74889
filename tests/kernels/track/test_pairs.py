"""Near pairs equal those of a plain double loop, for any size of blocks."""

import numpy as np
import pytest

from xephys.kernels.track import pairs as module
from xephys.kernels.track.pairs import count_near, location_scale, make_units, mutual_shares, near_pairs, rescaled


def units(n, seed, *, masked=True):
    rng = np.random.default_rng(seed)
    valid = rng.uniform(size=(n, 6)) > (0.2 if masked else -1)
    footprints = np.where(valid[:, :, None], rng.standard_normal((n, 6, 5)) + 1.5, 0).astype(np.float32)
    places = np.column_stack([rng.uniform(0, 50, n), rng.uniform(0, 500, n), rng.uniform(5, 30, n)])
    lags, peths = rng.uniform(size=(n, 20)).astype(np.float32), rng.uniform(size=(n, 8)).astype(np.float32)
    peths[rng.uniform(size=(n, 8)) < 0.4] = np.nan
    noise = np.where(valid, rng.uniform(0, 3, (n, 6)), 0).astype(np.float32)
    return footprints, valid, lags, peths, rng.uniform(0, 0.5, n), noise, places, np.arange(n)


def reference(a, b, distance_max_um, cosine_min, scale_um=(3.0, 3.0, 3.0)):
    def energy(one, places, unit):
        squares = (one[0][unit][places].astype(float) ** 2).sum(axis=1)
        return np.maximum(squares - 0.75 * one[5][unit][places], 0.25 * squares).sum()

    found = {}
    for i in range(len(a[0])):
        for j in range(len(b[0])):
            both = a[1][i] & b[1][j]
            x, y = a[0][i][both].astype(float), b[0][j][both].astype(float)
            of_x, of_y = energy(a, both, i), energy(b, both, j)
            cosine = (x * y).sum() / max(np.sqrt(of_x * of_y), 1e-6)
            apart = np.abs(a[6][i] - b[6][j])
            if apart[1] <= distance_max_um and apart[0] <= distance_max_um and cosine >= cosine_min:
                doubt = 1 + 10 * max(a[4][i] - 0.05, b[4][j] - 0.05, 0)
                ratio = min(abs(np.log(of_x / of_y)) / 2 / doubt, 1.5)
                rhythm = np.corrcoef(a[2][i], b[2][j])[0, 1]
                shared = np.isfinite(a[3][i]) & np.isfinite(b[3][j])
                response = np.corrcoef(a[3][i][shared], b[3][j][shared])[0, 1] if shared.sum() >= 3 else 0.0
                x, y, z = np.log1p(apart / (np.array(scale_um)[[1, 0, 2]] * doubt))
                found[i, j] = [
                    np.arctanh(min(cosine, 0.998)),
                    ratio,
                    y,
                    x,
                    z,
                    np.arctanh(np.clip(rhythm, -0.999, 0.999)),
                    np.arctanh(np.clip(response, -0.999, 0.999)),
                ]
    return found


@pytest.mark.parametrize(("block", "scale_um"), [(3, (3.0, 3.0, 3.0)), (256, (0.5, 2.0, 1.0))])
def test_pairs_equal_those_of_a_double_loop(block, scale_um, monkeypatch):
    monkeypatch.setattr(module, "BLOCK", block)
    a, b = units(30, 0), units(25, 1)
    first, second = make_units(*a), make_units(*b)
    i, j, features = near_pairs(first, second, distance_max_um=60.0, cosine_min=0.5, scale_um=scale_um)
    expected = reference(a, b, 60.0, 0.5, scale_um)
    found = dict(zip(zip(first.row[i].tolist(), second.row[j].tolist(), strict=True), features, strict=True))
    assert found.keys() == expected.keys() and len(found) > 20
    for key, values in expected.items():
        np.testing.assert_allclose(found[key], values, rtol=2e-4, atol=2e-4)


def test_pairs_within_a_session_are_listed_once():
    first = make_units(*units(30, 0))
    i, j, _ = near_pairs(first, first, distance_max_um=60.0, cosine_min=0.5)
    assert (i < j).all() and len(set(zip(i.tolist(), j.tolist(), strict=True))) == len(i)


def test_a_pair_stands_out_if_no_other_pair_of_its_units_is_as_good():
    first, second = make_units(*units(40, 0)), make_units(*units(40, 1))
    i, j, features = near_pairs(first, second, distance_max_um=200.0, cosine_min=0.3)
    share = mutual_shares(i, j, features)
    score = features[:, module.UNPLACED] @ module.WEIGHTS[list(module.UNPLACED)]
    clear = np.flatnonzero(share > 0.5)
    assert len(clear) > 3
    for pair in clear:
        assert score[pair] == score[i == i[pair]].max() == score[j == j[pair]].max()
    for end in (i, j):
        assert np.bincount(end, share).max() <= 1.0
    assert not len(mutual_shares(i[:0], j[:0], features[:0]))


@pytest.mark.parametrize("displaced_um", [0.0, 30.0, -150.0])
def test_units_at_other_depths_are_counted_as_in_a_double_loop(displaced_um):
    depth = np.random.default_rng(0).uniform(0, 500, 30)
    near = np.abs(depth[:, None] - depth[None] + displaced_um) <= 60.0
    np.fill_diagonal(near, False)
    assert count_near(depth, distance_max_um=60.0, displaced_um=displaced_um) == near.sum() > 50


def test_no_units():
    none = make_units(*(column[:0] for column in units(3, 0)))
    some = make_units(*units(3, 0))
    for pair in ((none, some), (some, none), (none, none)):
        assert [len(column) for column in near_pairs(*pair, distance_max_um=60.0, cosine_min=0.5)] == [0, 0, 0]


def test_locations_are_as_exact_as_those_of_units_that_are_one_neuron():
    """Half of the pairs are other neurons, whose distances say nothing; a scale never exceeds the usual one."""
    rng = np.random.default_rng(0)
    apart = np.abs(rng.normal(0.0, (0.3, 0.5, 4.0), (400, 3)))
    apart[200:] = rng.uniform(0, 60, (200, 3))
    features = np.zeros((400, 7))
    features[:, 2:5] = np.log1p(apart / 3.0)
    scale = location_scale(features, np.where(np.arange(400) < 200, 0.99, 0.01))
    np.testing.assert_allclose(scale, [0.3 * 1.645, 0.5 * 1.645, 3.0], rtol=0.2)
    assert location_scale(features, np.zeros(400)) == location_scale(features[:0], np.empty(0)) == (3.0, 3.0, 3.0)
    np.testing.assert_allclose(rescaled(features, scale)[:, 2:5], np.log1p(apart / scale))
