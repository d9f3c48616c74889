"""The network at candidates equals the whole convolution, for any tiles, and Torch's."""

import numpy as np
import pytest
from scipy.special import expit

from xephys.kernels.detect.network import (
    detect_by_network,
    evaluate_at,
    log_odds,
    network_halo,
    pack_layers,
    receptive_field,
)

SHAPES = {"one wide": ((8, 21), (5, 1), (2, 1)), "all wide": ((6, 5), (4, 7), (1, 5))}


def make_layers(name, seed=0):
    """Weights and biases with about as much going out as coming in."""
    rng = np.random.default_rng(seed)
    weights, biases, inputs = [], [], 1
    for outputs, taps in SHAPES[name]:
        weights.append(rng.standard_normal((outputs, inputs, taps)) * np.sqrt(2 / (inputs * taps)))
        biases.append(rng.standard_normal(outputs) * 0.1)
        inputs = outputs
    return weights, biases


def convolved(trace, weights, biases):
    """The whole network as convolutions of float64, one output per position of the receptive field."""
    values = trace[None].astype(float)
    for number, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        values = np.stack(
            [bias[o] + sum(np.correlate(values[i], weight[o, i], "valid") for i in range(len(values)))
             for o in range(len(weight))]
        )  # fmt: skip
        if number < len(weights) - 1:
            values = np.maximum(values, 0)
    return values


def make_traces(n_samples=1500, n_channels=3, seed=0):
    return np.random.default_rng(seed).standard_normal((n_samples, n_channels)).astype(np.float32)


@pytest.mark.parametrize("name", SHAPES)
def test_candidates_get_what_the_whole_convolution_gives(name):
    weights, biases = make_layers(name)
    packed = pack_layers(weights, biases)
    traces, nbefore = make_traces(), 7
    rows = np.arange(40, 1400, 13)
    channels = rows % 3
    found = evaluate_at(traces, rows, channels, np.array([1.0, 0.5, 2.0], np.float32), **_flat(packed), nbefore=nbefore)
    for row, channel, output in zip(rows, channels, found, strict=True):
        factor = (1.0, 0.5, 2.0)[channel] * (1 if traces[row, channel] < 0 else -1)
        window = traces[row - nbefore : row - nbefore + receptive_field(packed["shape"]), channel] * factor
        np.testing.assert_allclose(output, convolved(window, weights, biases)[:, 0], rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("name", SHAPES)
def test_torch_gives_the_same(name):
    torch = pytest.importorskip("torch")
    weights, biases = make_layers(name, seed=1)
    layers = []
    for weight, bias in zip(weights, biases, strict=True):
        layer = torch.nn.Conv1d(weight.shape[1], weight.shape[0], weight.shape[2])
        layer.weight.data, layer.bias.data = torch.from_numpy(weight).float(), torch.from_numpy(bias).float()
        layers += [layer, torch.nn.ReLU()]
    network = torch.nn.Sequential(*layers[:-1])
    packed, trace = pack_layers(weights, biases), -np.abs(make_traces(300, 1))
    with torch.no_grad():
        whole = network(torch.from_numpy(trace.T.copy())[None])[0].numpy()
    rows = np.arange(whole.shape[1])
    found = evaluate_at(trace, rows, 0 * rows, np.ones(1, np.float32), **_flat(packed), nbefore=0)
    np.testing.assert_allclose(found.T, whole, rtol=1e-4, atol=1e-5)


def _flat(packed):
    return {name: packed[name] for name in ("weights", "biases", "shape")}


def detect(traces, start, stop, packed, **parameters):
    """Peaks of samples [start, stop) with exactly the halo that detection asks for."""
    settings = {"nbefore": 10, "exclude_sweep_samples": 6, **parameters}
    before, after = network_halo(
        packed["shape"], nbefore=settings["nbefore"], exclude_sweep_samples=settings["exclude_sweep_samples"]
    )
    return detect_by_network(
        traces[start - before : stop + after], before=before, after=after, start=start, network=packed,
        **{"noise_levels": np.full(3, 1.1), "candidate_threshold": 1.5, "probability_min": 0.4, **settings},
    )  # fmt: skip


@pytest.mark.parametrize("peak_sign", ["neg", "pos", "both"])
def test_peaks_are_the_most_probable_candidates(peak_sign):
    weights, biases = make_layers("one wide")
    traces, packed = make_traces(), pack_layers(weights, biases)
    found = detect(traces, 100, 1300, packed, peak_sign=peak_sign)
    probability = {}
    for channel in range(3):
        trace = traces[:, channel]
        for row in range(90, 1310):
            sides = trace[row - 1], trace[row + 1]
            trough = trace[row] <= -1.65 and trace[row] < sides[0] and trace[row] <= sides[1]
            crest = trace[row] >= 1.65 and trace[row] > sides[0] and trace[row] >= sides[1]
            if (trough and peak_sign != "pos") or (crest and peak_sign != "neg"):
                window = trace[row - 10 : row + 11] / (1.1 if trough else -1.1)
                probability[row, channel] = expit(convolved(window, weights, biases)[0, 0])
    kept = [
        key for key, value in sorted(probability.items())
        if 100 <= key[0] < 1300 and value >= 0.4
        and not any(other > value for (r, c), other in probability.items() if c == key[1] and abs(r - key[0]) <= 6)
    ]  # fmt: skip
    assert len(kept) > 20
    assert list(zip(found["sample_index"], found["channel_index"], strict=True)) == kept
    np.testing.assert_allclose(found["probability"], [probability[key] for key in kept], rtol=1e-4)


def test_tiles_do_not_matter():
    packed, traces = pack_layers(*make_layers("all wide")), make_traces()
    whole = detect(traces, 60, 1400, packed, nbefore=8)
    parts = [detect(traces, a, b, packed, nbefore=8) for a, b in ((60, 333), (333, 334), (334, 1400))]
    assert len(whole) > 20
    assert np.concatenate(parts).tobytes() == whole.tobytes()


def test_bad_channels_give_no_peaks():
    packed, traces = pack_layers(*make_layers("one wide")), make_traces()
    found = detect(traces, 60, 1400, packed, good=np.array([True, False, True]), probability_min=0.0)
    assert set(found["channel_index"]) == {0, 2}


def test_wrong_input_is_named():
    packed, traces = pack_layers(*make_layers("one wide")), make_traces()
    with pytest.raises(ValueError, match="halo is 3 samples before and 30 after; this network needs 16 and 16"):
        detect_by_network(
            traces, before=3, after=30, start=0, noise_levels=np.ones(3), network=packed, nbefore=10,
            candidate_threshold=2.0, probability_min=0.5, exclude_sweep_samples=6,
        )  # fmt: skip
    with pytest.raises(ValueError, match=r"layer 1 has weights \(2, 3, 1\)"):
        pack_layers([np.ones((4, 1, 3)), np.ones((2, 3, 1))], [np.zeros(4), np.zeros(2)])


def test_log_odds_of_certainty():
    assert log_odds(0.0) == -np.inf and log_odds(0.5) == 0
