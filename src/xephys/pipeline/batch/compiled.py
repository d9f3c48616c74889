"""Compiled units: one file per recording with the fields that other programs expect, without pickles unless asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...checks import readable
from ...typing import PathLike
from ..config.config import SortingPipelineConfig
from .spike_data import SpikeData

NPZ_NAME, MAT_NAME = "sorted.npz", "sorted.mat"
PICKLE_NAME, RAW_PICKLE_NAME = "sorted_spikedata_curated.pkl", "sorted_spikedata.pkl"
#: Fields of a unit that are arrays of its own length; in an archive they follow each other, with a table of starts.
_RAGGED = ("spike_train", "template", "amplitudes", "std_norms")


def write_compiled(folder: Path, every: SpikeData, curated: SpikeData, config: SortingPipelineConfig) -> None:
    """Write the compiled files of one recording, and of each of its epochs into ``chunk<c>/``.

    Parameters
    ----------
    folder
        Folder that is whole or absent.
    every, curated
        All units, and those that curation kept.
    config
        Groups ``compilation`` and ``waveform`` are used.
    """
    compilation = config.compilation
    chosen = every if compilation.include_failed_units else curated
    places = [(folder, chosen)]
    if len(chosen.epochs) > 1:
        places += [(folder / f"chunk{number}", epoch) for number, epoch in enumerate(chosen.split_epochs())]
    for place, data in places:
        place.mkdir(exist_ok=True)
        content = compiled_units(data, config)
        if compilation.compile_to_npz:
            np.savez_compressed(place / NPZ_NAME, allow_pickle=False, **_as_arrays(content))
        if compilation.compile_to_mat:
            from scipy.io import savemat

            units = np.array(content["units"], dtype=object) if content["units"] else np.zeros((0,))
            savemat(place / MAT_NAME, {**content, "units": units}, long_field_names=True, oned_as="row")
    if compilation.compile_waveforms:
        _write_waveforms(folder, compiled_units(chosen, config)["units"])
    if compilation.save_raw_pkl:
        import pickle

        for name, data in ((RAW_PICKLE_NAME, every), (PICKLE_NAME, curated)):
            plain = {"train": data.train, "neuron_attributes": data.neuron_attributes, "metadata": data.metadata}
            (folder / name).write_bytes(pickle.dumps(plain))


def compiled_units(data: SpikeData, config: SortingPipelineConfig) -> dict[str, Any]:
    """Units as a list of plain fields in the order of polarity and amplitude, ``locations`` and ``fs``."""
    compilation, attributes = config.compilation, data.neuron_attributes
    order = sorted(range(len(attributes)), key=lambda k: (attributes[k]["has_pos_peak"], -attributes[k]["amplitude"]))
    units = []
    for number, k in enumerate(order):
        row = attributes[k]
        unit: dict[str, Any] = {
            "unit_id": row["unit_id"],
            "x_max": row["x"],
            "y_max": row["y"],
            "template": _scaled(_windowed(row["template"], data, config), row["channel"], data, config),
        }
        if compilation.save_spike_times:
            unit["spike_train"] = row["spike_train_samples"]
        if compilation.save_electrodes:
            unit["electrode"] = row["electrode"]
        if compilation.save_dl_data:
            unit |= {
                "sorted_index": number,
                "max_channel_si": row["channel"],
                "max_channel_id": row["channel_id"],
                "peak_sign": "positive" if row["has_pos_peak"] else "negative",
                "peak_ind": row["template_peak_ind"],
                "amplitudes": row["amplitudes"],
                "std_norms": row["std_norms_all"],
            }
        units.append(unit)
    locations = np.asarray(data.metadata["channel_locations"], np.float64)
    return {"units": units, "locations": locations, "fs": data.sampling_frequency}


def read_compiled(path: PathLike) -> dict[str, Any]:
    """A compiled ``sorted.npz`` as ``units`` (a list of fields by name), ``locations`` and ``fs``; runs no code.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ParameterError
        If it cannot be read, or holds something else.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> arrays = {"n_units": 1, "fields": ["unit_id", "spike_train"], "locations": np.zeros((1, 2)), "fs": 20_000.0}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = folder + "/sorted.npz"
    ...     np.savez(path, unit_unit_id=[3], unit_spike_train=[5, 9], unit_spike_train_start=[0], **arrays)
    ...     read_compiled(path)["units"][0]["spike_train"].tolist()
    [5, 9]
    """
    with readable(path, what="a compiled recording (sorted.npz)"), np.load(path, allow_pickle=False) as stored:
        n, names = int(stored["n_units"]), [str(name) for name in stored["fields"]]
        units: list[dict[str, Any]] = [{} for _ in range(n)]
        for name in names:
            values = stored[f"unit_{name}"]
            if name in _RAGGED:
                values = np.split(values, stored[f"unit_{name}_start"][1:]) if n else []
            for unit, value in zip(units, values, strict=True):
                unit[name] = value.item() if isinstance(value, np.generic) else value
        return {"units": units, "locations": stored["locations"], "fs": float(stored["fs"])}


def _as_arrays(content: dict[str, Any]) -> dict[str, Any]:
    """The content as arrays of plain types; fields of different lengths follow each other."""
    units = content["units"]
    names = list(units[0]) if units else []
    arrays: dict[str, Any] = {
        "locations": content["locations"], "fs": content["fs"], "n_units": len(units),
        "fields": np.array(names, dtype=np.str_),
    }  # fmt: skip
    for name in names:
        values = [unit[name] for unit in units]
        if name in _RAGGED:
            arrays[f"unit_{name}"] = np.concatenate(values)
            arrays[f"unit_{name}_start"] = np.cumsum([0, *(len(value) for value in values[:-1])])
        else:
            arrays[f"unit_{name}"] = np.array(values)
    return arrays


def _windowed(template: NDArray[np.float32], data: SpikeData, config: SortingPipelineConfig) -> NDArray[np.float32]:
    """The template within the compiled window, filled with zeros where it was not measured."""
    waveform, nbefore = config.waveform, int(data.units.attrs["nbefore"])
    before, after = (
        round(ms * 1e-3 * data.sampling_frequency) for ms in (waveform.compiled_ms_before, waveform.compiled_ms_after)
    )
    place = np.arange(-before, after) + nbefore
    inside = (place >= 0) & (place < len(template))
    return np.where(inside, template[np.clip(place, 0, len(template) - 1)], 0).astype(np.float32)


def _scaled(
    template: NDArray[np.float32], channel: int, data: SpikeData, config: SortingPipelineConfig
) -> NDArray[np.float32]:
    """The template in microvolts, or in counts of the file."""
    if config.waveform.scale_compiled_waveforms:
        return template
    return (template / data.metadata["gain_to_uv"][channel]).astype(np.float32)


def _write_waveforms(folder: Path, units: list[dict[str, Any]]) -> None:
    """The templates by polarity, each below the number of its unit in the compiled order."""
    for name, positive in (("negative_peaks", False), ("positive_peaks", True)):
        (folder / name).mkdir(exist_ok=True)
        for number, unit in enumerate(units):
            upward = unit["template"].max() > -unit["template"].min()
            if upward == positive:
                np.save(folder / name / f"waveforms_{number}.npy", unit["template"], allow_pickle=False)
