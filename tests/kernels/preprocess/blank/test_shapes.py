import numpy as np
import pytest

from xephys.kernels.preprocess.blank.shapes import subtract_shapes

SHAPES = np.random.default_rng(0).normal(0, 10, (2, 12, 3)).astype("f4")
TRIGGERS, LABELS = np.array([4, 50, 120, 195]), np.array([0, 1, 1, 0])
SIZES, SHIFTS = [1.0, 0.5, 2.0, 1.0], [0, 2, -1, 0]


def traces(sizes=(1, 1, 1, 1), shifts=(0, 0, 0, 0)):
    values = np.zeros((200, 3), "f4")
    for trigger, label, size, shift in zip(TRIGGERS, LABELS, sizes, shifts, strict=True):
        for k in range(12):
            if 0 <= trigger - 4 + shift + k < 200:
                values[trigger - 4 + shift + k] += size * SHAPES[label, k]
    return values


def cleaned(values, start=0, stop=200, halo=30, **options):
    lo, hi = max(start - halo, 0), min(stop + halo, 200)
    given = {"jitter_samples": 0, "scale_amplitude": False} | options
    return subtract_shapes(
        values[lo:hi], before=start - lo, after=hi - stop, start=start, triggers=TRIGGERS, labels=LABELS,
        shapes=SHAPES, nbefore=4, **given,
    )  # fmt: skip


def test_added_shapes_are_removed_also_at_the_ends():
    np.testing.assert_allclose(cleaned(traces()), 0, atol=1e-5)


def test_sizes_and_shifts_are_fitted():
    values = traces(SIZES, SHIFTS)
    assert abs(cleaned(values)).max() > 5
    np.testing.assert_allclose(cleaned(values, jitter_samples=3, scale_amplitude=True), 0, atol=1e-4)


@pytest.mark.parametrize(("start", "stop"), [(0, 52), (52, 53), (55, 118), (118, 200)])
def test_a_tile_equals_its_part_of_the_whole(start, stop):
    values = traces(SIZES, SHIFTS) + np.random.default_rng(1).normal(0, 1, (200, 3)).astype("f4")
    options = {"jitter_samples": 3, "scale_amplitude": True}
    np.testing.assert_array_equal(cleaned(values, start, stop, **options), cleaned(values, **options)[start:stop])
