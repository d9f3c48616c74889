"""A network written for other programs gives what the kernel gives."""

import numpy as np
import pytest

import xephys
from xephys.detect.export import export_network, to_torch
from xephys.detect.weights import read_network
from xephys.kernels.detect.network import evaluate_at, receptive_field


def outputs_of(network, traces):
    """The kernel's outputs at every sample of troughs."""
    nafter = receptive_field(network["shape"].values) - 1 - network.attrs["nbefore"]
    rows = np.arange(network.attrs["nbefore"], len(traces) - nafter)
    flat = (network[name].values for name in ("weights", "biases", "shape"))
    return evaluate_at(traces, rows, 0 * rows, np.ones(1, np.float32), *flat, network.attrs["nbefore"])


@pytest.fixture
def traces():
    return -np.abs(np.random.default_rng(0).standard_normal((300, 1))).astype(np.float32)


def test_the_module_is_the_kernel(traces):
    torch = pytest.importorskip("torch")
    network = read_network("mea")
    with torch.no_grad():
        whole = to_torch(network)(torch.from_numpy(traces.T.copy())[None])[0].numpy()
    np.testing.assert_allclose(whole.T, outputs_of(network, traces), rtol=1e-4, atol=1e-4)


def test_torchscript_takes_any_size(traces, tmp_path):
    torch = pytest.importorskip("torch")
    network = read_network("neuropixels")
    module = torch.jit.load(str(export_network(network, tmp_path / "net.pt")))
    with torch.no_grad():
        whole = module(torch.from_numpy(np.tile(traces.T, (5, 1)))[:, None]).numpy()
    np.testing.assert_allclose(whole[4].T, outputs_of(network, traces), rtol=1e-4, atol=1e-4)


def test_onnx_is_written(tmp_path):
    pytest.importorskip("torch")
    onnx = pytest.importorskip("onnx")
    model = onnx.load(export_network(read_network("mea"), tmp_path / "net.onnx"))
    onnx.checker.check_model(model)


def test_other_endings_and_a_missing_torch_are_named(tmp_path, monkeypatch):
    with pytest.raises(xephys.ParameterError, match=r"ends in '\.trt'; give \.pt or \.onnx"):
        export_network(read_network("mea"), tmp_path / "net.trt")
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    with pytest.raises(xephys.ParameterError, match="Torch is not installed"):
        export_network(read_network("mea"), tmp_path / "net.pt")
