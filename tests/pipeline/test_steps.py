"""Steps as a list, a file or an object:

the same chain as calls by hand, checked in advance, stored and applied again.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest

import xephys
from xephys.errors import ParameterError
from xephys.testing import assert_chunk_invariant, forbid_compute, simulate_recording

STEPS = [
    ("bandpass_filter", {"freq_min_hz": 400.0}),
    "common_reference",
    ("whiten", {"whitening": partial(xephys.estimate_whitening, n_nearest=4)}),
]


@pytest.fixture(scope="module")
def recording():
    return simulate_recording(duration_s=1, n_channels=8, n_units=2, seed=0)[0]


@pytest.fixture(scope="module")
def by_hand(recording):
    done = recording.ephys.bandpass_filter(freq_min_hz=400.0).ephys.common_reference()
    return done.ephys.whiten(whitening=done.ephys.estimate_whitening(n_nearest=4))


def test_a_list_gives_the_chain_written_by_hand(recording, by_hand) -> None:
    done = xephys.apply_pipeline(recording, STEPS)
    np.testing.assert_array_equal(done, by_hand)
    assert done.attrs["history"] == by_hand.attrs["history"]
    assert_chunk_invariant(lambda each: xephys.apply_pipeline(each, STEPS[:2]), recording, chunk_samples=(7000, 30_000))


def test_steps_without_estimates_compute_nothing(recording) -> None:
    with forbid_compute():
        xephys.apply_pipeline(recording, STEPS[:2])


@pytest.mark.parametrize("format", ["toml", "json"])
def test_stored_steps_are_applied_again(recording, by_hand, tmp_path, format) -> None:
    pipeline = xephys.make_pipeline(STEPS)
    place = tmp_path / f"steps.{format}"
    place.write_text(xephys.history_text(pipeline, format=format), encoding="utf-8")
    for steps in (pipeline, place, str(place), place.read_text(encoding="utf-8"), by_hand):
        np.testing.assert_array_equal(xephys.apply_pipeline(recording, steps), by_hand)
    np.testing.assert_array_equal(xephys.replay(pipeline, recording), by_hand)
    assert xephys.make_pipeline(place) == pipeline
    assert len(pipeline) == 3


def test_a_file_written_by_hand_is_applied(recording, tmp_path) -> None:
    place = tmp_path / "steps.toml"
    place.write_text(
        'steps = [\n  "highpass_filter(freq_min_hz=300)",\n  "common_reference",  # of all channels\n'
        '  "whiten(whitening=estimate_whitening(n_nearest=4))",\n]\n'
    )
    done = xephys.apply_pipeline(recording, place)
    high = recording.ephys.highpass_filter(freq_min_hz=300).ephys.common_reference()
    np.testing.assert_array_equal(done, high.ephys.whiten(whitening=high.ephys.estimate_whitening(n_nearest=4)))


def test_segments_are_preprocessed_one_by_one(recording, by_hand) -> None:
    done = xephys.apply_pipeline(xephys.append_segments([recording, recording]), STEPS)
    for segment in done.children.values():
        np.testing.assert_array_equal(segment["traces"], by_hand)


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        (["bandpas_filter"], "step 1, 'bandpas_filter', is not an operation of xephys; did you mean 'bandpass_filter'"),
        (["rectify", ("common_reference", {"refrence": 3})], "step 2, common_reference, .*did you mean 'reference'"),
        (
            ["whiten(whitening=estimate_statistics(sed=4))"],
            "estimate_statistics, has no parameter 'sed'; it has .*; did you mean 'seed'",
        ),
        (["whiten(whitening=__import__('os'))"], "is not a value"),
        ([("whiten", {"whitening": object()})], "step 'whiten' cannot be stored"),
        ([("whiten",)], "is not a step; give a name"),
        ([3], "3 is not a step"),
        (Path("no_such.toml"), "neither a history nor a file"),
    ],
)
def test_wrong_steps_are_refused_before_any_is_applied(steps, said) -> None:
    with pytest.raises(ParameterError, match=said):
        xephys.make_pipeline(steps)


def test_values_are_checked_where_they_are_used(recording) -> None:
    with pytest.raises(ParameterError, match="Nyquist"):
        xephys.apply_pipeline(recording, [("highpass_filter", {"freq_min_hz": 40_000.0})])
