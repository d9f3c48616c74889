"""A call in a process of its own: what comes back, and that nothing is left when it is ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from xephys.errors import ResourceError, SorterError
from xephys.pipeline import ModelLoadingError
from xephys.pipeline.apart import call_apart


def refuse() -> None:
    raise ModelLoadingError("no such model", model_path="a.npz")


def killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def family(place: str) -> None:
    """Start a child, say which it is, and hang, deaf to requests to end."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    Path(place).write_text(f"{os.getpid()} {child.pid}")
    time.sleep(60)


def ended(pid: int) -> bool:
    """Whether a process has ended, be it that nobody has waited for it yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z"
    except FileNotFoundError:
        return True


def wait_for(condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + 120
    while not (met := condition()) and time.monotonic() < end:
        time.sleep(0.05)
    return met


def test_what_a_call_returns_or_raises_comes_back() -> None:
    assert call_apart(partial(divmod, 17, 5)) == (3, 2)
    assert call_apart(os.getpid) != os.getpid()
    with pytest.raises(ModelLoadingError, match="no such model") as raised:
        call_apart(refuse)
    assert raised.value.model_path == "a.npz"


def test_a_process_without_a_result_is_an_error() -> None:
    with pytest.raises(ResourceError, match="killed from outside"):
        call_apart(killed)
    with pytest.raises(SorterError, match="exit status 7"):
        call_apart(partial(os._exit, 7))


@pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc")
def test_an_ended_process_takes_its_children_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xephys.pipeline.apart.GRACE_S", 0.2)
    place, ends, errors = tmp_path / "pids", [], []

    def run() -> None:
        try:
            call_apart(partial(family, str(place)), started=ends.append)
        except ResourceError as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    assert wait_for(lambda: place.is_file() and len(place.read_text().split()) == 2)
    ends[0]()
    thread.join(120)
    assert errors and all(wait_for(partial(ended, int(pid))) for pid in place.read_text().split())


@pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc")
def test_a_process_ends_with_the_one_that_started_it(tmp_path: Path) -> None:
    place = tmp_path / "pids"
    script = (
        "import sys; from functools import partial; from xephys.pipeline.apart import call_apart; "
        f"from {__name__} import family; call_apart(partial(family, {str(place)!r}))"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    parent = subprocess.Popen([sys.executable, "-c", script], env=environment)
    assert wait_for(lambda: place.is_file() and len(place.read_text().split()) == 2)
    parent.kill()
    parent.wait()
    assert all(wait_for(partial(ended, int(pid))) for pid in place.read_text().split())
