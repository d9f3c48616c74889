"""Denoising networks of dartsort: weights with a hash, applied without torch."""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from ..errors import ParameterError
from ..io.export.optional import needed
from ..io.store.atomic import ending_with, whole_or_absent
from ..typing import PathLike
from ..wrong_calls import explained_methods

#: Name of the stored hash beside the weights.
HASH = "sha256"


@explained_methods
@dataclass(frozen=True, eq=False)
class Network:
    """A network: float32 weights by name.

    Raises
    ------
    ParameterError
        If a weight is missing, has a shape that does not fit the others, or is not finite.
    """

    weights: Mapping[str, NDArray[np.float32]]
    NAMES: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        missing = [name for name in self.NAMES if name not in self.weights]
        if missing:
            raise ParameterError(
                f"the weights of a {type(self).__name__} have no {', '.join(missing)}; they have "
                f"{', '.join(self.weights)}"
            )
        own = {name: np.ascontiguousarray(self.weights[name], np.float32) for name in self.NAMES}
        wrong = [name for name, values in own.items() if not np.isfinite(values).all()]
        if wrong:
            raise ParameterError(f"{', '.join(wrong)} of the weights is not finite; train the network again")
        expected = self.expected_shapes(own)
        unfit = [f"{name} {own[name].shape}" for name in self.NAMES if own[name].shape != expected[name]]
        if unfit:
            raise ParameterError(
                f"the weights of a {type(self).__name__} do not fit each other: {', '.join(unfit)}; give the weights "
                "of one network"
            )
        object.__setattr__(self, "weights", own)

    @staticmethod
    def expected_shapes(weights: Mapping[str, NDArray[np.float32]]) -> dict[str, tuple[int, ...]]:
        """The shape of each weight that goes with the sizes of the others."""
        raise NotImplementedError

    @property
    def hash(self) -> str:
        """SHA-256 of names, shapes and values of all weights."""
        digest = hashlib.sha256()
        for name in sorted(self.weights):
            digest.update(f"{name}{self.weights[name].shape}".encode())
            digest.update(self.weights[name].tobytes())
        return digest.hexdigest()

    def save(self, path: PathLike) -> None:
        """Write the weights and their hash as an NPZ.

        Raises
        ------
        OutputError
            If the file cannot be written.
        """
        with whole_or_absent(path, overwrite=True) as hidden, ending_with(hidden, ".npz") as named:
            np.savez(named, **self.weights, **{HASH: np.array(self.hash)})  # type: ignore[arg-type]

    @classmethod
    def load(cls, path: PathLike) -> Self:
        """Read weights from an NPZ, with or without a hash, or from tensors that torch saved.

        Nothing in the file is executed.

        Raises
        ------
        ParameterError
            If the file is damaged, its weights do not match their hash, or they are of another network.
        ImportError
            If the file is torch's and torch is not installed.
        """
        file = Path(path)
        if not file.is_file():
            raise ParameterError(f"{file} is not a file; give the path of weights, an NPZ or what torch saved")
        if file.suffix == ".npz":
            try:
                with np.load(file, allow_pickle=False) as stored:
                    arrays: dict[str, Any] = {name: stored[name] for name in stored.files}
            except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as error:
                raise ParameterError(f"{file} holds no weights: {error}; copy the file again") from error
        else:
            torch = needed("torch", extra="nn", what="reading weights that torch saved")
            try:
                arrays = {k: v.numpy() for k, v in torch.load(file, weights_only=True, map_location="cpu").items()}
            except (
                OSError,
                RuntimeError,
                ValueError,
                EOFError,
                AttributeError,
                torch.serialization.pickle.UnpicklingError,
            ) as error:
                raise ParameterError(f"{file} holds no tensors: {error}; copy the file again") from error
        given = arrays.pop(HASH, None)
        network = cls(arrays)
        if given is not None and str(given) != network.hash:
            raise ParameterError(f"the weights in {file} do not match their hash; the file is damaged, copy it again")
        return network


class SingleChannelWaveformDenoiser(Network):
    """Denoises each channel on its own: two convolutions, then a linear layer.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> shapes = [(16, 1, 5), (16,), (8, 16, 11), (8,), (121, 856), (121,)]
    >>> weights = {n: rng.normal(0, 0.1, s) for n, s in zip(SingleChannelWaveformDenoiser.NAMES, shapes)}
    >>> SingleChannelWaveformDenoiser(weights).denoise(np.zeros((3, 121))).shape
    (3, 121)
    """

    NAMES: ClassVar[tuple[str, ...]] = (
        "conv1.0.weight",
        "conv1.0.bias",
        "conv2.0.weight",
        "conv2.0.bias",
        "out.weight",
        "out.bias",
    )

    @staticmethod
    def expected_shapes(weights: Mapping[str, NDArray[np.float32]]) -> dict[str, tuple[int, ...]]:
        """The shape of each weight that goes with the numbers of filters, their lengths and that of a snippet."""
        first, second, n_samples = (weights[name].size for name in ("conv1.0.bias", "conv2.0.bias", "out.bias"))
        one, other = (weights[name].shape[-1:] for name in ("conv1.0.weight", "conv2.0.weight"))
        n_left = n_samples - sum(one) - sum(other) + 2
        shapes = (
            (first, 1, *one), (first,), (second, first, *other), (second,), (n_samples, second * n_left), (n_samples,),
        )  # fmt: skip
        return dict(zip(SingleChannelWaveformDenoiser.NAMES, shapes, strict=True))

    @property
    def n_samples(self) -> int:
        """Length of a snippet."""
        return len(self.weights["out.bias"])

    def denoise(self, snippets: NDArray[Any]) -> NDArray[np.float32]:
        """Denoise snippets ``(..., sample)``, in units of the noise.

        Raises
        ------
        ParameterError
            If the snippets have another length.
        """
        from ..kernels.features.networks import denoise_single_channel

        values = _numbers(snippets)
        if values.ndim == 0 or values.shape[-1] != self.n_samples:
            raise ParameterError(
                f"snippets have the shape {values.shape} and the network takes {self.n_samples} samples on the last "
                "axis; cut them so"
            )
        return denoise_single_channel(values.reshape(-1, self.n_samples), self.weights).reshape(values.shape)


class Decollider(Network):
    """Denoises all channels of a snippet together: two hidden layers, and an output with gates."""

    NAMES: ClassVar[tuple[str, ...]] = (
        "hidden1.weight",
        "hidden1.bias",
        "slope1",
        "hidden2.weight",
        "hidden2.bias",
        "slope2",
        "out.weight",
        "out.bias",
    )

    @staticmethod
    def expected_shapes(weights: Mapping[str, NDArray[np.float32]]) -> dict[str, tuple[int, ...]]:
        """The shape of each weight that goes with the sizes of the hidden layers, of the input and of the output."""
        first, second, n_out = (weights[name].size for name in ("hidden1.bias", "hidden2.bias", "out.bias"))
        n_in = weights["hidden1.weight"].shape[-1:]
        shapes = ((first, *n_in), (first,), (1,), (second, first), (second,), (1,), (n_out, second), (n_out,))
        return dict(zip(Decollider.NAMES, shapes, strict=True))

    def denoise(self, snippets: NDArray[Any], present: NDArray[Any] | None = None) -> NDArray[np.float32]:
        """Denoise snippets ``(n, sample, slot)``; ``present (n, slot)`` tells which slots have a channel.

        Raises
        ------
        ParameterError
            If the snippets have another number of samples and slots.
        """
        from ..kernels.features.networks import denoise_channels

        values = _numbers(snippets)
        if values.ndim != 3:
            raise ParameterError(f"snippets have the shape {values.shape}; give them as (snippet, sample, slot)")
        n, n_samples, n_slots = values.shape
        if (n_samples + 1) * n_slots != self.weights["hidden1.weight"].shape[1]:
            raise ParameterError(
                f"snippets have {n_samples} samples on {n_slots} slots, and the network takes "
                f"{self.weights['hidden1.weight'].shape[1]} numbers; cut them as it was trained"
            )
        slots = np.ones((n, n_slots), bool) if present is None else np.asarray(present, bool)
        if slots.shape != (n, n_slots):
            raise ParameterError(f"present has the shape {slots.shape} for {n} snippets on {n_slots} slots; give both")
        return denoise_channels(np.where(slots[:, None, :], values, 0), slots, self.weights)


def _numbers(snippets: Any) -> NDArray[np.float32]:
    values = np.asarray(snippets)
    if values.dtype.kind not in "iuf":
        raise ParameterError(f"snippets are {values.dtype}; give numbers in units of the noise")
    return values.astype(np.float32, copy=False)
