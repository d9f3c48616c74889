"""Read a detection network: those of this project, or one in a file of yours. Weights are arrays; no code is loaded."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..checks import check_choice, check_positive, why_unreadable
from ..errors import ParameterError
from ..typing import PathLike

#: Networks of this project, by name, and the sampling rate at which each was trained.
NETWORKS: Mapping[str, float] = {"mea": 20_000.0, "neuropixels": 30_000.0}
FOLDER = Path(__file__).parent / "networks"
#: What the card of a network has to say.
CARD = ("sampling_frequency", "nbefore", "candidate_threshold", "stringent_thresh", "loose_thresh")
#: A network may be used at rates up to this factor from its own; its filters are then resampled.
RATE_RATIO_MAX = 2.0


def read_network(name: PathLike) -> xr.Dataset:
    """Read a detection network.

    Parameters
    ----------
    name
        ``"mea"`` (trained at 20 kHz) or ``"neuropixels"`` (30 kHz), or the path of an ``.npz`` file with ``weight_0``
        ``(out, in, tap)``, ``bias_0 (out,)``, ``weight_1``, … and ``card``, a JSON text.

    Returns
    -------
    Dataset with ``weights (weight)``, ``biases (bias)`` and ``shape (layer, size)``: taps, inputs and outputs of each
    convolution. Attributes are those of the card: ``sampling_frequency`` (Hz), ``nbefore`` (samples of the receptive
    field before the spike), ``candidate_threshold`` (noise levels), ``stringent_thresh``, ``loose_thresh``
    (probabilities of a root and of another detection), ``probability_min`` (of a detection by itself; the stringent one
    if a card has none), and what is known of the training.

    Raises
    ------
    ParameterError
        If there is no such network, or the file is damaged or incomplete.

    Examples
    --------
    >>> read_network("mea").attrs["sampling_frequency"]
    20000.0
    """
    from ..kernels.detect.network import pack_layers, receptive_field

    path = FOLDER / f"{name}.npz" if str(name) in NETWORKS else Path(name)
    if path.suffix != ".npz":
        check_choice("network", str(name), NETWORKS)
    try:
        with np.load(path, allow_pickle=False) as stored:
            card = json.loads(str(stored["card"]))
            n_layers = sum(key.startswith("weight_") for key in stored.files)
            weights = [np.asarray(stored[f"weight_{k}"], np.float32) for k in range(n_layers)]
            biases = [np.asarray(stored[f"bias_{k}"], np.float32) for k in range(n_layers)]
        packed = pack_layers(weights, biases)
    except FileNotFoundError as error:
        raise ParameterError(f"there is no network at {path}; give {', '.join(NETWORKS)} or an .npz file") from error
    except (OSError, KeyError, ValueError, BadZipFile, EOFError) as error:
        raise ParameterError(f"{path} is not a network that can be read: {why_unreadable(error)}") from error
    missing = [name for name in CARD if name not in card]
    if missing:
        raise ParameterError(f"the card of {path} has no {', '.join(missing)}; add it")
    field, n_outputs = receptive_field(packed["shape"]), int(packed["shape"][-1, 2])
    if n_outputs not in (1, 2) or not 0 <= card["nbefore"] < field:
        raise ParameterError(
            f"the network of {path} has {n_outputs} outputs and sees {field} samples, {card['nbefore']} of them before "
            "the spike; give one or two outputs, and a spike inside"
        )
    return _dataset(packed, card)


def nearest_network(sampling_frequency: float) -> str:
    """Name of the network of this project whose rate is the nearest.

    Examples
    --------
    >>> nearest_network(24_000.0), nearest_network(32_000.0)
    ('mea', 'neuropixels')
    """
    return min(NETWORKS, key=lambda name: abs(np.log(NETWORKS[name] / sampling_frequency)))


def network_at_rate(network: xr.Dataset, sampling_frequency: float) -> xr.Dataset:
    """The network for another sampling rate: each of its filters is interpolated in time.

    Parameters
    ----------
    network
        From :func:`read_network`.
    sampling_frequency
        In hertz, at most a factor of two from the network's own.

    Raises
    ------
    ParameterError
        If the rate is too far.

    Examples
    --------
    >>> int(network_at_rate(read_network("mea"), 25_000.0)["shape"][0, 0])
    101
    """
    from ..kernels.detect.network import pack_layers, receptive_field

    check_positive(sampling_frequency=sampling_frequency)
    own = float(network.attrs["sampling_frequency"])
    ratio = sampling_frequency / own
    if abs(ratio - 1) < 1e-3:
        return network
    if not 1 / RATE_RATIO_MAX <= ratio <= RATE_RATIO_MAX:
        raise ParameterError(
            f"the network was trained at {own:g} Hz and the recording has {sampling_frequency:g} Hz; resample the "
            f"recording to {own / RATE_RATIO_MAX:g} to {own * RATE_RATIO_MAX:g} Hz"
        )
    weights, biases = layers_of(network)
    # Each filter is stretched about its share of the place of the spike, so that the spike stays on a sample.
    share = network.attrs["nbefore"] / max(receptive_field(network["shape"].values) - 1, 1)
    stretched = [_stretched(weight, ratio, share * (weight.shape[2] - 1)) for weight in weights]
    packed = pack_layers([weight for weight, _ in stretched], list(biases))
    nbefore = sum(before for _, before in stretched)
    return _dataset(packed, {**network.attrs, "nbefore": nbefore, "sampling_frequency": float(sampling_frequency)})


def layers_of(network: xr.Dataset) -> tuple[list[NDArray[np.float32]], list[NDArray[np.float32]]]:
    """Weights ``(out, in, tap)`` and constants ``(out,)`` of each convolution, as Torch has them.

    Examples
    --------
    >>> [weight.shape for weight in layers_of(read_network("mea"))[0]]
    [(128, 1, 81), (64, 128, 1), (2, 64, 1)]
    """
    shape = network["shape"].values
    sizes = shape.prod(axis=1)
    flat = np.split(network["weights"].values, np.cumsum(sizes)[:-1])
    biases = np.split(network["biases"].values, np.cumsum(shape[:, 2])[:-1])
    return [part.reshape(row).transpose(2, 1, 0) for part, row in zip(flat, shape, strict=True)], list(biases)


def _stretched(weight: NDArray[np.float32], ratio: float, place: float) -> tuple[NDArray[np.float32], int]:
    """A filter at another rate, whose sum over a slow signal stays the same, and where in it ``place`` is now."""
    taps = weight.shape[2]
    if taps == 1:
        return weight, 0
    before, after = round(place * ratio), round((taps - 1 - place) * ratio)
    places = np.clip(place + np.arange(-before, after + 1) / ratio, 0, taps - 1)
    flat = weight.reshape(-1, taps)
    out = np.stack([np.interp(places, np.arange(taps), row) for row in flat])
    return np.asarray(out.reshape(*weight.shape[:2], -1) / ratio, np.float32), before


def _dataset(packed: Mapping[str, NDArray[Any]], card: Mapping[str, Any]) -> xr.Dataset:
    return xr.Dataset(
        {
            "weights": ("weight", packed["weights"]),
            "biases": ("bias", packed["biases"]),
            "shape": (("layer", "size"), packed["shape"]),
        },
        attrs=dict(card),
    )
