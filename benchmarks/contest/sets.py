"""The recordings on which sorters are compared: each is a pure function of its kind and seed.

Seeds 0 to 9 and from 100 on are for choosing parameters, seeds 10 to 14 for reporting: no choice is based on them.
"""

import hashlib
import json
import shutil
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from . import generated
from .kinds import KINDS, Role

FIRST_REPORTED_SEED = 10


@dataclass(frozen=True)
class Recorded:
    """A recording on disk with what is known about it."""

    kind: str
    seed: int
    path: Path
    digest: str

    @property
    def name(self) -> str:
        return f"{self.kind}:{self.seed}"

    @property
    def role(self) -> Role:
        return KINDS[self.kind].role

    @property
    def duration_s(self) -> float:
        return KINDS[self.kind].duration_s

    @cached_property
    def simulated_truth(self) -> Any | None:
        """The ground truth of our simulator; None for a generated recording."""
        return None if KINDS[self.kind].simulator is None else _simulated(self.kind, self.seed)[1]

    @cached_property
    def truth(self) -> Any:
        """The units to be found, as SpikeInterface's sorting."""
        if self.simulated_truth is not None:
            return self.simulated_truth.to_spikeinterface()
        return generated.truth_of(self.known["sample"], self.known["unit"], n_units=KINDS[self.kind].n_units)

    @cached_property
    def snr(self) -> np.ndarray[Any, Any]:
        """Peak of every unit at rest, over the noise of its channel."""
        if self.simulated_truth is not None:
            return np.array([unit["snr"] for unit in self.simulated_truth.units_info()])
        return self.known["snr"]

    @cached_property
    def known(self) -> dict[str, np.ndarray[Any, Any]]:
        """What is stored of the truth of a generated set; an earlier version stored less, and that is made again."""
        path = self.path.parent / "truth.npz"
        with np.load(path) as stored:
            complete = "snr" in stored
        if not complete:
            _save_truth(self.path.parent, _generated(self.kind, self.seed))
        with np.load(path) as stored:
            return {name: stored[name] for name in ("sample", "unit", "snr")}


def parsed(name: str) -> tuple[str, int]:
    """Kind and seed of ``kind:seed``.

    Raises
    ------
    ValueError
        If there is no such kind, or no seed.
    """
    kind, _, seed = name.partition(":")
    if kind not in KINDS:
        raise ValueError(f"There is no set {kind!r}; the sets are {', '.join(KINDS)}.")
    if not seed.isdecimal():
        raise ValueError(f"{name!r} names no seed; give for example {kind}:{FIRST_REPORTED_SEED}.")
    return kind, int(seed)


def is_made(name: str, folder: Path) -> bool:
    """Whether the recording ``kind:seed`` was made in this folder, even if its samples have been removed since."""
    return (folder / name.replace(":", "-") / "told.json").is_file()


def recorded(name: str, folder: Path) -> Recorded:
    """The recording ``kind:seed``, made in a folder of that name unless it exists already.

    Beside it, ``told.json`` tells the peers the bad channels and whether sampling delays have to be corrected; for
    generated sets, ``truth.npz`` holds the templates.

    Raises
    ------
    ValueError
        If there is no such kind, or no seed.
    """
    kind, seed = parsed(name)
    place = folder / f"{kind}-{seed}"
    if not (place / "told.json").is_file():
        _make(place, kind, seed)
    digest = json.loads((place / "told.json").read_text(encoding="utf-8"))["digest"]
    return Recorded(kind, seed, place / "recording", digest)


def restored(recording: Recorded) -> Recorded:
    """The same recording with its samples on disk; samples that were removed are made again.

    Raises
    ------
    ValueError
        If the samples differ from those made first, because the simulator has changed since.
    """
    if not recording.path.exists():
        _make(recording.path.parent, recording.kind, recording.seed)
        again = recorded(recording.name, recording.path.parents[1])
        if again.digest != recording.digest:
            raise ValueError(f"{recording.name} is not what it was: the simulator has changed; use another folder.")
    return recording


def _make(place: Path, kind: str, seed: int) -> None:
    if place.exists():
        shutil.rmtree(place)
    place.mkdir(parents=True)
    told = _save_simulated(place, kind, seed) if KINDS[kind].simulator is not None else _save(place, kind, seed)
    told |= {"digest": _digest(place / "recording")}
    (place / "told.json").write_text(json.dumps(told), encoding="utf-8")


def _simulated(kind: str, seed: int) -> tuple[Any, Any]:
    from xephys.testing import simulate_recording

    which = KINDS[kind]
    size = {"duration_s": which.duration_s, "n_channels": which.n_channels, "n_units": which.n_units}
    return simulate_recording(seed=seed, **size, **(which.simulator or {}))


def _generated(kind: str, seed: int) -> generated.Generated:
    which = KINDS[kind]
    assert which.generator is not None
    return which.generator.generate(seed=seed, duration_s=which.duration_s)


def _save_simulated(place: Path, kind: str, seed: int) -> dict[str, Any]:
    from xephys.io.store.save import save_recording

    recording, truth = _simulated(kind, seed)
    save_recording(recording, place / "recording", format="binary")
    bad = sorted({*truth.dead_channels.tolist(), *truth.noisy_channels.tolist()})
    return {"bad_channels": bad, "delays": bool(np.any(recording["inter_sample_shift"].values))}


def _save(place: Path, kind: str, seed: int) -> dict[str, Any]:
    made = _generated(kind, seed)
    generated.save(made.recording, place / "recording")
    _save_truth(place, made)
    return {"bad_channels": [], "delays": False}


def _save_truth(place: Path, made: generated.Generated) -> None:
    whitening = _inverse_root(made.noise_uv2)
    templates = (made.templates_uv @ whitening).astype(np.float32)
    spikes = made.truth.to_spike_vector()
    snr = (np.abs(made.templates_uv).max(axis=1) / np.sqrt(np.diag(made.noise_uv2))).max(axis=1)
    np.savez(
        place / "truth.npz",
        templates=templates,
        nbefore=made.nbefore,
        whitening=whitening,
        sample=spikes["sample_index"],
        unit=spikes["unit_index"],
        snr=snr,
    )


def _inverse_root(covariance: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The symmetric matrix that makes noise of this covariance white."""
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray(vectors / np.sqrt(values) @ vectors.T)


def _digest(path: Path) -> str:
    """Digest of the samples, which tells whether two runs sorted the same recording."""
    found = hashlib.sha256(usedforsecurity=False)
    for raw in sorted(path.glob("*.raw")):
        with raw.open("rb") as opened:
            while block := opened.read(2**24):
                found.update(block)
    return found.hexdigest()[:16]
