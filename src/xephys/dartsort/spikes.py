"""Spikes with channels, labels and features: what one asks of them, and how some are selected or changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ..checks import check_positive
from ..errors import ParameterError
from ..wrong_calls import explained_methods
from .hdf5 import FIXED, feature_names, read_features

#: Ephemeral feature with the rows of the HDF5 file that some of its spikes are.
ROWS = "mask_indices"


@explained_methods
class FeaturedSpikes:
    """Spikes as arrays in memory, and their features by name; see :class:`DARTsortSorting`."""

    def __init__(
        self,
        *,
        times_samples: NDArray[Any],
        channels: NDArray[Any],
        labels: NDArray[Any] | None,
        parent_h5_path: str | Path | None = None,
        sampling_frequency: float | int = 30000.0,
        persistent_features: dict[str, NDArray[Any]] | None = None,
        ephemeral_features: dict[str, NDArray[Any]] | None = None,
    ) -> None:
        self.times_samples = _whole("times_samples", times_samples)
        self.channels = _whole("channels", channels)
        self.labels = None if labels is None else _whole("labels", labels)
        self.parent_h5_path = None if parent_h5_path is None else Path(parent_h5_path)
        check_positive(sampling_frequency=sampling_frequency)
        self.sampling_frequency = float(sampling_frequency)
        self._persistent = dict(persistent_features or {})
        self._ephemeral = dict(ephemeral_features or {})
        for name, values in {"channels": self.channels, "labels": self.labels}.items():
            if values is not None and values.shape != self.times_samples.shape:
                raise ParameterError(f"{name} has shape {values.shape} for {self.n_spikes} spikes; give one per spike")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        for features in (self._ephemeral, self._persistent):
            if name in features:
                return features[name]
        stored = feature_names(self.parent_h5_path)
        if name in stored:
            return self._read(name)
        known = ", ".join(dict.fromkeys([*self._ephemeral, *self._persistent, *stored])) or "none"
        raise AttributeError(f"this sorting has no feature {name!r}; it has {known}")

    def __len__(self) -> int:
        return self.n_spikes

    @property
    def n_spikes(self) -> int:
        """Number of spikes."""
        return int(self.times_samples.size)

    @property
    def times_seconds(self) -> NDArray[np.float64]:
        """Time of each spike: the stored one if there is one, otherwise its sample over the sampling rate."""
        stored = self._ephemeral.get("times_seconds", self._persistent.get("times_seconds"))
        return self.times_samples / self.sampling_frequency if stored is None else stored

    @property
    def unit_ids(self) -> NDArray[np.int64]:
        """Labels of the units, ascending, without -1."""
        labels = np.unique(self._labels())
        return labels[labels >= 0]

    @property
    def n_units(self) -> int:
        """Number of units."""
        return len(self.unit_ids)

    @property
    def spike_feature_dict(self) -> dict[str, NDArray[Any]]:
        """All features with one row per spike, by name; of the HDF5 file, those of one number or vector as well."""
        for name in feature_names(self.parent_h5_path):
            if name not in self._ephemeral and name not in self._persistent:
                self._read(name)
        features = {**self._persistent, **self._ephemeral}
        return {n: values for n, values in features.items() if n != ROWS and self._is_per_spike(n, values)}

    def copy(self) -> Self:
        """The same spikes and features in a new object; arrays are shared."""
        return self._with(slice(None))

    def ephemeral_replace(self, *, check_shapes: bool = True, **new_features: NDArray[Any]) -> Self:
        """A copy with other ``labels``, ``times_samples`` or ``channels``, or other ephemeral features.

        Raises
        ------
        ParameterError
            If an array has not one value per spike, unless ``check_shapes`` is False.
        """
        other = self.copy()
        for name, values in new_features.items():
            if name in ("times_samples", "channels", "labels"):
                whole = _whole(name, values)
                self._check(name, whole, check=check_shapes)
                setattr(other, name, whole)
            else:
                other.add_ephemeral_feature(name, values, check_shape=check_shapes, overwrite=True)
        return other

    def add_ephemeral_feature(
        self, feature_name: str, feature: NDArray[Any], check_shape: bool | None = None, overwrite: bool = False
    ) -> None:
        """Add a feature that is stored in the NPZ.

        Raises
        ------
        ParameterError
            If it is there already, or has not one row per spike (unless ``check_shape`` is False).
        """
        if not overwrite and (feature_name in self._ephemeral or feature_name in self._persistent):
            raise ParameterError(
                f"the sorting has a feature {feature_name!r} already; give overwrite=True to replace it"
            )
        values = np.asarray(feature)
        self._check(feature_name, values, check=check_shape is not False and feature_name not in FIXED)
        self._ephemeral[feature_name] = values

    def mask(self, mask: NDArray[Any]) -> Self:
        """The spikes that a mask or a list of indices selects.

        Raises
        ------
        ParameterError
            If a mask has not one value per spike, or an index is of no spike.
        """
        chosen = np.asarray(mask)
        if chosen.dtype != np.bool_:
            chosen = _whole("mask", mask)
            fits = bool((np.abs(chosen + 0.5) < self.n_spikes).all())
        else:
            fits = chosen.shape == (self.n_spikes,)
        if not fits:
            raise ParameterError(
                f"mask does not select among {self.n_spikes} spikes; give one truth value per spike, or indices below "
                f"{self.n_spikes}"
            )
        return self._with(chosen)

    def drop_missing(self) -> Self:
        """Only spikes that have a unit."""
        return self._with(self._labels() >= 0)

    def drop_doubles(self) -> Self:
        """Only the first of several spikes of one unit at one sample."""
        pairs = np.stack([self.times_samples, self._labels()], axis=1)
        _, first = np.unique(pairs, axis=0, return_index=True)
        return self._with(np.sort(first))

    def flatten(self) -> Self:
        """The same units under the labels 0, 1, …, in the same order."""
        labels = self._labels()
        flat = np.where(labels >= 0, np.searchsorted(self.unit_ids, labels), -1)
        return self.ephemeral_replace(labels=flat)

    def _read(self, name: str) -> NDArray[Any]:
        """A feature of the HDF5 file for these spikes; it is kept."""
        assert self.parent_h5_path is not None
        read = read_features(self.parent_h5_path, [name], main=(), simple=False, everything=False, allow_missing=False)
        self._persistent[name] = self._own_rows(name, read[name])
        return self._persistent[name]

    def _own_rows(self, name: str, stored: NDArray[Any]) -> NDArray[Any]:
        """Of a dataset of the HDF5 file, the rows of these spikes."""
        rows = self._ephemeral.get(ROWS)
        return stored if rows is None or name in FIXED else stored[rows]

    def _labels(self) -> NDArray[np.int64]:
        if self.labels is None:
            raise ParameterError("these spikes have no labels; give some with ephemeral_replace(labels=...)")
        return self.labels

    def _is_per_spike(self, name: str, values: NDArray[Any]) -> bool:
        return name not in FIXED and values.ndim > 0 and len(values) == self.n_spikes

    def _check(self, name: str, values: NDArray[Any], *, check: bool) -> None:
        if check and (values.ndim == 0 or len(values) != self.n_spikes):
            raise ParameterError(f"{name} has shape {values.shape} for {self.n_spikes} spikes; give one row per spike")

    def _with(self, rows: Any) -> Self:
        def chosen(features: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
            return {n: values[rows] if self._is_per_spike(n, values) else values for n, values in features.items()}

        ephemeral = chosen(self._ephemeral)
        if self.parent_h5_path is not None and ROWS not in ephemeral and not isinstance(rows, slice):
            ephemeral[ROWS] = np.arange(self.n_spikes)[rows]
        return type(self)(
            times_samples=self.times_samples[rows],
            channels=self.channels[rows],
            labels=None if self.labels is None else self.labels[rows],
            parent_h5_path=self.parent_h5_path,
            sampling_frequency=self.sampling_frequency,
            persistent_features=chosen(self._persistent),
            ephemeral_features=ephemeral,
        )


def _whole(name: str, values: Any) -> NDArray[np.int64]:
    """Whole numbers in one row.

    Raises
    ------
    ParameterError
        If they are something else: nothing is rounded, and no text is read as a number.
    """
    array = np.asarray(values)
    if array.size == 0 and array.ndim == 1:
        return np.zeros(0, np.int64)
    if array.ndim != 1 or array.dtype.kind not in "iuf" or not np.isfinite(array).all() or (array % 1).any():
        raise ParameterError(f"{name} are {array.dtype} of shape {array.shape}; give one whole number per spike")
    return array.astype(np.int64)
