"""``DARTsortSorting``: spikes, labels and features of a sorting, stored in dartsort's files and handed to others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..errors import ParameterError
from ..io.export.optional import needed
from ..typing import PathLike
from ..wrong_calls import explained_methods
from .convert import arrays_of_tree, data_frame, numpy_sorting, ts_group
from .hdf5 import FIXED, read_features, simple_features
from .npz import read_npz, write_npz
from .spikes import ROWS, FeaturedSpikes


@explained_methods
class DARTsortSorting(FeaturedSpikes):
    """Spikes with their channels, labels and features, as dartsort holds them.

    Features are attributes: *persistent* ones live in an HDF5 file and are read when they are asked for, *ephemeral*
    ones in memory and in the NPZ.

    Parameters
    ----------
    times_samples
        ``(spike,)`` int64.
    channels
        ``(spike,)`` int64, main channel of each spike.
    labels
        ``(spike,)`` int64, -1 for spikes without a unit; None if the spikes are not sorted.
    parent_h5_path
        File of the persistent features.
    sampling_frequency
        In Hz.
    persistent_features, ephemeral_features
        Arrays by name.

    Raises
    ------
    ParameterError
        If the lengths of the arrays differ.

    Examples
    --------
    >>> sorting = DARTsortSorting(times_samples=np.array([10, 40]), channels=np.zeros(2, int), labels=np.array([0, -1]))
    >>> sorting
    DARTsortSorting: 2 spikes (50.00% without a unit), 1 unit
    """

    def __repr__(self) -> str:
        if self.labels is None:
            return f"DARTsortSorting: {self.n_spikes} spikes without labels"
        share = float(np.mean(self.labels < 0)) if self.n_spikes else 0.0
        units = f"{self.n_units} unit{'' if self.n_units == 1 else 's'}"
        return f"DARTsortSorting: {self.n_spikes} spikes ({share:.2%} without a unit), {units}"

    @classmethod
    def from_tree(cls, sorting: xr.DataTree) -> DARTsortSorting:
        """Spikes of a sorting of this package, with their places and amplitudes as features.

        Raises
        ------
        ParameterError
            If the channels of its units are not known.
        """
        return cls(**arrays_of_tree(sorting))

    @classmethod
    def from_peeling_hdf5(
        cls,
        h5_path: PathLike,
        *,
        times_samples_dataset: str = "times_samples",
        channels_dataset: str = "channels",
        labels_dataset: str = "labels",
        load_feature_names: Sequence[str] | None = None,
        load_simple_features: bool = True,
        load_all_features: bool = False,
        allow_missing: bool = False,
    ) -> DARTsortSorting:
        """Read a file of dartsort.

        Parameters
        ----------
        h5_path
            The file.
        times_samples_dataset, channels_dataset, labels_dataset
            Names of its datasets; labels may be missing.
        load_feature_names
            Features to load; if None, those that the next two arguments select.
        load_simple_features
            Features with one number or one vector per spike.
        load_all_features
            Features with a matrix per spike too.
        allow_missing
            Skip named features that are not in the file.

        Raises
        ------
        ParameterError
            If the file, or a dataset in it, is missing.
        ImportError
            If h5py is not installed.
        """
        main = (times_samples_dataset, channels_dataset, "sampling_frequency")
        stored = read_features(
            h5_path,
            load_feature_names,
            main=(*main, labels_dataset),
            simple=load_simple_features,
            everything=load_all_features,
            allow_missing=allow_missing,
        )
        absent = [name for name in main[:2] if name not in stored]
        if absent:
            raise ParameterError(f"{h5_path} has no {' and no '.join(absent)}; it is not a file of detected spikes")
        rate = stored.pop("sampling_frequency", 30_000.0)
        return cls(
            times_samples=stored.pop(times_samples_dataset),
            channels=stored.pop(channels_dataset),
            labels=stored.pop(labels_dataset, None),
            parent_h5_path=Path(h5_path),
            sampling_frequency=float(rate),
            persistent_features=stored,
        )

    @classmethod
    def load(
        cls,
        sorting_npz: PathLike,
        additional_persistent_features: Sequence[str] | None = None,
        load_ephemeral_feature_names: Sequence[str] | None = None,
        load_persistent_feature_names: Sequence[str] | None = None,
    ) -> DARTsortSorting:
        """Read the NPZ that :meth:`save` or dartsort wrote, and the features of its HDF5 file, if that is there.

        Parameters
        ----------
        sorting_npz
            The file.
        additional_persistent_features
            Features of the HDF5 file to load besides those that were loaded when it was written.
        load_ephemeral_feature_names, load_persistent_feature_names
            Features to load; all that were there if None.

        Raises
        ------
        ParameterError
            If the file is not one of these.
        """
        path = Path(sorting_npz)
        stored = read_npz(path)
        names = stored.get("ephemeral_feature_names", np.array([], str)).tolist()
        chosen = names if load_ephemeral_feature_names is None else load_ephemeral_feature_names
        ephemeral = {name: stored[name] for name in ("geom", *chosen) if name in stored}
        h5_path = path.parent / str(stored["parent_h5_path"]) if "parent_h5_path" in stored else None
        persistent: dict[str, NDArray[Any]] = {}
        if h5_path is not None and h5_path.exists():
            loaded = stored.get("loaded_persistent_features", np.array([], str)).tolist()
            wanted = loaded if load_persistent_feature_names is None else load_persistent_feature_names
            wanted = [*wanted, *(additional_persistent_features or ())]
            persistent = read_features(h5_path, wanted, main=(), simple=True, everything=False, allow_missing=True)
        if ROWS in stored:
            ephemeral[ROWS] = stored[ROWS]
            persistent = {name: v if name in FIXED else v[stored[ROWS]] for name, v in persistent.items()}
        return cls(
            times_samples=stored["times_samples"],
            channels=stored["channels"],
            labels=stored.get("labels"),
            parent_h5_path=h5_path,
            sampling_frequency=float(stored.get("sampling_frequency", 30_000.0)),
            persistent_features=persistent,
            ephemeral_features=ephemeral,
        )

    def save(self, sorting_npz: PathLike) -> None:
        """Write spikes, labels and ephemeral features as an NPZ with a relative path to the HDF5 file.

        Some of the spikes of an HDF5 file are written with all features and no path, because dartsort reads a file's
        rows for all of them.

        Raises
        ------
        OutputError
            If the file cannot be written.
        """
        spikes = {"times_samples": self.times_samples, "channels": self.channels}
        if self.labels is not None:
            spikes["labels"] = self.labels
        spikes["sampling_frequency"] = np.array(self.sampling_frequency)
        if ROWS in self._ephemeral:
            write_npz(sorting_npz, spikes, self.spike_feature_dict, h5_path=None, persistent=[])
            return
        write_npz(sorting_npz, spikes, self._ephemeral, h5_path=self.parent_h5_path, persistent=list(self._persistent))

    def has_persistent_labels(self) -> bool:
        """Whether the labels are those of the HDF5 file."""
        if self.parent_h5_path is None or self.labels is None or not self.parent_h5_path.exists():
            return False
        stored = read_features(
            self.parent_h5_path, ["labels"], main=(), simple=False, everything=False, allow_missing=True
        )
        return "labels" in stored and np.array_equal(self._own_rows("labels", stored["labels"]), self.labels)

    def add_feature(self, feature_name: str, feature: NDArray[Any], check_shape: bool | None = None) -> None:
        """Add a feature to the HDF5 file.

        Raises
        ------
        ParameterError
            If the sorting has no HDF5 file or is a part of it, or the feature has not one row per spike.
        """
        if self.parent_h5_path is None:
            raise ParameterError(
                f"this sorting has no HDF5 file for {feature_name!r}; add_ephemeral_feature stores it in the NPZ"
            )
        if ROWS in self._ephemeral:
            raise ParameterError(
                f"these are some of the spikes of {self.parent_h5_path}, which holds one row for each of all; "
                "add_ephemeral_feature stores the feature in the NPZ"
            )
        h5py = needed("h5py", extra="dartsort", what="DARTsortSorting.add_feature")
        values = np.asarray(feature)
        self._check(feature_name, values, check=check_shape is not False)
        with h5py.File(self.parent_h5_path, "r+") as file:
            if feature_name in file:
                del file[feature_name]
            file[feature_name] = values
        self._persistent[feature_name] = values

    def to_numpy_sorting(self) -> Any:
        """A ``NumpySorting`` of SpikeInterface with the spikes that have a unit."""
        spikes = self.drop_missing()
        return numpy_sorting(spikes.times_samples, spikes._labels(), self.sampling_frequency)

    def to_pandas(self, include_1d_features: bool = True, extract_location_if_possible: bool = True) -> Any:
        """One row per spike: times, channels, labels, and its features of one number.

        Parameters
        ----------
        include_1d_features
            Whether features become columns.
        extract_location_if_possible
            Whether ``x``, ``y`` and ``z`` are taken out of the localizations.
        """
        columns = {"times_samples": self.times_samples, "channels": self.channels}
        if self.labels is not None:
            columns["labels"] = self.labels
        features = self.spike_feature_dict
        return data_frame(columns, features, numbers=include_1d_features, places=extract_location_if_possible)

    def to_tsgroup(
        self,
        metadata: Mapping[str, Any] | None = None,
        add_feature_mean_metadata: bool = True,
        weight_key: str = "soft_assignment_weight",
    ) -> Any:
        """A ``pynapple.TsGroup`` of the units; a feature of the name ``weight_key`` becomes the values of the spikes.

        Parameters
        ----------
        metadata
            More columns, one value per unit.
        add_feature_mean_metadata
            Whether the mean of each feature over the spikes of a unit becomes a column.
        weight_key
            Name of the feature with one weight per spike.

        Raises
        ------
        ImportError
            If pynapple is not installed.
        """
        spikes = self.drop_missing()
        return ts_group(
            spikes.times_seconds, spikes._labels(), spikes.spike_feature_dict, metadata or {},
            with_means=add_feature_mean_metadata, weight_key=weight_key,
        )  # fmt: skip


def features_of(sorting: DARTsortSorting) -> dict[str, NDArray[Any]]:
    """Everything that an HDF5 file holds of a sorting: spikes, labels and features."""
    own: dict[str, NDArray[Any]] = {"times_samples": sorting.times_samples, "channels": sorting.channels}
    if sorting.labels is not None:
        own["labels"] = sorting.labels.astype(np.int32)
    return {**own, "times_seconds": sorting.times_seconds, **simple_features(sorting.spike_feature_dict)}
