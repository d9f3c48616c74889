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
#: An import of modules of this package, or of something from one: the module or its relative name, and what.
_IMPORT = re.compile(
    rf"^[ \t]*(?:from[ \t]+({_OWN}[\w.]*|\.[\w.]*)[ \t]+import[ \t]*(?:\(([^)]*)\)|([^\n#(]*))"
    rf"|import[ \t]+({_OWN}[\w.]*))",
    re.MULTILINE,
)


@cache
def digest_of_sources(module: str) -> bytes | None:
    """Digest of the source of a module of this package and of all its modules that this one imports, and so on.

    Parameters
    ----------
    module
        Name of an imported module.

    Returns
    -------
    None if it is not imported or has no source.

    Examples
    --------
    >>> import xephys.kernels.lib.median
    >>> len(digest_of_sources("xephys.kernels.lib.median")), digest_of_sources("xephys.kernels.nothing")
    (32, None)
    """
    path = getattr(sys.modules.get(module), "__file__", None)
    if path is None or not path.endswith(".py") or not Path(path).exists():
        return None
    source = Path(path).read_bytes()
    package = module if Path(path).name == "__init__.py" else module.rpartition(".")[0]
    digest = sha256(source)
    for name in sorted(_imported(source.decode(), package)):
        digest.update(digest_of_sources(name) or b"")
    return digest.digest()


def _imported(source: str, package: str) -> set[str]:
    """Names of modules that a module of the package imports: what is imported from a package may be a module too."""
    found = set()
    for origin, listed, line, alone in _IMPORT.findall(source):
        whole = resolve_name(origin, package) if origin else alone
        names = re.findall(r"(\w+)(?:\s+as\s+\w+)?\s*(?:,|$)", listed or line)
        found |= {whole} | {f"{whole}.{name}" for name in names if origin}
    return {name for name in found if name in sys.modules and name != _OWN}


def refresh(cache: Any) -> None:
    """Let Numba's cache of a kernel compare the digest of all its sources with that of when it was compiled."""
    digest = digest_of_sources(cache._py_func.__module__)
    if digest is not None:
        cache._cache_file._source_stamp = digest
