"""Hints for a path in no known format: the three formats with the most similar file names, and how to name one."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping
from itertools import islice, takewhile
from pathlib import Path

#: Typical file names by format; ``raw`` is a binary file without metadata.
FILE_NAMES: dict[str, tuple[str, ...]] = {
    "raw": (".bin", ".dat", ".raw", ".i16"),
    "spikeglx": (".ap.bin", ".lf.bin", ".nidq.bin", ".bin", ".meta"),
    "openephys-binary": ("continuous.dat", "structure.oebin", ".oebin", "sample_numbers.npy"),
    "openephys-legacy": (".continuous", ".openephys"),
    "neuralynx": (".ncs", ".nse", ".ntt", ".nev"),
    "intan": (".rhd", ".rhs", "amplifier.dat", "info.rhd", "time.dat"),
    "blackrock": (".ns2", ".ns3", ".ns5", ".ns6", ".nev", ".ccf"),
    "plexon": (".plx",),
    "plexon2": (".pl2",),
    "nwb": (".nwb", ".nwb.zarr"),
    "mearec": (".h5", ".hdf5"),
    "maxwell": (".raw.h5", ".h5"),
    "mcsh5": (".h5", ".mcd"),
    "biocam": (".brw", ".bxr"),
    "whitematter": ("_64ch_25000sps.bin",),
    "spikegadgets": (".rec",),
    "neuronexus": (".xdat", ".xdat.json"),
    "tdt": (".tsq", ".tev", ".tbk", ".sev"),
    "edf": (".edf", ".bdf"),
    "axona": (".set",),
    "spike2": (".smr",),
    "ced": (".smrx",),
    "axon": (".abf",),
    "zarr": (".zarr",),
    "si-folder": ("binary.json", "si_folder.json", "traces_cached_seg0.raw"),
    "si-dump": (".pkl", ".pickle"),
}
#: What to do with common files that no reader here accepts.
_REMEDIES = {
    ".cbin": "a .cbin is SpikeGLX compressed by mtscomp: decompress it (mtsdecomp) and open the .bin",
    ".mda": "an .mda is MountainSort's: open it with SpikeInterface (read_mda_recording) and from_spikeinterface",
    ".mat": "a .mat holds arrays: load them (scipy.io.loadmat) and use make_recording",
    ".npy": "an .npy holds an array: load it (numpy.load) and use make_recording",
    ".npz": "an .npz holds arrays: load them (numpy.load) and use make_recording",
    ".gz": "a .gz is compressed: decompress it (gunzip) and open what comes out",
    ".zip": "a .zip is an archive: unpack it and open what comes out",
    ".csv": "a .csv is a table: load it and use make_recording",
    ".nev": "a .nev holds events and spikes, no traces: open the .ns1 to .ns6, or the .ncs, beside it",
    ".nse": "a .nse holds waveforms of spikes, no traces: open the .ncs beside it",
    ".ntt": "a .ntt holds waveforms of spikes, no traces: open the .ncs beside it",
    ".meta": "a .meta describes the .bin of the same name: open that; if it is missing, so are the samples",
}
#: Files that hold samples in packed form, by the end of their names.
_PACKED = (".gz", ".zip", ".cbin", ".npz")
_N_FILES = 200


def packed_remedy(path: Path) -> str | None:
    """What to do with a file whose bytes are no samples; None if its name does not say so.

    Examples
    --------
    >>> packed_remedy(Path("session.dat.gz")), packed_remedy(Path("session.dat"))
    ('a .gz is compressed: decompress it (gunzip) and open what comes out', None)
    """
    suffix = path.suffix.lower()
    return _REMEDIES[suffix] if suffix in _PACKED else None


def unknown_format(path: Path, described: Mapping[str, str]) -> str:
    """Three lines of text: that the format is unknown, the nearest formats, and how to name one.

    Parameters
    ----------
    path
        A file or folder.
    described
        Description of each format by name.

    Examples
    --------
    >>> print(unknown_format(Path("session.ncz"), {"neuralynx": "Neuralynx, .ncs"}).splitlines()[1])
    nearest by name are neuralynx (Neuralynx, .ncs), blackrock (.ns2), nwb (.nwb)
    """
    names = [path.name]
    if path.is_dir():
        names = [entry.name for entry in islice(path.rglob("*"), _N_FILES)] or names
    nearest = [name for name in nearest_formats(names) if name != "raw"][:3]
    listed = ", ".join(f"{name} ({described.get(name, FILE_NAMES[name][0])})" for name in nearest)
    if "spike_times.npy" in names:
        return f"{path} is of phy or Kilosort and holds a sorting\nnearest by name are {listed}\nuse open_sorting"
    remedy = next((_REMEDIES[s] for s in (Path(name).suffix.lower() for name in names) if s in _REMEDIES), None)
    how = "name one with format=NAME (--reader format=NAME)"
    if path.is_file():
        how += ", or describe a raw binary file by sampling_frequency, n_channels and dtype"
    broken = _broken_description(path)
    known = f"known by its name or content{broken and f', and {broken}'}"
    return f"{path} is in no format that is {known}\nnearest by name are {listed}\n{remedy or how}"


def _broken_description(path: Path) -> str:
    """What is wrong with the JSON file that may describe a raw file; empty if there is none, or it can be read."""
    for beside in (path.with_suffix(".json"), path.with_name(path.name + ".json")):
        if path.is_file() and beside.is_file() and beside != path:
            try:
                found = json.loads(beside.read_text(encoding="utf8"))
            except ValueError as error:
                return f"{beside.name} beside it is no JSON ({error})"
            if not isinstance(found, dict) or not {"sampling_frequency", "n_channels"} <= set(found):
                return f"{beside.name} beside it lacks sampling_frequency or n_channels"
    return ""


def nearest_formats(names: Iterable[str]) -> list[str]:
    """All formats, ordered by how similar their typical file names are to the given ones."""
    own = [name.lower() for name in names]
    scores = {
        known: max((_likeness(name, like) for name in own for like in likes), default=0.0)
        for known, likes in FILE_NAMES.items()
    }
    return sorted(scores, key=lambda known: -scores[known])


def _likeness(name: str, like: str) -> float:
    """1 for the same name or suffix, less for others. Suffixes are compared with suffixes, whole names with names."""
    if not like.startswith("."):
        return 1.0 if name.endswith(like) else 0.9 * difflib.SequenceMatcher(None, name, like).ratio()
    if name.endswith(like):
        return 1.0
    suffix = Path(name).suffix
    if not suffix:
        return 0.0
    alike_from_the_left = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(suffix, like, strict=False)))
    return 0.8 * difflib.SequenceMatcher(None, suffix, like).ratio() + 0.02 * alike_from_the_left
