"""Load compiled kernels without what only a compilation needs.

Before Numba loads a function from its cache, it imports all that it can compile, which takes a third of a second. The
kernels of this package are loaded first, and only if one is not in the cache does Numba do its usual. Either way, one
that was compiled from other sources does not count.
"""

from __future__ import annotations

from typing import Any

from numba.core import caching
from numba.core.runtime.nrt import rtsys

from xephys.kernels.lib.compiler.freshness import refresh

#: Symbols that compiled code may refer to and that exist only after those imports: the seeds of Python's hashes, in
#: dictionaries and sets. To load such code earlier would end the process.
_SYMBOLS = b"_Py_HashSecret"
_OWN = __name__.partition(".")[0] + "."
#: Methods of a cache that are called here.
_PARTS = ("load_overload", "_index_key", "_guard_against_spurious_io_errors")


def load_lightly() -> bool:
    """From now on, load this package's kernels lightly; those of other packages are loaded as ever.

    Returns
    -------
    Whether they will be: not with a version of Numba whose cache has other parts.

    Examples
    --------
    >>> load_lightly()
    True
    """
    kind: Any = caching.FunctionCache
    if not all(hasattr(kind, name) for name in _PARTS) or not hasattr(rtsys, "initialize"):
        return False
    whole = kind.load_overload
    if hasattr(whole, "whole"):  # it is done
        return True

    def load(cache: Any, signature: Any, target: Any) -> Any:
        found = None
        if cache._enabled and cache._py_func.__module__.startswith(_OWN):
            with cache._guard_against_spurious_io_errors():
                refresh(cache)
                found = _loaded(cache, signature, target)
        return whole(cache, signature, target) if found is None else found

    load.whole = whole  # type: ignore[attr-defined]
    kind.load_overload = load
    return True


def _loaded(cache: Any, signature: Any, target: Any) -> Any:
    """The compiled function, or None if it is not in the cache or needs more."""
    stored = cache._cache_file.load(cache._index_key(signature, target.codegen()))
    if stored is None or _needs_more(stored):
        return None
    rtsys.initialize(target)
    return cache._impl.rebuild(target, stored)


def _needs_more(stored: Any) -> bool:
    try:
        _, kind, code = stored[0]
        return kind != "object" or _SYMBOLS in code[0]
    except (TypeError, ValueError, LookupError):  # what another version of Numba stores, for that version to read
        return True
