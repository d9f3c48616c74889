"""``SpikeData``: the units of one recording of a batch, as trains, attributes, epochs and files."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ...checks import check_positive
from ...curate.segments import select_segments
from ...io.read.sortings import open_sorting
from ...io.store.sorting import save_sorting
from ...sorting import first_samples, samples_per_segment, unit_ids_of
from ...typing import PathLike

if TYPE_CHECKING:
    import pandas as pd

SORTING_NAME, UNITS_NAME, ABOUT_NAME = "sorting.zarr", "units.zarr", "about.json"


@dataclass(frozen=True)
class SpikeData:
    """The units of one recording.

    Attributes
    ----------
    sorting
        The sorting tree: spikes by sample of the file, one segment per epoch.
    units
        Dataset with dim ``unit``: metrics, templates, channels.
    metadata
        ``source_file``, ``source_format`` (the sorter that ran), ``fs_Hz``, ``channel_locations``, ``n_samples``,
        ``rec_chunks_frames``, ``rec_chunks_ms``, ``rec_chunks_names``, and others.

    Examples
    --------
    >>> import xephys
    >>> sorting = xephys.make_sorting(sample_index=[10, 200, 300], labels=[1, 2, 1], sampling_frequency=1000.0)
    >>> data = SpikeData(sorting, xr.Dataset(coords={"unit_id": ("unit", [1, 2])}))
    >>> [train.tolist() for train in data.train]
    [[10.0, 300.0], [200.0]]
    >>> data.raster(bin_ms=100).tolist()
    [[1, 0, 0, 1], [0, 0, 1, 0]]
    """

    sorting: xr.DataTree
    units: xr.Dataset
    metadata: dict[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"<SpikeData: {self.n_units} units, {self.sorting['spikes'].sizes['spike']} spikes, {self.length:g} ms>"

    @property
    def n_units(self) -> int:
        return len(unit_ids_of(self.sorting))

    @property
    def unit_ids(self) -> NDArray[Any]:
        return np.asarray(unit_ids_of(self.sorting))

    @property
    def sampling_frequency(self) -> float:
        return float(self.sorting.attrs["sampling_frequency"])

    @property
    def length(self) -> float:
        """Duration in ms, of all epochs together."""
        return sum(samples_per_segment(self.sorting)) / self.sampling_frequency * 1e3

    @property
    def train(self) -> list[NDArray[np.float64]]:
        """Spike times of each unit in ms from the start, epochs one after the other."""
        return self._by_unit(self._joined_samples() / self.sampling_frequency * 1e3)

    @property
    def samples(self) -> list[NDArray[np.int64]]:
        """Samples of each unit's spikes, as they count in the file."""
        return self._by_unit(np.asarray(self.sorting["spikes"]["sample_index"].values, np.int64))

    @property
    def epochs(self) -> list[tuple[float, float]]:
        """Start and stop of each epoch in ms, on the axis of ``train``."""
        edges = self._edges() / self.sampling_frequency * 1e3
        return [(a, b) for a, b in pairwise(edges.tolist())]

    @property
    def neuron_attributes(self) -> list[dict[str, Any]]:
        """Attributes of each unit: numbers, its place, and its templates on its own channels."""
        channels = self.metadata.get("channel_ids", [])
        places = np.asarray(self.metadata.get("channel_locations", np.zeros((0, 2))), np.float64)
        trains, table = self.samples, self.units
        attributes = []
        for k, unit in enumerate(self.unit_ids.tolist()):
            row: dict[str, Any] = {"unit_id": unit, "spike_train_samples": trains[k]}
            if "template" in table:
                peak, slot = int(table["peak_channel"][k]), int(table["peak_slot"][k])
                row |= {
                    "channel": peak,
                    "channel_id": channels[peak],
                    "electrode": self.metadata.get("electrodes", channels)[peak],
                    "x": float(places[peak, 0]),
                    "y": float(places[peak, 1]),
                    "template": table["template"].values[k, :, slot],
                    "template_full": self._full_template(k),
                    "template_windowed": table["template"].values[k],
                    "template_channels": table["channel_index"].values[k],
                    "template_peak_ind": int(table["peak_index"][k]),
                    "amplitude": float(table["amplitude"][k]),
                    "amplitudes": table["amplitudes"].values[k],
                    "peak_inds": table["peak_indices"].values[k],
                    "std_norms_all": table["std_norms"].values[k],
                    "has_pos_peak": bool(table["has_pos_peak"][k]),
                    "snr": float(table["snr"][k]),
                    "std_norm": float(table["std_norm"][k]),
                    "firing_rate": float(table["firing_rate"][k]),
                }
            attributes.append(row)
        return attributes

    def raster(self, bin_ms: float = 1.0) -> NDArray[np.int64]:
        """Numbers of spikes ``(unit, bin)``.

        Raises
        ------
        ParameterError
            If the bin is not above 0.
        """
        check_positive(bin_ms=bin_ms)
        times = self._joined_samples() / self.sampling_frequency * 1e3
        n_bins = max(1, int(np.ceil(max(self.length, times.max(initial=0) + 1e-9) / bin_ms)))
        index = self.sorting["spikes"]["unit_index"].values * n_bins + (times / bin_ms).astype(np.int64)
        return np.bincount(index, minlength=self.n_units * n_bins).reshape(self.n_units, n_bins)

    def split_epochs(self) -> list[SpikeData]:
        """One object per epoch, with times from its start; samples still count in the file."""
        names = self.metadata.get("rec_chunks_names") or [str(k) for k in range(len(self.epochs))]
        return [
            SpikeData(select_segments(self.sorting, k), self.units, {**self.metadata, "epoch": name})
            for k, name in enumerate(names)
        ]

    def to_sorting(self) -> xr.DataTree:
        """The sorting tree, for every function of this package that takes one."""
        return self.sorting

    def to_spikeinterface(self) -> Any:
        """SpikeInterface's sorting object."""
        from ...io.bridge.spikeinterface import to_spikeinterface

        return to_spikeinterface(self.sorting)

    def to_dataframe(self) -> pd.DataFrame:
        """The numbers of all units, one row each."""
        import pandas as pd

        columns = {str(key): values.values for key, values in self.units.data_vars.items() if values.dims == ("unit",)}
        return pd.DataFrame(columns, index=pd.Index(self.unit_ids, name="unit_id"))

    def to_npz(self, path: PathLike, *, overwrite: bool = False) -> None:
        """Write spikes and units as arrays without pickles, see :func:`xephys.export_npz`."""
        from ...io.export.arrays import export_npz

        export_npz(self.sorting, path, overwrite=overwrite)

    def to_mat(self, path: PathLike, *, overwrite: bool = False) -> None:
        """Write spikes and units as one MATLAB file, see :func:`xephys.export_mat`."""
        from ...io.export.arrays import export_mat

        export_mat(self.sorting, path, overwrite=overwrite)

    def write(self, folder: Path) -> None:
        """Write everything below a folder, as data."""
        save_sorting(self.sorting, folder / SORTING_NAME)
        self.units.to_zarr(str(folder / UNITS_NAME), mode="w-", consolidated=False)
        (folder / ABOUT_NAME).write_text(json.dumps(self.metadata), encoding="utf-8")

    @classmethod
    def open(cls, folder: PathLike) -> SpikeData:
        """Open what :meth:`write` wrote."""
        place = Path(folder)
        return cls(
            open_sorting(place / SORTING_NAME),
            xr.open_zarr(str(place / UNITS_NAME), consolidated=False).load(),
            json.loads((place / ABOUT_NAME).read_text(encoding="utf-8")),
        )

    def _full_template(self, k: int) -> NDArray[np.float32]:
        """One unit's template on all channels; zero beyond its own."""
        channels, own = self.units["channel_index"].values[k], self.units["template"].values[k]
        full = np.zeros((own.shape[0], len(self.metadata.get("channel_ids", []))), np.float32)
        full[:, channels[channels >= 0]] = own[:, channels >= 0]
        return full

    def _edges(self) -> NDArray[np.int64]:
        return np.concatenate([[0], np.cumsum(samples_per_segment(self.sorting))]).astype(np.int64)

    def _joined_samples(self) -> NDArray[np.int64]:
        spikes = self.sorting["spikes"].dataset
        samples = np.asarray(spikes["sample_index"].values, np.int64)
        segment = spikes["segment_index"].values if "segment_index" in spikes else np.zeros(len(samples), np.int64)
        return samples - np.asarray(first_samples(self.sorting), np.int64)[segment] + self._edges()[segment]

    def _by_unit(self, values: NDArray[Any]) -> list[NDArray[Any]]:
        units = self.sorting["spikes"]["unit_index"].values
        order = np.argsort(units, kind="stable")
        edges = np.cumsum(np.bincount(units, minlength=self.n_units))[:-1] if self.n_units else []
        return np.split(values[order], edges) if self.n_units else []
