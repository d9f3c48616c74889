"""Universal templates: the grid, the scores, and one event per spike, against plain loops."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from xephys.kernels.detect.universal import detect_universal, universal_halo
from xephys.kernels.detect.universal_grid import grid_places, row_distance, universal_grid

POSITIONS = np.stack([np.arange(12) % 2 * 32.0 + np.arange(12) // 2 % 2 * 16, np.arange(12) // 2 * 20.0], axis=1)
N_SAMPLES, NBEFORE, SWEEP = 21, 7, 8
BEFORE, AFTER = universal_halo(n_samples=N_SAMPLES, nbefore=NBEFORE, sweep_samples=SWEEP)


def shapes(n=4, seed=0):
    rng = np.random.default_rng(seed)
    time = np.arange(N_SAMPLES) - NBEFORE
    made = np.array(
        [-np.exp(-0.5 * (time / w) ** 2) + 0.4 * np.exp(-0.5 * ((time - 6) / 4) ** 2) for w in (1, 2, 3, 4)]
    )
    made = (made + 0.02 * rng.standard_normal(made.shape))[:n]
    return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)


def grid(**parameters):
    return universal_grid(POSITIONS, n_contacts=6, n_competing=12, template_sizes=3, **parameters)


def with_spikes(n=700, n_spikes=14, seed=1, noise=0.5):
    """Noise, and spikes of both signs at random places, some of them close in time or space."""
    rng = np.random.default_rng(seed)
    traces = noise * rng.standard_normal((n + BEFORE + AFTER, len(POSITIONS)))
    for _ in range(n_spikes):
        row, place = rng.integers(10, len(traces) - N_SAMPLES - 10), rng.uniform(0, [40, 100])
        fall = np.exp(-((np.linalg.norm(POSITIONS - place, axis=1) / 30) ** 2))
        size = rng.choice([-1, 1]) * rng.uniform(15, 40)
        traces[row : row + N_SAMPLES] += size * shapes()[rng.integers(4)][:, None] * fall
    return traces.astype(np.float32)


def detected(traces, *, before=BEFORE, after=AFTER, start=0, threshold=6.0, table=None, **parameters):
    table = grid() if table is None else table
    given = {
        "shapes": shapes(), "nbefore": NBEFORE, "contacts": table.contacts, "envelopes": table.envelopes,
        "neighbours": table.neighbours, "positions": POSITIONS, "threshold": threshold, "sweep_samples": SWEEP,
    }  # fmt: skip
    return detect_universal(traces, before=before, after=after, start=start, **{**given, **parameters})


def reference_scores(traces, table):
    """Largest |score| of every place and row, and the template it belongs to, by definition."""
    taps, exact = shapes().astype("f8"), traces.astype("f8")
    rows = np.arange(BEFORE - SWEEP - 1, len(traces) - AFTER + SWEEP + 1)
    windows = np.stack([exact[r - NBEFORE : r - NBEFORE + N_SAMPLES] for r in rows])
    single = np.einsum("rtc,lt->rcl", windows, taps)
    n_sizes, n_places, _ = table.envelopes.shape
    scores = np.zeros((len(rows), n_places, n_sizes * len(taps)))
    for place in range(n_places):
        own = single[:, table.contacts[place]]
        for size in range(n_sizes):
            weighted = np.einsum("rkl,k->rl", own, table.envelopes[size, place].astype("f8"))
            scores[:, place, size * len(taps) : (size + 1) * len(taps)] = weighted
    best = np.abs(scores).argmax(axis=2)
    return rows, np.abs(scores).max(axis=2), best, np.sign(np.take_along_axis(scores, best[..., None], axis=2))[..., 0]


def reference_events(traces, table, threshold):
    rows, scores, best, sign = reference_scores(traces, table)
    found = []
    for i in range(SWEEP + 1, len(rows) - SWEEP - 1):
        for place in range(scores.shape[1]):
            value = scores[i, place]
            near = table.neighbours[place][table.neighbours[place] >= 0]
            if value >= threshold and value >= scores[i - SWEEP : i + SWEEP + 1][:, near].max():
                size, shape = divmod(best[i, place], len(shapes()))
                found.append((rows[i] - BEFORE, place, size, shape, sign[i, place], value))
    return found


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_events_are_the_largest_scores_of_their_neighbourhood(seed):
    traces, table = with_spikes(seed=seed), grid()
    events, expected = detected(traces), reference_events(traces, table, 6.0)
    assert len(expected) >= 8
    names = ("sample_index", "place_index", "size_index", "shape_index", "sign")
    assert [tuple(int(event[n]) for n in names) for event in events] == [tuple(map(int, e[:5])) for e in expected]
    np.testing.assert_allclose(events["amplitude"], [e[5] for e in expected], rtol=1e-4)
    assert {-1, 1} <= set(events["sign"].tolist())


def test_nothing_is_skipped_by_the_bound():
    """At a threshold that noise reaches everywhere, every place is evaluated; at a high one hardly any."""
    traces = with_spikes(noise=1.0)
    low = detected(traces, threshold=1.5)
    high = detected(traces, threshold=8.0)
    assert len(low) > 3 * len(high) > 0
    expected = reference_events(traces, grid(), 1.5)
    assert low["sample_index"].tolist() == [e[0] for e in expected]


def test_each_event_belongs_to_one_of_two_neighbouring_cores():
    traces = with_spikes(n=900)
    whole = detected(traces)
    for border in (100, 333, int(whole["sample_index"][3]), int(whole["sample_index"][5]) + 1):
        left = detected(traces[: border + BEFORE + AFTER])
        right = detected(traces[border:], start=border)
        assert np.concatenate([left, right]).tobytes() == whole.tobytes()


def test_position_is_the_mean_of_contacts_by_score():
    traces = np.zeros((BEFORE + AFTER + 60, len(POSITIONS)), np.float32)
    traces[BEFORE + 30 - NBEFORE :][:N_SAMPLES, 4] = 20 * shapes()[0]
    traces[BEFORE + 30 - NBEFORE :][:N_SAMPLES, 5] = 10 * shapes()[0]
    (event,) = detected(traces)
    # A shape also fits what the others leave out, so that only these two contacts count.
    expected = (2 * POSITIONS[4] + POSITIONS[5]) / 3
    np.testing.assert_allclose([event["x"], event["y"]], expected, atol=1e-4)
    assert (event["sample_index"], event["channel_index"], event["sign"]) == (30, 4, 1)


def test_equal_scores_give_one_event():
    traces = np.zeros((BEFORE + AFTER + 120, len(POSITIONS)), np.float32)
    for row in (40, 40 + SWEEP):  # twice the same, within the sweep: the first
        traces[BEFORE + row, 4] = 12
    events = detected(traces)
    assert events["sample_index"].size == 1


def test_halo_and_threshold_are_checked():
    traces = with_spikes()
    with pytest.raises(ValueError, match=f"halo is 3 samples before .* need {BEFORE} and {AFTER}"):
        detected(traces, before=3)
    with pytest.raises(ValueError, match="threshold is 0; it must be positive"):
        detected(traces, threshold=0)


def test_no_place_and_no_spike():
    empty = grid(good=np.zeros(12, bool))
    assert len(empty.places) == 0
    assert len(detected(with_spikes(), table=empty)) == 0
    assert len(detected(np.zeros((200, 12), np.float32))) == 0


def test_places_cover_the_probe_and_stay_near_it():
    places = grid_places(POSITIONS, dmin=20, dminx=32, max_channel_distance=15)
    distance = np.linalg.norm(places[:, None] - POSITIONS[None], axis=2).min(axis=1)
    assert distance.max() <= 15
    everywhere = grid_places(POSITIONS, dmin=20, dminx=32, max_channel_distance=1000)
    assert len(everywhere) == 11 * 4  # steps of 10 µm along 100 µm, and 16 µm across 48 µm
    assert len(places) < len(everywhere)


def test_envelopes_fall_off_as_gaussians_of_unit_norm():
    table = universal_grid(POSITIONS, n_contacts=5, template_sizes=2, min_template_size=15.0)
    np.testing.assert_allclose(np.linalg.norm(table.envelopes, axis=2), 1.0, rtol=1e-6)
    for place in (0, 7, 20):
        distance = np.linalg.norm(POSITIONS - table.places[place], axis=1)
        nearest = table.contacts[place]
        assert distance[nearest].max() <= np.sort(distance)[4] + 1e-6
        for j in range(2):
            expected = np.exp(-((distance[nearest] / (15.0 * (j + 1))) ** 2))
            np.testing.assert_allclose(table.envelopes[j, place], expected / np.linalg.norm(expected), rtol=1e-5)


def test_a_narrow_envelope_far_from_contacts_is_finite():
    table = universal_grid(POSITIONS, min_template_size=0.5, n_contacts=4)
    assert np.isfinite(table.envelopes).all()


def test_shanks_have_grids_of_their_own():
    positions = np.concatenate([POSITIONS, POSITIONS + np.array([250, 7])])
    table = universal_grid(positions, shanks=np.repeat([0, 1], 12), n_contacts=20, n_competing=500)
    own = table.contacts[: len(table.places) // 2]
    assert own.max() < 12
    assert table.contacts[len(table.places) // 2 :].min() >= 12
    assert table.neighbours[0][table.neighbours[0] >= 0].max() < len(table.places) // 2
    # A shank of 12 contacts fills templates of 20 with weight 0.
    assert (table.envelopes[:, :, 12:] == 0).all()


def test_bad_channels_take_no_part():
    good = np.ones(12, bool)
    good[[3, 4]] = False
    assert not np.isin(grid(good=good).contacts, [3, 4]).any()


def test_distance_of_rows():
    assert row_distance(np.array([[0, 5.0], [30, 5.0]])) == 1.0
    assert row_distance(np.array([[0, 0], [0, 1.0], [0, 25], [0, 26], [0, 50.0]])) == 24.0


def test_competing_places_of_a_large_grid_take_little_memory():
    """The nearest places, equal distances in order of place, without a table of all pairs."""
    column = np.stack([np.zeros(100), np.arange(100) * 20.0], axis=1)
    positions = np.concatenate([column, column + np.array([96.0, 0])])
    tracemalloc.start()
    table = universal_grid(positions, n_contacts=4, template_sizes=1, n_competing=30, dminx=16.0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    n = len(table.places)
    assert n > 1500  # several blocks
    assert peak < n * n * 16  # one table of differences between all pairs
    for place in (0, 1, 511, 512, 513, 1023, 1024, n - 1):
        squares = np.round(((table.places - table.places[place]) ** 2).sum(axis=1), 6)
        squares[place] = -1.0
        assert table.neighbours[place].tolist() == np.argsort(squares, kind="stable")[:30].tolist()
