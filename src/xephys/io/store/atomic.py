"""Write results that are whole or absent: under a hidden name beside their place, then moved there at once."""

from __future__ import annotations

import errno
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ...errors import OutputError, is_disk_full
from ...graph.keep.room import disk_free_bytes
from ...graph.writers import is_abandoned, writer_mark
from .raw_data import find_raw_data

#: A folder that contains one of these is a result and may be overwritten on request; other folders may not.
_MARKS = (
    ".zgroup",
    ".zmetadata",
    "zarr.json",
    "xephys.json",
    "binary.json",
    "si_folder.json",
    "params.py",
    "sorting.zarr",
    "tracks.zarr",
    "match_table.csv",
)


@contextmanager
def ending_with(hidden: Path, suffix: str) -> Iterator[Path]:
    """A name with an ending for a writer that insists on one; what is written there becomes ``hidden``.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with ending_with(Path(folder) / "a", ".npz") as named:
    ...         _ = named.write_text("whole")
    ...     [p.name for p in Path(folder).iterdir()]
    ['a']
    """
    named = hidden.with_name(hidden.name + suffix)
    try:
        yield named
        named.rename(hidden)
    finally:
        _discard(named)


@contextmanager
def whole_or_absent(
    path: str | Path, *, overwrite: bool, n_bytes: int = 0, is_recording: bool = False
) -> Iterator[Path]:
    """Yield a hidden path beside ``path`` to write to; move it there if the block succeeds, remove it otherwise.

    Leftovers of a killed process are removed by the next one that writes to ``path``.

    Parameters
    ----------
    path
        Final place of the file or folder.
    overwrite
        Replace what is there, once the new one is complete.
    n_bytes
        Minimum space needed, checked before anything is written.
    is_recording
        Whether a recording is written. Nothing else replaces a saved one.

    Raises
    ------
    OutputError
        If the path exists or may not be replaced, the disk is too small or fills up, or the place cannot be written to.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with whole_or_absent(Path(folder) / "a.txt", overwrite=False) as hidden:
    ...         _ = hidden.write_text("whole")
    ...     [p.name for p in Path(folder).iterdir()]
    ['a.txt']
    """
    target = Path(path).absolute()
    _remove_abandoned(target)
    check_output(target, overwrite=overwrite, is_recording=is_recording)
    if n_bytes:
        check_room(target.parent, n_bytes=n_bytes)
    hidden = _beside(target, "partial")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield hidden
        _move(hidden, target)
    except OSError as error:
        _discard(hidden)
        if isinstance(error, (OutputError, FileNotFoundError)):
            raise
        if is_disk_full(error):
            raise OutputError(
                f"no space left on the disk of {target.parent} while writing {target.name} "
                f"({disk_free_bytes(target.parent)} bytes free); free some or choose another place; nothing was left"
            ) from error
        if error.errno in (errno.EACCES, errno.EROFS, errno.EPERM):
            raise OutputError(
                f"{target.parent} cannot be written to ({error.strerror}); choose another place"
            ) from error
        raise
    except BaseException:  # Ctrl-C included
        _discard(hidden)
        raise


def check_output(path: Path, *, overwrite: bool, is_recording: bool = False) -> None:
    """Refuse a path that exists, a folder that is not one of our results, and one with recorded data in it.

    Raises
    ------
    OutputError
        If the path exists and may not be overwritten, or lies in a file.
    """
    above = next((one for one in path.absolute().parents if one.exists()), None)
    if above is not None and not above.is_dir():
        raise OutputError(f"{path} cannot be written, because {above} is a file; choose another path")
    if not path.exists():
        return
    if not overwrite:
        raise OutputError(f"{path} exists already; choose another path or give overwrite=True")
    if path.is_dir() and any(path.iterdir()) and not any((path / mark).exists() for mark in _MARKS):
        raise OutputError(f"{path} is a folder with other things in it and is not overwritten; choose another path")
    raw = find_raw_data(path, saved_recordings=not is_recording)
    if raw is not None:
        what = path if raw == path else f"{path}, which holds {raw.relative_to(path)},"
        raise OutputError(f"{what} is recorded data and is not overwritten by a result; choose another path")


def check_room(folder: Path, *, n_bytes: int) -> None:
    """Refuse to start writing something that cannot fit.

    Raises
    ------
    OutputError
        If less than ``n_bytes`` are free on the disk of ``folder``.
    """
    free = disk_free_bytes(folder)
    if free < n_bytes:
        raise OutputError(
            f"the result needs at least {n_bytes / 1e9:.3g} GB and the disk of {folder} has {free / 1e9:.3g} GB free; "
            "free some or choose another place"
        )


def _move(hidden: Path, target: Path) -> None:
    if not target.exists():
        hidden.replace(target)
        return
    aside = _beside(target, "replaced")
    target.replace(aside)
    try:
        hidden.replace(target)
    except BaseException:
        aside.replace(target)
        raise
    _remove(aside)


def _beside(target: Path, kind: str) -> Path:
    """A hidden name beside a path, with the mark of this process."""
    return target.with_name(f".{target.name}.{kind}-{writer_mark()}")


def _remove_abandoned(target: Path) -> None:
    """Remove leftovers of killed processes beside a path.

    If a writer was killed between two renames, the set-aside old result is the only copy; it is moved back.
    """
    if not target.parent.is_dir():
        return
    for kind in ("replaced", "partial"):
        start = f".{target.name}.{kind}-"
        for path in list(target.parent.iterdir()):
            if not path.name.startswith(start) or not is_abandoned(path.name.removeprefix(start)):
                continue
            if kind == "replaced" and not target.exists():
                path.replace(target)
            else:
                _remove(path)


def _discard(path: Path) -> None:
    """Remove a failed result, repeatedly until it stays away: tasks that are still running may write to it."""
    away = 0
    for _ in range(50):
        _remove(path)
        away = 0 if path.exists() else away + 1
        if away == 4:
            return
        time.sleep(0.1)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
