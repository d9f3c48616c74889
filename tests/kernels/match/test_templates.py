"""The fast pursuit equals a readable greedy one, and keeps its promises: ownership, overlaps, bits."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from xephys.kernels.match.model import shift_matrices
from xephys.kernels.match.templates import MATCH_DTYPE, match_halo, match_residual, match_templates

from ...support.matching import (
    LITTLE,
    N_BEFORE,
    N_CHANNELS,
    N_SAMPLES,
    make_model,
    make_templates,
    make_traces,
    match,
    neighbors,
    random_spikes,
    whole,
    with_one_between,
)


def greedy_reference(
    traces: np.ndarray, waveforms: np.ndarray, *, threshold: float, std: float, low: float, high: float, refractory: int
) -> list[tuple[int, int, float]]:
    """Take the spike of greatest gain from an explicit residual until none reaches the threshold."""
    residual = traces.astype(np.float64)
    energies = np.einsum("utc,utc->u", waveforms, waveforms)
    taken: list[tuple[int, int, float]] = []
    precision = 1 / std**2
    while True:
        windows = np.lib.stride_tricks.sliding_window_view(residual, waveforms.shape[1], axis=0)
        scores = np.einsum("tcs,usc->ut", windows, waveforms)
        total = energies[:, None] + precision
        raw = (scores + precision) / total
        amplitude = np.clip(raw, low, high)
        gain = 2 * amplitude * (scores + precision) - amplitude**2 * total - precision
        gain[raw < low] = -np.inf
        edged = np.pad(scores, ((0, 0), (1, 1)), constant_values=-np.inf)
        gain[(scores < edged[:, :-2]) | (scores < edged[:, 2:])] = -np.inf
        for unit, start, _ in taken:
            gain[unit, max(start - refractory, 0) : start + refractory + 1] = -np.inf
        unit, start = np.unravel_index(gain.argmax(), gain.shape)
        if not gain[unit, start] >= threshold**2:
            return sorted((s, u, a) for u, s, a in taken)
        residual[start : start + waveforms.shape[1]] -= amplitude[unit, start] * waveforms[unit]
        taken.append((int(unit), int(start), float(amplitude[unit, start])))


@pytest.mark.parametrize("seed", range(4))
def test_picks_equal_those_of_the_readable_pursuit(seed: int) -> None:
    model = make_model(make_templates(5, seed=seed), steps_per_sample=0)
    traces = make_traces(model, random_spikes(5, 1500, 40, seed=seed), 1500, noise=1.0, seed=seed)
    spikes = match_templates(
        traces, before=0, after=0, start=0, nbefore=N_BEFORE, model=model, n_sweeps=0, mismatch=0.0, match_threshold=5.0
    )
    expected = greedy_reference(traces, whole(model), threshold=5.0, std=0.1, low=0.5, high=1.5, refractory=15)
    found = sorted(zip((spikes["sample_index"] - N_BEFORE).tolist(), spikes["unit_index"].tolist(), strict=True))
    assert found == [(sample, unit) for sample, unit, _ in expected]
    amplitudes = spikes["amplitude"][np.lexsort((spikes["unit_index"], spikes["sample_index"]))]
    np.testing.assert_allclose(amplitudes, [a for _, _, a in expected], rtol=1e-4)


@pytest.mark.parametrize("amplitude", [0.8, 1.0, 1.25])
def test_recovers_noise_free_spikes_exactly(amplitude: float) -> None:
    model = make_model(make_templates(6, size=30.0))
    planted = [(u, 80 + 150 * i, amplitude) for i, u in enumerate([0, 3, 5, 1, 2, 4, 0])]
    spikes = match(make_traces(model, planted, 1200), model, amplitude_std=np.inf)
    assert spikes["sample_index"].tolist() == [sample for _, sample, _ in planted]
    assert spikes["unit_index"].tolist() == [unit for unit, _, _ in planted]
    np.testing.assert_allclose(spikes["amplitude"], amplitude, rtol=1e-4)
    assert not spikes["sample_offset"].any()


@pytest.mark.parametrize("lag", [-15, -9, -4, 0, 3, 8, 15])
def test_resolves_overlapping_spikes_of_neighbors(lag: int) -> None:
    """Lags of up to half a millisecond, shared channels, unequal amplitudes."""
    templates = make_templates(8, seed=3)
    model = make_model(templates)
    first, second = neighbors(model)
    planted = [(first, 300, 1.1), (second, 300 + lag, 0.9)]
    spikes = match(make_traces(model, planted, 600, noise=0.5, seed=5), model)
    found = sorted(zip(spikes["unit_index"].tolist(), spikes["sample_index"].tolist(), strict=True))
    assert [unit for unit, _ in found] == sorted([first, second])
    assert all(abs(sample - {u: s for u, s, _ in planted}[unit]) <= 1 for unit, sample in found)


def test_a_sweep_corrects_the_greedy_choice() -> None:
    """The first of two overlapping spikes is taken too large, because it includes the other; the sweep corrects it."""
    model = make_model(make_templates(8, seed=3), steps_per_sample=0)
    first, second = neighbors(model)
    planted = [(unit, 100 * k, 1.0) for k in range(1, 9) for unit in (first, second)]
    traces = make_traces(model, planted, 1000)
    error, left = [], []
    for n_sweeps in (0, 1):
        spikes = match(traces, model, n_sweeps=n_sweeps, amplitude_std=np.inf)
        assert spikes.size == len(planted)
        error.append(np.abs(spikes["amplitude"] - 1).max())
        residual = match_residual(
            traces, before=0, after=0, start=0, nbefore=N_BEFORE, model=model, n_sweeps=n_sweeps, amplitude_std=np.inf
        )
        left.append(np.square(residual).sum())
    assert error[1] < 0.5 * error[0]
    assert left[1] < 0.5 * left[0]


@pytest.mark.parametrize("lag", [-4, -2, 2, 4])
def test_two_spikes_are_not_taken_for_one_of_a_third_unit(lag: int) -> None:
    """The third unit alone explains more than either of the two, but less than both together."""
    model, planted = with_one_between(lag)
    traces = make_traces(model, planted, 1000, noise=1.0, seed=1)
    assert (match(traces, model, n_sweeps=0, unexplained=LITTLE)["unit_index"] == 2).sum() == 8
    spikes = match(traces, model, unexplained=LITTLE)
    found = sorted(zip(spikes["unit_index"].tolist(), spikes["sample_index"].tolist(), strict=True))
    assert [unit for unit, _ in found] == 8 * [0] + 8 * [1]
    assert all(abs(sample - at) <= 1 for (_, sample), (_, at, _) in zip(found, sorted(planted), strict=True))


def test_one_spike_of_the_third_unit_is_not_taken_for_two() -> None:
    """Two spikes of amplitude 0.8 would explain it as well, but a second spike has to add a gain."""
    model, _ = with_one_between(0)
    traces = make_traces(model, [(2, 100 * k, 1.0) for k in range(1, 9)], 1000, noise=1.0, seed=1)
    assert match(traces, model, unexplained=LITTLE)["unit_index"].tolist() == 8 * [2]


@pytest.mark.parametrize("unexplained", [None, np.full(3, np.inf), np.ones(3)])
def test_templates_with_a_large_unexplained_share_are_not_replaced_by_pairs(unexplained: np.ndarray | None) -> None:
    """No pair replaces a template that may leave a whole spike unexplained, or whose share is unknown."""
    model, planted = with_one_between(2)
    traces = make_traces(model, planted, 1000, noise=1.0, seed=1)
    assert (match(traces, model, unexplained=unexplained)["unit_index"] == 2).sum() == 8


@pytest.mark.parametrize("borders", [(0, 2000, 4000), (0, 1100, 1733, 2600, 4000)])
def test_tiles_own_their_spikes(borders: tuple[int, ...]) -> None:
    model = make_model(make_templates(6, seed=2))
    traces = make_traces(model, random_spikes(6, 4000, 60, seed=7), 4000, noise=1.0)
    before, after = match_halo(N_SAMPLES, nbefore=N_BEFORE)
    padded = np.pad(traces, ((before, after), (0, 0)))
    at_once = match(traces, model)
    tiles = [
        match_templates(
            padded[first : last + before + after],
            before=before,
            after=after,
            start=first,
            nbefore=N_BEFORE,
            model=model,
        )
        for first, last in itertools.pairwise(borders)
    ]
    joined = np.concatenate(tiles)
    for name in ("sample_index", "unit_index", "channel_index", "sample_offset"):
        np.testing.assert_array_equal(joined[name], at_once[name])
    assert at_once.size >= 58


def test_a_second_run_has_the_same_bits_and_leaves_the_input_unchanged() -> None:
    model = make_model(make_templates(6))
    traces = make_traces(model, random_spikes(6, 2000, 30, seed=1), 2000, noise=1.0)
    copy = traces.copy()
    assert match(traces, model).tobytes() == match(traces, model).tobytes()
    assert traces.tobytes() == copy.tobytes()


def test_large_varying_spikes_are_reported_once() -> None:
    """Spikes of one large unit vary by 15 % and half a sample, beside a unit of similar shape."""
    templates = make_templates(1, size=60.0)
    twin = np.roll(templates[0], 1, axis=1) * 0.9
    model = make_model(np.stack([templates[0], twin]))
    rng = np.random.default_rng(4)
    delays = shift_matrices(N_SAMPLES, steps_per_sample=8)
    traces = rng.standard_normal((8000, N_CHANNELS))
    times = np.arange(100, 7900, 100)
    for sample in times:
        waveform = np.einsum("ij,jc->ic", delays[rng.integers(9)], templates[0])
        traces[sample - N_BEFORE : sample - N_BEFORE + N_SAMPLES] += rng.normal(1, 0.15) * waveform
    spikes = match(traces.astype(np.float32), model)
    assert spikes.size == times.size
    assert not spikes["unit_index"].any()
    assert np.abs(spikes["sample_index"] - times).max() <= 1


def test_mismatch_prevents_spikes_of_a_neighbor_in_the_residual() -> None:
    """The residual of a large spike along its neighbor's template is reported as a spike only without the guard."""
    templates = make_templates(1, size=60.0)
    small = np.roll(templates[0], 2, axis=1) * 0.2
    model = make_model(np.stack([templates[0], small]))
    traces = make_traces(model, [(0, 150, 1.0), (1, 152, 0.8)], 300)
    assert match(traces, model, mismatch=0.0)["unit_index"].tolist() == [0, 1]
    assert match(traces, model, mismatch=0.5)["unit_index"].tolist() == [0]


def test_refractory_period_holds_within_a_unit() -> None:
    model = make_model(make_templates(2, size=30.0))
    traces = make_traces(model, [(0, 150, 1.0), (0, 180, 1.0)], 400)
    assert match(traces, model, refractory_samples=29)["sample_index"].tolist() == [150, 180]
    spikes = match(traces, model, refractory_samples=30)
    assert spikes["unit_index"].tolist().count(0) == 1


def test_residual_holds_the_noise() -> None:
    model = make_model(make_templates(4))
    planted = random_spikes(4, 1500, 12, seed=2)
    noise = np.random.default_rng(0).standard_normal((1500, N_CHANNELS)).astype(np.float32)
    traces = make_traces(model, planted, 1500, noise=1.0)
    left = match_residual(traces, before=100, after=50, start=100, nbefore=N_BEFORE, model=model)
    assert left.shape == (1350, N_CHANNELS)
    assert np.square(left).sum() < 1.005 * np.square(noise[100:-50]).sum()


def test_silence_and_noise_have_no_spikes() -> None:
    model = make_model(make_templates(4))
    assert match(np.zeros((500, N_CHANNELS), np.float32), model).size == 0
    noise = np.random.default_rng(0).standard_normal((30000, N_CHANNELS)).astype(np.float32)
    assert match(noise, model, match_threshold=6.0).size == 0


def test_no_templates_empty_templates_and_one_template() -> None:
    spikes = [(0, 150, 1.0)]
    single = make_model(make_templates(1))
    traces = make_traces(single, spikes, 300)
    assert match(traces, single)["sample_index"].tolist() == [150]
    nothing = match(traces, make_model(np.zeros((0, N_SAMPLES, N_CHANNELS))))
    assert nothing.size == 0 and nothing.dtype == MATCH_DTYPE
    with_empty = make_model(np.concatenate([np.zeros((1, N_SAMPLES, N_CHANNELS)), make_templates(1)]))
    assert match(traces, with_empty)["unit_index"].tolist() == [1]


def test_traces_shorter_than_a_template_have_no_spikes() -> None:
    model = make_model(make_templates(2))
    short = np.zeros((N_SAMPLES - 1, N_CHANNELS), np.float32)
    assert match_templates(short, before=5, after=5, start=0, nbefore=N_BEFORE, model=model).size == 0
