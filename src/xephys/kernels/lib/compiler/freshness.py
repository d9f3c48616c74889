"""Tell whether a compiled kernel is still that of its sources, of which a kernel has several.

What a kernel calls, and the numbers that it takes from other modules, are compiled into it. Numba's cache looks at the
kernel's own file alone, and would go on running what a helper did before an update.
"""

from __future__ import annotations

import re
import sys
from functools import cache
from hashlib import sha256
from importlib.util import resolve_name
from pathlib import Path
from typing import Any

_OWN = __name__.partition(".")[0]
_FOLDER = Path(__file__).parents[3]
#: An import of modules of this package, or of something from one: the module or its relative name, and what.
_IMPORT = re.compile(
    rf"^[ \t]*(?:from[ \t]+({_OWN}[\w.]*|\.[\w.]*)[ \t]+import[ \t]*(?:\(([^)]*)\)|([^\n#(]*))"
    rf"|import[ \t]+({_OWN}[\w.]*))",
    re.MULTILINE,
)


@cache
def digest_of_sources(module: str) -> bytes | None:
    """Digest of the source of a module of this package and of all its modules that this one imports, and so on.

    Imports anywhere in a module count, whether they have been executed or not: the digest is the same in every process.

    Parameters
    ----------
    module
        Full name.

    Returns
    -------
    None if it has no source.

    Examples
    --------
    >>> len(digest_of_sources("xephys.kernels.lib.median")), digest_of_sources("xephys.kernels.nothing")
    (32, None)
    """
    if _source(module) is None:
        return None
    reached, open_ones = {module}, [module]
    while open_ones:
        found = _imported(open_ones.pop()) - reached
        reached |= found
        open_ones += found
    digest = sha256()
    for name in sorted(reached):
        digest.update(sha256(_source(name) or b"").digest())
    return digest.digest()


@cache
def _source(module: str) -> bytes | None:
    """The source of a module: in the folder of this package, or where a module that was loaded from elsewhere is."""
    place = _FOLDER.joinpath(*module.split(".")[1:])
    for path in (place.with_suffix(".py"), place / "__init__.py", getattr(sys.modules.get(module), "__file__", None)):
        if path is not None and Path(path).is_file():
            return Path(path).read_bytes()
    return None


@cache
def _imported(module: str) -> frozenset[str]:
    """Names of this package's modules that a module imports: what is imported from a package may be a module too."""
    package = module if _FOLDER.joinpath(*module.split(".")[1:]).is_dir() else module.rpartition(".")[0]
    found = set()
    for origin, listed, line, alone in _IMPORT.findall((_source(module) or b"").decode()):
        whole = resolve_name(origin, package) if origin else alone
        names = re.findall(r"(\w+)(?:\s+as\s+\w+)?\s*(?:,|$)", listed or line)
        found |= {whole} | {f"{whole}.{name}" for name in names if origin}
    return frozenset(name for name in found if name != _OWN and _source(name) is not None)


def refresh(cache: Any) -> None:
    """Let Numba's cache of a kernel compare the digest of all its sources with that of when it was compiled."""
    digest = digest_of_sources(cache._py_func.__module__)
    if digest is not None:
        cache._cache_file._source_stamp = digest
