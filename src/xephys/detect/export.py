"""Write a detection network for other programs: TorchScript or ONNX, of a whole convolution. Needs Torch."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ..errors import OutputError, ParameterError
from ..typing import PathLike
from .weights import layers_of

#: File names end in one of these.
SUFFIXES = (".pt", ".onnx")


def to_torch(network: xr.Dataset) -> Any:
    """The network as a Torch module, from traces ``(channel, 1, sample)`` to ``(channel, output, sample)``.

    Parameters
    ----------
    network
        From :func:`read_network`.

    Returns
    -------
    ``torch.nn.Sequential`` of convolutions and rectifiers. Its input is in units of the noise, troughs negative; its
    first output sample is about input sample ``nbefore``.

    Raises
    ------
    ParameterError
        If Torch is not installed.

    Examples
    --------
    >>> from xephys.detect.weights import read_network
    >>> to_torch(read_network("mea"))[0].kernel_size  # doctest: +SKIP
    (49,)
    """
    try:
        import torch
    except ImportError as error:
        raise ParameterError("Torch is not installed; pip install 'xephys[nn]'") from error
    layers: list[Any] = []
    for weight, bias in zip(*layers_of(network), strict=True):
        layer = torch.nn.Conv1d(weight.shape[1], weight.shape[0], weight.shape[2])
        with torch.no_grad():
            layer.weight.copy_(torch.from_numpy(np.array(weight)))
            layer.bias.copy_(torch.from_numpy(np.array(bias)))
        layers += [layer, torch.nn.ReLU()]
    return torch.nn.Sequential(*layers[:-1]).eval()


def export_network(network: xr.Dataset, path: PathLike) -> Path:
    """Write a network as TorchScript (``.pt``) or ONNX (``.onnx``), for any number of channels and samples.

    Parameters
    ----------
    network
        From :func:`read_network`.
    path
        File to write; its ending decides the format.

    Returns
    -------
    The path.

    Raises
    ------
    ParameterError
        If the ending is another one, or Torch (for ONNX, also its package ``onnx``) is not installed.
    OutputError
        If the file cannot be written.

    Examples
    --------
    >>> from xephys.detect.weights import read_network
    >>> export_network(read_network("mea"), "net.onxx")
    Traceback (most recent call last):
        ...
    xephys.errors.ParameterError: net.onxx ends in '.onxx'; give .pt or .onnx
    """
    target = Path(path)
    if target.suffix not in SUFFIXES:
        raise ParameterError(f"{target} ends in {target.suffix!r}; give {' or '.join(SUFFIXES)}")
    module = to_torch(network)
    if target.suffix == ".onnx" and find_spec("onnx") is None:
        raise ParameterError("the package onnx is not installed; pip install onnx")
    import torch

    example = torch.zeros(2, 1, 200)
    try:
        if target.suffix == ".pt":
            torch.jit.trace(module, example).save(str(target))
        else:
            axes = {0: "channel", 2: "sample"}
            names: dict[str, Any] = {"input_names": ["traces"], "output_names": ["outputs"]}
            torch.onnx.export(
                module, (example,), str(target), dynamo=False, dynamic_axes={"traces": axes, "outputs": axes}, **names
            )
    except (OSError, RuntimeError) as error:
        raise OutputError(f"cannot write {target}: {error}; choose a folder that can be written") from error
    return target
