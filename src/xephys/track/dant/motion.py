"""Motion between sessions as pyDANT keeps it: constant and linear in depth, one file each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ParameterError


class Motion:
    """Displacement of each session in µm: ``LinearScale * Linear * depth + Constant``.

    Parameters
    ----------
    num_sessions
        Number of sessions, all at rest.

    Examples
    --------
    >>> motion = Motion(2)
    >>> motion.Constant[:] = [-5.0, 5.0]
    >>> float(motion.get_motion(2)), motion.get_motion(np.array([1, 2])).tolist()
    (5.0, [-5.0, 5.0])
    """

    def __init__(self, num_sessions: int | None = None) -> None:
        self.LinearScale = np.array(1e-3)
        self.Linear: NDArray[np.float64] = np.zeros(num_sessions or 0)
        self.Constant: NDArray[np.float64] = np.zeros(num_sessions or 0)

    def get_motion(self, session: Any, depth: Any = None) -> NDArray[np.float64]:
        """Displacement of sessions, counted from 1, at a depth in µm; at depth 0 if None."""
        number = np.asarray(session, np.int64)
        if (number < 1).any() or (number > len(self.Constant)).any():
            raise ParameterError(f"session {session} of {len(self.Constant)}; sessions are counted from 1")
        at = 0.0 if depth is None else np.asarray(depth, np.float64)
        return np.asarray(self.LinearScale * self.Linear[number - 1] * at + self.Constant[number - 1])

    def save(self, output_folder: str | Path) -> None:
        """Write ``motion_linear_scale.npy``, ``motion_linear.npy`` and ``motion_constant.npy``.

        Both together, ``(2, session)``, are also written to ``motion.npy``, which ``path_to_motion`` takes.
        """
        folder = Path(output_folder)
        np.save(folder / "motion_linear_scale.npy", self.LinearScale)
        np.save(folder / "motion_linear.npy", self.Linear)
        np.save(folder / "motion_constant.npy", self.Constant)
        np.save(folder / "motion.npy", np.stack([self.Linear, self.Constant]))

    def load(self, output_folder: str | Path) -> None:
        """Read what :meth:`save` wrote."""
        folder = Path(output_folder)
        names = ("linear_scale", "linear", "constant")
        loaded = (np.load(folder / f"motion_{name}.npy", allow_pickle=False) for name in names)
        self.LinearScale, self.Linear, self.Constant = loaded
