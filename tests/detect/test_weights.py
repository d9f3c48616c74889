"""Networks are read as data, and serve other sampling rates."""

import json

import numpy as np
import pytest

import xephys
from xephys.detect.weights import FOLDER, NETWORKS, layers_of, nearest_network, network_at_rate, read_network


@pytest.mark.parametrize("name", NETWORKS)
def test_own_networks_are_small_and_complete(name):
    network = read_network(name)
    assert network.attrs["sampling_frequency"] == NETWORKS[name]
    assert network["weights"].size < 20_000
    assert (FOLDER / f"{name}.npz").stat().st_size < 40_000
    assert 0 < network.attrs["loose_thresh"] < network.attrs["stringent_thresh"] < 1


def test_layers_are_those_of_the_file(tmp_path):
    rng = np.random.default_rng(0)
    weights = [rng.standard_normal((3, 1, 5)).astype("f4"), rng.standard_normal((2, 3, 3)).astype("f4")]
    path = write(tmp_path, weights)
    for found, given in zip(layers_of(read_network(path))[0], weights, strict=True):
        np.testing.assert_array_equal(found, given)


def write(folder, weights, **card):
    card = {
        "sampling_frequency": 20_000.0, "nbefore": 2, "candidate_threshold": 2.0, "stringent_thresh": 0.5,
        "loose_thresh": 0.2, **card,
    }  # fmt: skip
    arrays = {f"weight_{k}": w for k, w in enumerate(weights)} | {
        f"bias_{k}": np.zeros(len(w), "f4") for k, w in enumerate(weights)
    }
    np.savez(folder / "net.npz", card=np.array(json.dumps(card)), **arrays)
    return folder / "net.npz"


def answers_at(network, rates):
    """Outputs of a network, as resampled to each rate, at the trough of a spike."""
    from xephys.kernels.detect.network import evaluate_at

    answers = []
    for rate in rates:
        own = network_at_rate(network, rate)
        time_ms = (np.arange(401) - 200) / rate * 1e3
        trace = -9 * np.exp(-0.5 * (time_ms / 0.1) ** 2) + 2.5 * np.exp(-0.5 * ((time_ms - 0.5) / 0.25) ** 2)
        flat = (own[name].values for name in ("weights", "biases", "shape"))
        at, scale = np.array([200]), np.ones(1, np.float32)
        traces = trace.astype(np.float32)[:, None]
        answers.append(evaluate_at(traces, at, np.array([0]), scale, *flat, own.attrs["nbefore"])[0])
    return np.array(answers)


def test_a_resampled_filter_answers_a_resampled_signal():
    """The response to a spike, at its trough, stays the same at another rate."""
    answers = answers_at(read_network("neuropixels"), (30_000.0, 25_000.0, 40_000.0))[:, 0]
    assert min(answers) > 1
    np.testing.assert_allclose(answers, answers[0], rtol=0.15)


def test_a_resampled_window_keeps_the_spike_on_a_sample(tmp_path):
    """Windows that are longer before a spike than after it: a filter stays where it was, at rates between samples."""
    taps = np.arange(81)
    filters = np.stack([np.exp(-0.5 * ((taps - 56 - shift) / 4.0) ** 2) for shift in (-6, 0, 6)])
    network = read_network(
        write(tmp_path, [filters[:, None].astype("f4"), np.eye(2, 3, dtype="f4")[..., None]], nbefore=56)
    )
    rates = (20_000.0, 22_100.0, 24_000.0, 27_300.0, 37_700.0)
    for rate in rates:
        own = network_at_rate(network, rate)
        centres = [np.average(np.arange(w.shape[-1]), weights=w[0]) for w in layers_of(own)[0][0]]
        late_ms = (np.array(centres) - own.attrs["nbefore"]) / rate * 1e3
        np.testing.assert_allclose(late_ms, [-0.3, 0, 0.3], atol=2e-3)


def test_the_nearest_network_is_taken():
    assert [nearest_network(rate) for rate in (20e3, 24e3, 25e3, 32e3)] == ["mea", "mea", "neuropixels", "neuropixels"]


def test_wrong_input_is_named(tmp_path):
    with pytest.raises(xephys.ParameterError, match="mae"):
        read_network("mae")
    with pytest.raises(xephys.ParameterError, match="there is no network at"):
        read_network(tmp_path / "none.npz")
    (tmp_path / "broken.npz").write_bytes(b"PK not a zip")
    with pytest.raises(xephys.ParameterError, match="not a network that can be read"):
        read_network(tmp_path / "broken.npz")
    (tmp_path / "text.npz").write_text("hello")
    with pytest.raises(xephys.ParameterError, match="it is not an archive of arrays"):
        read_network(tmp_path / "text.npz")
    with pytest.raises(xephys.ParameterError, match="3 outputs"):
        read_network(write(tmp_path, [np.ones((3, 1, 5), "f4")]))
    with pytest.raises(xephys.ParameterError, match="trained at 20000 Hz and the recording has 96000 Hz"):
        network_at_rate(read_network("mea"), 96_000.0)


def test_nothing_in_a_file_is_run(tmp_path):
    np.savez(tmp_path / "evil.npz", card=np.array([print], dtype=object), weight_0=np.ones((2, 1, 3)))
    with pytest.raises(xephys.ParameterError, match="allow_pickle"):
        read_network(tmp_path / "evil.npz")
