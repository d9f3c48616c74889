"""One sorter on one recording, in a process of its own, and its cost."""

import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from harness import run_process, xephys_command

from .scoring import Found
from .sets import Recorded

PEER = Path(__file__).with_name("peer.py")
TIMED_OUT = "ended with status -14"
N_CORES = 2
#: An alarm survives exec and ends the program itself, so its memory is accounted for without a process in between.
WITHIN = (
    "import os, pathlib, signal, sys; os.setpgrp(); pathlib.Path(sys.argv[1]).write_text(str(os.getpid()));"
    "signal.alarm(int(sys.argv[2])); os.execvp(sys.argv[3], sys.argv[3:])"
)


#: Our default preset with other parameters, by the name that each variant has here.
VARIANTS = {"drift:interpolate": "drift=interpolate", "drift:off": "drift=off"}


def presets() -> dict[str, str]:
    """Our presets by the name that they have here; one peer is called kilosort4 too."""
    from xephys.sorter.presets import PRESETS

    return {("default" if preset == "default" else f"preset:{preset}"): preset for preset in PRESETS}


def ours() -> dict[str, str]:
    """The preset behind each of our sorters; every other sorter is a peer."""
    return presets() | dict.fromkeys(VARIANTS, "default")


@cache
def installed(sorter: str, python: str) -> bool:
    """Whether a peer can run in that environment; the matchers with true templates are part of SpikeInterface."""
    if shutil.which(python) is None:
        return False
    name = "lupin" if sorter.startswith("truth+") else sorter
    return subprocess.run([python, str(PEER), "--installed", name], capture_output=True, check=False).returncode == 0


@cache
def identity(sorter: str) -> str:
    """What must be equal for a stored result to be valid: for our sorters, the code and the default parameters."""
    if sorter not in ours():
        return sorter
    import xephys
    from xephys.sorter.presets import PRESETS

    package = Path(xephys.__file__).parent
    code = hashlib.sha256(repr(PRESETS[ours()[sorter]].model()).encode())
    for path in sorted(package.rglob("*.py")):
        if path.relative_to(package).parts[0] not in ("plot", "simulation"):
            code.update(path.read_bytes())
    return f"{sorter}-{code.hexdigest()[:12]}"


def run(sorter: str, recorded: Recorded, out: Path, *, peers: str, limit_s: float) -> dict[str, Any]:
    """Sort, write ``sorting.npz`` into ``out``, and return the outcome as plain values.

    The ``state`` of a sorter that fails or exceeds the limit is the reason instead of ``done``.
    """
    if out.exists():
        shutil.rmtree(out)
    out.mkdir(parents=True)
    if sorter in ours():
        more = ("--set", VARIANTS[sorter]) if sorter in VARIANTS else ()
        command = xephys_command("sort", recorded.path, "--out", out / "sorted", "--preset", ours()[sorter], *more)
    else:
        n_jobs = min(N_CORES, len(os.sched_getaffinity(0)))
        command = [peers, str(PEER), sorter, str(recorded.path.parent), str(out), str(n_jobs)]
    os.sync()  # the recording may just have been written, and the first sorter must not wait for the disk
    made: dict[str, Any] = {
        "set": recorded.name,
        "digest": recorded.digest,
        "sorter": sorter,
        "identity": identity(sorter),
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "limit_s": limit_s,
        "cores": min(N_CORES, len(os.sched_getaffinity(0))),
        "nice": os.nice(0),
        "load": round(_busy_cores(1.0), 2),
    }
    group = out / "group.pid"
    within = [sys.executable, "-c", WITHIN, str(group), str(round(limit_s)), *command]
    try:
        process = run_process(within, n_cores=N_CORES)
    except RuntimeError as error:
        with suppress(ProcessLookupError):
            os.killpg(int(group.read_text(encoding="ascii")), signal.SIGKILL)  # workers outlive the parent process
        (out / "failure.txt").write_text(str(error), encoding="utf-8")
        slow = TIMED_OUT in str(error)
        return made | {"state": f"over {limit_s:g} s" if slow else f"failed: {_cause(str(error))}"}
    finally:
        shutil.rmtree(out / "run", ignore_errors=True)
    if sorter in ours():
        _keep_sorting(out, version=made["identity"])
    version = str(np.load(out / "sorting.npz")["version"])
    cost = {"wall_s": process.wall_s, "cpu_s": process.cpu_s, "peak_bytes": process.peak_bytes}
    return made | cost | {"state": "done", "version": version}


def found(out: Path) -> Found:
    """The sorting that a run wrote."""
    kept: Mapping[str, Any] = np.load(out / "sorting.npz")
    unit = np.asarray(kept["unit"], np.int64)
    good = np.asarray(kept["good"], bool) if "good" in kept else None
    n_units = len(good) if good is not None else int(unit.max(initial=-1)) + 1
    return Found(np.asarray(kept["sample"], np.int64), unit, n_units, good)


def _keep_sorting(out: Path, *, version: str) -> None:
    """Of our output folder, keep only the spikes, their units and the labels."""
    from xephys import open_sorting

    tree: Any = open_sorting(out / "sorted" / "sorting.zarr")
    spikes, units = tree["spikes"], tree["units"]
    good = units["label"].values == "good"
    sample, unit = spikes["sample_index"].values, spikes["unit_index"].values
    np.savez(out / "sorting.npz", sample=sample, unit=unit, good=good, version=version)
    shutil.rmtree(out / "sorted")


def _cause(text: str) -> str:
    """The last line that names an error, else the last line: messages may go on for lines."""
    lines = text.strip().splitlines()
    named = [line for line in lines if re.match(r"[\w.]*(Error|Exception): ", line)]
    return (named or lines)[-1][:200]


def _busy_cores(seconds: float) -> float:
    """How many cores are busy, measured while this process sleeps; 0 where the system does not tell."""
    before = _busy_ticks()
    time.sleep(seconds)
    return (_busy_ticks() - before) / seconds / os.sysconf("SC_CLK_TCK")


def _busy_ticks() -> int:
    stat = Path("/proc/stat")
    if not stat.exists():
        return 0
    user, nice, system = map(int, stat.read_text(encoding="ascii").split(maxsplit=4)[1:4])
    return user + nice + system
