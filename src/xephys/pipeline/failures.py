"""The failure of one run among many: its kind, its message and its origin, as plain values."""

from __future__ import annotations

import json
import traceback
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from ..errors import REMEDY_OF_RESOURCE, kind_of, resource_of
from ..sorting import plain_value
from .classified import classified

#: Remedy for each kind of failure.
REMEDIES = {
    "parameter": "change the parameter",
    "recording": "look at the recording",
    "output": "choose another folder",
    "resource": "run it again with more memory, disk or workers",
    "installation": "install the package, or run the sorter in a container",
    "sorter": "read the sorter's log",
    "unexpected": "read the traceback",
}


@dataclass(frozen=True)
class Failure:
    """Why a run has no result.

    Attributes
    ----------
    kind
        ``"parameter"``, ``"recording"``, ``"output"``, ``"resource"`` (something gave out, see ``resource``),
        ``"installation"``, ``"sorter"`` (an error within the sorter), or ``"unexpected"``.
    error
        Class of the error.
    message
        Its message, in one line.
    trace
        The complete traceback.
    attributes
        Numbers and places that led to a classified failure, by name.
    resource
        What gave out: ``"memory"``, ``"GPU memory"``, ``"disk"``, ``"workers"``, ``"connection"``, ``"buffer"``,
        ``"time"`` or ``"GPU"``; empty if nothing did, or that is not known.
    """

    kind: str
    error: str
    message: str
    trace: str = ""
    attributes: Mapping[str, Any] = field(default_factory=dict)
    resource: str = ""

    def __str__(self) -> str:
        remedy = REMEDY_OF_RESOURCE.get(self.resource, REMEDIES[self.kind])
        return f"{self.resource or self.kind}: {self.message} ({remedy})"

    def to_dict(self) -> dict[str, Any]:
        """Convert to plain values, which :func:`failure_from` reads."""
        return asdict(self)


def failure_of(error: BaseException) -> Failure:
    """Convert an error to a failure.

    Examples
    --------
    >>> print(failure_of(ModuleNotFoundError("No module named 'hdbscan'")))
    installation: No module named 'hdbscan' (install the package, or run the sorter in a container)
    """
    known = classified(error)
    cause = known or error
    lines = str(cause).strip().splitlines() or [type(cause).__name__]
    trace = "".join(traceback.format_exception(error))
    resource = resource_of(cause) or ""
    if known is None:
        return Failure(kind_of(error), type(error).__name__, lines[0], trace, resource=resource)
    plain = json.loads(json.dumps(known.attributes, default=plain_value))
    return Failure(known.kind, type(known).__name__, lines[0], trace, plain, resource)


def failure_from(stored: Mapping[str, Any]) -> Failure:
    """Convert the output of :meth:`Failure.to_dict` back to a failure.

    Examples
    --------
    >>> failure_from({"kind": "sorter", "error": "SorterError", "message": "no peaks"}).message
    'no peaks'
    """
    kind = str(stored.get("kind", "unexpected"))
    known = {name: str(stored.get(name, "")) for name in ("error", "message", "trace", "resource")}
    attributes = stored.get("attributes")
    return Failure(
        kind if kind in REMEDIES else "unexpected",
        **known,
        attributes=dict(attributes) if isinstance(attributes, Mapping) else {},
    )
