"""A cluster keeps one unit of each session, and no groups that only low similarities connect."""

import numpy as np

from xephys.kernels.track.dant.curation import curate_clusters


def curated(similarity, label, session, threshold=1.0, **given):
    return curate_clusters(
        np.array(label), np.array(session), threshold, lambda units: similarity[np.ix_(units, units)], **given
    )


def of_pairs(n, *pairs):
    similarity = np.zeros((n, n))
    for a, b in pairs:
        similarity[a, b] = similarity[b, a] = 2.0
    np.fill_diagonal(similarity, 6.0)
    return similarity


def test_the_first_group_keeps_its_number_and_later_ones_come_last():
    label = [1] * 5 + [0] * 2 + [2] * 4 + [3] * 3
    session = [1, 2, 3, 4, 5, 1, 2, 1, 2, 3, 4, 1, 2, 3]
    similarity = of_pairs(14, (0, 1), (2, 3), (5, 6), (7, 9), (8, 10), (12, 13))
    found, pairs, reason = curated(similarity, label, session)
    assert found.tolist() == [1, 1, 3, 3, -1, 0, 0, 2, 4, 2, 4, -1, 5, 5]
    assert (reason == 2).all() and len(pairs) == 14
    assert curated(similarity, label, session, split=False)[0].tolist() == label


def test_the_less_similar_unit_of_a_session_is_left_out_and_of_equals_the_later():
    similarity = np.full((5, 5), 2.0)
    similarity[0, 2] = similarity[2, 0] = 2.5
    similarity[1, 2] = similarity[2, 1] = 2.2
    found, pairs, reason = curated(similarity, [0] * 5, [1, 1, 2, 3, 3])
    assert found.tolist() == [0, -1, 0, 0, -1] and (reason == 1).all()
    # No unit is listed as separated from itself, and no pair twice.
    assert (pairs[:, 0] < pairs[:, 1]).all() and len(np.unique(pairs, axis=0)) == len(pairs) == 7
    assert curated(np.full((5, 5), 2.0), [0] * 5, [1, 1, 1, 2, 2])[0].tolist() == [0, -1, -1, 0, -1]


def test_no_cluster_stays_none():
    found, pairs, reason = curated(np.eye(3), [-1] * 3, [1, 2, 2])
    assert found.tolist() == [-1] * 3 and not len(pairs) and not len(reason)
