"""The fast pursuit against a greedy one written to be read, and what matching promises: ownership, overlaps, bits."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from scipy import signal

from xephys.kernels.match import MATCH_DTYPE, match_halo, match_residual, match_templates, subtract_spikes
from xephys.kernels.match_model import MatchModel, build_match_model, shift_matrices
from xephys.kernels.match_scores import correlate_templates, estimate_noise_gain
from xephys.kernels.templates import low_rank_templates

N_BEFORE, N_SAMPLES, N_CHANNELS = 12, 33, 12


def make_templates(n_units: int, *, seed: int = 0, size: float = 12.0) -> np.ndarray:
    """Biphasic spikes of differing width on 12 channels in a line: float64 (unit, sample, channel)."""
    rng = np.random.default_rng(seed)
    time = np.arange(N_SAMPLES) - N_BEFORE
    templates = np.zeros((n_units, N_SAMPLES, N_CHANNELS))
    for unit in range(n_units):
        width, place = rng.uniform(2.0, 3.5), rng.uniform(1, N_CHANNELS - 2)
        for channel in range(N_CHANNELS):
            delay = 0.3 * abs(channel - place)
            course = -np.exp(-0.5 * ((time - delay) / width) ** 2)
            course += 0.4 * np.exp(-0.5 * ((time - delay - 3 * width) / (1.5 * width)) ** 2)
            templates[unit, :, channel] = size * course * np.exp(-abs(channel - place) / 1.2)
    return templates


def make_model(templates: np.ndarray, *, rank: int = 4, steps_per_sample: int = 4) -> MatchModel:
    """Model whose templates have the channels above 2 % of the peak, in order of channel."""
    strong = np.abs(templates).max(axis=1) > 0.02 * np.abs(templates).max(axis=(1, 2), initial=0)[:, None]
    channels = np.where(strong, np.arange(N_CHANNELS), -1).astype(np.int32)
    temporal, spatial = low_rank_templates(np.where(strong[:, None, :], templates, 0), rank=rank)
    return build_match_model(
        temporal=temporal,
        spatial=spatial,
        channels=channels,
        n_channels=N_CHANNELS,
        steps_per_sample=steps_per_sample,
    )


def whole(model: MatchModel) -> np.ndarray:
    """Templates of a model, float64 (unit, sample, channel)."""
    waveforms = np.einsum("urt,urk->utk", model["temporal"].astype(float), model["spatial"].astype(float))
    out = np.zeros((*waveforms.shape[:2], N_CHANNELS))
    for unit, slots in enumerate(model["channels"]):
        out[unit][:, slots[slots >= 0]] = waveforms[unit][:, slots >= 0]
    return out


def make_traces(
    model: MatchModel, spikes: list[tuple[int, int, float]], n_rows: int, *, noise: float = 0.0, seed: int = 0
) -> np.ndarray:
    """Traces with spikes given as (unit, sample, amplitude)."""
    traces = noise * np.random.default_rng(seed).standard_normal((n_rows, N_CHANNELS))
    waveforms = whole(model)
    for unit, sample, amplitude in spikes:
        traces[sample - N_BEFORE : sample - N_BEFORE + N_SAMPLES] += amplitude * waveforms[unit]
    return traces.astype(np.float32)


def random_spikes(n_units: int, n_rows: int, count: int, *, seed: int) -> list[tuple[int, int, float]]:
    """Spikes at random times, units at least 60 samples apart from themselves."""
    rng = np.random.default_rng(seed)
    chosen: list[tuple[int, int, float]] = []
    while len(chosen) < count:
        unit, sample = int(rng.integers(n_units)), int(rng.integers(N_SAMPLES, n_rows - N_SAMPLES))
        if all(u != unit or abs(s - sample) > 60 for u, s, _ in chosen):
            chosen.append((unit, sample, float(rng.normal(1, 0.1))))
    return chosen


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


def match(traces: np.ndarray, model: MatchModel, **parameters: Any) -> np.ndarray:
    """Match padded traces with nothing outside the core."""
    before, after = match_halo(N_SAMPLES, n_before=N_BEFORE)
    padded = np.pad(traces, ((before, after), (0, 0)))
    return match_templates(padded, before=before, after=after, start=0, n_before=N_BEFORE, **model, **parameters)


@pytest.mark.parametrize("seed", range(4))
def test_same_picks_as_the_readable_pursuit(seed: int) -> None:
    model = make_model(make_templates(5, seed=seed), steps_per_sample=0)
    traces = make_traces(model, random_spikes(5, 1500, 40, seed=seed), 1500, noise=1.0, seed=seed)
    spikes = match_templates(
        traces, before=0, after=0, start=0, n_before=N_BEFORE, **model, n_sweeps=0, mismatch=0.0, threshold=5.0
    )
    expected = greedy_reference(traces, whole(model), threshold=5.0, std=0.1, low=0.5, high=1.5, refractory=15)
    found = sorted(zip((spikes["sample_index"] - N_BEFORE).tolist(), spikes["unit_index"].tolist(), strict=True))
    assert found == [(sample, unit) for sample, unit, _ in expected]
    amplitudes = spikes["amplitude"][np.lexsort((spikes["unit_index"], spikes["sample_index"]))]
    np.testing.assert_allclose(amplitudes, [a for _, _, a in expected], rtol=1e-4)


def test_scores_equal_direct_correlation() -> None:
    model = make_model(make_templates(3))
    traces = np.random.default_rng(0).standard_normal((1300, N_CHANNELS)).astype(np.float32)
    factors = {name: model[name] for name in ("temporal", "spatial", "channels")}  # type: ignore[literal-required]
    scores = correlate_templates(traces, **factors)
    windows = np.lib.stride_tricks.sliding_window_view(traces.astype(np.float64), N_SAMPLES, axis=0)
    expected = np.einsum("tcs,usc->ut", windows, whole(model))
    np.testing.assert_allclose(scores, expected, atol=2e-6 * expected.std() * N_SAMPLES)
    assert correlate_templates(traces[:500], **factors).tobytes() == np.ascontiguousarray(scores[:, :468]).tobytes()


@pytest.mark.parametrize(("n_samples", "n_channels"), [(61, 5), (16, 16), (1109, 37), (1150, 48)])
def test_scores_of_any_number_of_samples_and_channels(n_samples: int, n_channels: int) -> None:
    rng = np.random.default_rng(n_channels)
    traces = rng.standard_normal((n_samples, n_channels)).astype(np.float32)
    temporal, spatial = rng.standard_normal((2, 3, 16)), rng.standard_normal((2, 3, 5))
    temporal, spatial = temporal.astype(np.float32), spatial.astype(np.float32)
    channels = np.stack([rng.permutation(n_channels)[:5] for _ in range(2)]).astype(np.int32)
    spatial[1, 2], channels[1, 3:] = 0, -1  # ranks and slots that are not used
    scores = correlate_templates(traces, temporal=temporal, spatial=spatial, channels=channels)
    kept = np.where(channels[:, None] >= 0, spatial, 0).astype(np.float64)
    for unit in range(2):
        mixed = traces[:, channels[unit]].astype(np.float64) @ kept[unit].T
        expected = sum(np.correlate(mixed[:, r], temporal[unit, r].astype(np.float64), "valid") for r in range(3))
        np.testing.assert_allclose(scores[unit], expected, atol=1e-4)


@pytest.mark.parametrize("n_samples", [700, 701, 75])
@pytest.mark.parametrize("length", [61, 60])
def test_every_second_sample_tells_the_scores_of_filtered_traces(n_samples: int, length: int) -> None:
    rng = np.random.default_rng(length)
    sos = signal.butter(5, [300, 6000], "bandpass", fs=30_000, output="sos")
    traces = signal.sosfiltfilt(sos, rng.standard_normal((n_samples, 9)), axis=0).astype(np.float32)
    shapes = signal.sosfiltfilt(sos, rng.standard_normal((3, 2, 400)))[:, :, 100 : 100 + length] * np.hanning(length)
    factors = {
        "temporal": shapes.astype(np.float32),
        "spatial": rng.standard_normal((3, 2, 4)).astype(np.float32),
        "channels": np.stack([rng.permutation(9)[:4] for _ in range(3)]).astype(np.int32),
    }
    exact = correlate_templates(traces, **factors)
    sparser = correlate_templates(traces, **factors, score_step=2)
    assert sparser.shape == exact.shape
    # Where scores are missing on one side, the one between two is worse: a tile has more halo than that.
    inner = slice(16, -16) if exact.shape[1] > 100 else slice(None)
    error = np.abs(sparser - exact)[:, inner]
    assert error[:, ::2].max() < 0.02 * exact.std()
    assert error.max() < (0.02 if exact.shape[1] > 100 else 0.5) * exact.std()


def test_white_traces_need_every_sample() -> None:
    model = make_model(make_templates(3))
    traces = np.random.default_rng(0).standard_normal((1300, N_CHANNELS)).astype(np.float32)
    factors = {name: model[name] for name in ("temporal", "spatial", "channels")}  # type: ignore[literal-required]
    exact = correlate_templates(traces, **factors)
    assert np.abs(correlate_templates(traces, **factors, score_step=2) - exact).max() > 0.5 * exact.std()


def test_pair_overlaps_are_what_a_spike_adds_to_the_scores() -> None:
    model = make_model(make_templates(4))
    factors = {name: model[name] for name in ("temporal", "spatial", "channels")}  # type: ignore[literal-required]
    for unit in range(4):
        for shift in range(5):
            traces = np.zeros((4 * N_SAMPLES, N_CHANNELS), np.float32)
            spike = np.zeros(1, MATCH_DTYPE)
            spike["sample_index"], spike["unit_index"], spike["amplitude"] = N_SAMPLES + 20, unit, -1.0
            spike["sample_offset"] = (shift - 2) / 4
            traces = subtract_spikes(
                traces, spike, start=0, n_before=N_BEFORE, shifted_temporal=model["shifted_temporal"],
                spatial=model["spatial"], channels=model["channels"],
            )  # fmt: skip
            scores = correlate_templates(traces, **factors)
            first = N_SAMPLES + 20 - N_BEFORE
            for pair in range(model["pair_starts"][unit], model["pair_starts"][unit + 1]):
                partner = model["pair_units"][pair]
                near = scores[partner, first - N_SAMPLES + 1 : first + N_SAMPLES]
                np.testing.assert_allclose(near, model["pair_overlaps"][pair, shift], atol=2e-3)


def test_units_without_a_common_channel_are_not_paired() -> None:
    templates = np.zeros((3, N_SAMPLES, N_CHANNELS))
    templates[0, 10, :2], templates[1, 10, 1:4], templates[2, 10, 8] = 1, 1, 1
    model = make_model(templates)
    rows = np.split(model["pair_units"], model["pair_starts"][1:-1])
    assert [row.tolist() for row in rows] == [[0, 1], [0, 1], [2]]


@pytest.mark.parametrize("amplitude", [0.8, 1.0, 1.25])
def test_recovers_noise_free_spikes_exactly(amplitude: float) -> None:
    model = make_model(make_templates(6, size=30.0))
    planted = [(u, 80 + 150 * i, amplitude) for i, u in enumerate([0, 3, 5, 1, 2, 4, 0])]
    spikes = match(make_traces(model, planted, 1200), model, amplitude_std=np.inf)
    assert spikes["sample_index"].tolist() == [sample for _, sample, _ in planted]
    assert spikes["unit_index"].tolist() == [unit for unit, _, _ in planted]
    np.testing.assert_allclose(spikes["amplitude"], amplitude, rtol=1e-4)
    assert not spikes["sample_offset"].any()


def neighbours(model: MatchModel) -> tuple[int, int]:
    """Two units of moderate likeness."""
    norms = np.sqrt(model["energies"])
    for unit in range(norms.size):
        for pair in range(model["pair_starts"][unit], model["pair_starts"][unit + 1]):
            partner = int(model["pair_units"][pair])
            overlap = model["pair_overlaps"][pair, model["pair_overlaps"].shape[1] // 2, N_SAMPLES - 1]
            if partner > unit and 0.1 < overlap / (norms[unit] * norms[partner]) < 0.6:
                return unit, partner
    raise AssertionError("no such pair: choose another seed")


@pytest.mark.parametrize("lag", [-15, -9, -4, 0, 3, 8, 15])
def test_resolves_overlapping_spikes_of_neighbours(lag: int) -> None:
    """Half a millisecond either way, channels shared, amplitudes unequal."""
    templates = make_templates(8, seed=3)
    model = make_model(templates)
    first, second = neighbours(model)
    planted = [(first, 300, 1.1), (second, 300 + lag, 0.9)]
    spikes = match(make_traces(model, planted, 600, noise=0.5, seed=5), model)
    found = sorted(zip(spikes["unit_index"].tolist(), spikes["sample_index"].tolist(), strict=True))
    assert [unit for unit, _ in found] == sorted([first, second])
    assert all(abs(sample - {u: s for u, s, _ in planted}[unit]) <= 1 for unit, sample in found)


def test_a_sweep_mends_what_greed_got_wrong() -> None:
    """The first of two overlapping spikes is taken too large, the other's share included, and mended in the sweep."""
    model = make_model(make_templates(8, seed=3), steps_per_sample=0)
    first, second = neighbours(model)
    planted = [(unit, 100 * k, 1.0) for k in range(1, 9) for unit in (first, second)]
    traces = make_traces(model, planted, 1000)
    error, left = [], []
    for n_sweeps in (0, 1):
        spikes = match(traces, model, n_sweeps=n_sweeps, amplitude_std=np.inf)
        assert spikes.size == len(planted)
        error.append(np.abs(spikes["amplitude"] - 1).max())
        residual = match_residual(
            traces, before=0, after=0, start=0, n_before=N_BEFORE, **model, n_sweeps=n_sweeps, amplitude_std=np.inf
        )
        left.append(np.square(residual).sum())
    assert error[1] < 0.5 * error[0]
    assert left[1] < 0.5 * left[0]


#: What templates leave that fit.
LITTLE = np.full(3, 0.005)


def with_one_between(lag: int) -> tuple[MatchModel, list[tuple[int, int, float]]]:
    """Two neighbours that fire together eight times, and a third unit that resembles their sum and never fires."""
    templates = make_templates(8, seed=4)
    pair = templates[list(neighbours(make_model(templates)))]
    model = make_model(np.concatenate([pair, 0.8 * pair.sum(axis=0, keepdims=True)]))
    return model, [(unit, 100 * k + lag * unit, 1.0) for k in range(1, 9) for unit in (0, 1)]


@pytest.mark.parametrize("lag", [-4, -2, 2, 4])
def test_two_spikes_are_not_one_of_a_third_unit(lag: int) -> None:
    """Alone, the third unit explains more than either of the two: only both at once explain more than it does."""
    model, planted = with_one_between(lag)
    traces = make_traces(model, planted, 1000, noise=1.0, seed=1)
    assert (match(traces, model, n_sweeps=0, unexplained=LITTLE)["unit_index"] == 2).sum() == 8
    spikes = match(traces, model, unexplained=LITTLE)
    found = sorted(zip(spikes["unit_index"].tolist(), spikes["sample_index"].tolist(), strict=True))
    assert [unit for unit, _ in found] == 8 * [0] + 8 * [1]
    assert all(abs(sample - at) <= 1 for (_, sample), (_, at, _) in zip(found, sorted(planted), strict=True))


def test_one_spike_of_the_third_unit_is_not_two() -> None:
    """Amplitudes of 0.8 of the two would explain it as well: a second spike has to gain something."""
    model, _ = with_one_between(0)
    traces = make_traces(model, [(2, 100 * k, 1.0) for k in range(1, 9)], 1000, noise=1.0, seed=1)
    assert match(traces, model, unexplained=LITTLE)["unit_index"].tolist() == 8 * [2]


@pytest.mark.parametrize("unexplained", [None, np.full(3, np.inf), np.ones(3)])
def test_two_do_not_take_up_what_a_template_may_leave(unexplained: np.ndarray | None) -> None:
    """Of a template that may leave a whole spike unexplained, or of which nothing is known, no two take the place."""
    model, planted = with_one_between(2)
    traces = make_traces(model, planted, 1000, noise=1.0, seed=1)
    assert (match(traces, model, unexplained=unexplained)["unit_index"] == 2).sum() == 8


@pytest.mark.parametrize("borders", [(0, 2000, 4000), (0, 1100, 1733, 2600, 4000)])
def test_tiles_own_their_spikes(borders: tuple[int, ...]) -> None:
    model = make_model(make_templates(6, seed=2))
    traces = make_traces(model, random_spikes(6, 4000, 60, seed=7), 4000, noise=1.0)
    before, after = match_halo(N_SAMPLES, n_before=N_BEFORE)
    padded = np.pad(traces, ((before, after), (0, 0)))
    at_once = match(traces, model)
    tiles = [
        match_templates(
            padded[first : last + before + after], before=before, after=after, start=first, n_before=N_BEFORE, **model
        )
        for first, last in itertools.pairwise(borders)
    ]
    joined = np.concatenate(tiles)
    for name in ("sample_index", "unit_index", "channel_index", "sample_offset"):
        np.testing.assert_array_equal(joined[name], at_once[name])
    assert at_once.size >= 58


def test_same_bits_twice_and_input_untouched() -> None:
    model = make_model(make_templates(6))
    traces = make_traces(model, random_spikes(6, 2000, 30, seed=1), 2000, noise=1.0)
    copy = traces.copy()
    assert match(traces, model).tobytes() == match(traces, model).tobytes()
    assert traces.tobytes() == copy.tobytes()


def test_large_varying_spikes_leave_no_second_report() -> None:
    """Spikes of one large unit, 15 % in amplitude and half a sample off, beside a unit of similar shape."""
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


def test_mismatch_guards_against_a_neighbour_on_what_is_left() -> None:
    """What a large spike may leave along its neighbour's template is reported as that neighbour only unguarded."""
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
    left = match_residual(traces, before=100, after=50, start=100, n_before=N_BEFORE, **model)
    assert left.shape == (1350, N_CHANNELS)
    assert np.square(left).sum() < 1.005 * np.square(noise[100:-50]).sum()


def test_silence_and_noise_hold_no_spikes() -> None:
    model = make_model(make_templates(4))
    assert match(np.zeros((500, N_CHANNELS), np.float32), model).size == 0
    noise = np.random.default_rng(0).standard_normal((30000, N_CHANNELS)).astype(np.float32)
    assert match(noise, model, threshold=6.0).size == 0


def test_no_templates_empty_templates_one_template() -> None:
    spikes = [(0, 150, 1.0)]
    single = make_model(make_templates(1))
    traces = make_traces(single, spikes, 300)
    assert match(traces, single)["sample_index"].tolist() == [150]
    nothing = match(traces, make_model(np.zeros((0, N_SAMPLES, N_CHANNELS))))
    assert nothing.size == 0 and nothing.dtype == MATCH_DTYPE
    with_empty = make_model(np.concatenate([np.zeros((1, N_SAMPLES, N_CHANNELS)), make_templates(1)]))
    assert match(traces, with_empty)["unit_index"].tolist() == [1]


def test_traces_shorter_than_a_template() -> None:
    model = make_model(make_templates(2))
    short = np.zeros((N_SAMPLES - 1, N_CHANNELS), np.float32)
    assert match_templates(short, before=5, after=5, start=0, n_before=N_BEFORE, **model).size == 0


def test_noise_gain_is_the_bandwidth() -> None:
    model = make_model(make_templates(4))
    white = np.random.default_rng(0).standard_normal((60001, N_CHANNELS)).astype(np.float32)
    names = ("temporal", "spatial", "channels", "energies")
    factors: Any = {name: model[name] for name in names}  # type: ignore[literal-required]
    assert estimate_noise_gain(white, **factors) == pytest.approx(1.0, abs=0.05)
    smooth = (white[1:] + white[:-1]) / np.sqrt(2)
    assert estimate_noise_gain(smooth, **factors) == pytest.approx(2.0, rel=0.1)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"amplitude_min": 0.0}, "amplitude_min is 0.0"),
        ({"amplitude_max": 0.9}, "amplitude_max 0.9"),
        ({"threshold": -1.0}, "threshold is -1.0"),
        ({"amplitude_std": 0.0}, "amplitude_std 0.0"),
    ],
)
def test_limits_are_checked(parameters: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        match(np.zeros((100, N_CHANNELS), np.float32), make_model(make_templates(1)), **parameters)


def test_templates_from_another_probe_are_refused() -> None:
    with pytest.raises(ValueError, match="uses channel 5, but the recording has 4 channels"):
        build_match_model(
            temporal=np.ones((1, 1, 4)), spatial=np.ones((1, 1, 1)), channels=np.array([[5]]), n_channels=4
        )
    with pytest.raises(ValueError, match="NaN"):
        build_match_model(
            temporal=np.full((1, 1, 4), np.nan), spatial=np.ones((1, 1, 1)), channels=np.array([[0]]), n_channels=4
        )


def test_shift_matrices_delay_band_limited_waveforms() -> None:
    time = np.arange(40.0)
    operators = shift_matrices(40, steps_per_sample=4)
    wave = np.exp(-0.5 * ((time - 20) / 2.5) ** 2)
    for index, delay in enumerate((-0.5, -0.25, 0, 0.25, 0.5)):
        np.testing.assert_allclose(operators[index] @ wave, np.exp(-0.5 * ((time - 20 - delay) / 2.5) ** 2), atol=2e-3)
