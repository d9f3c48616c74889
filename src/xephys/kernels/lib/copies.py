"""Copy values in compiled kernels."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from xephys.kernels.lib.inner import inner


@inner
def copy_values(values: NDArray[Any], out: NDArray[Any]) -> None:
    """``out[:] = values`` for arrays of one axis and length, unchecked.

    Into each kernel with an assignment of that form, Numba compiles how the message for different lengths is composed,
    which takes longer than a kernel of average length.

    Examples
    --------
    >>> import numpy as np
    >>> out = np.zeros(2)
    >>> copy_values.py_func(np.ones(2), out)
    >>> out.tolist()
    [1.0, 1.0]
    """
    for i in range(len(out)):
        out[i] = values[i]
