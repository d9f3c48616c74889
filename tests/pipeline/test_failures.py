"""Failures are classified, keep their traceback, and survive being stored."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest

from xephys.errors import REMEDY_OF_RESOURCE, ParameterError, RecordingError, ResourceError, SorterError, kind_of
from xephys.pipeline.classified import ResourceSortFailure, SaturatedSignalError, SorterTimeoutError
from xephys.pipeline.failures import REMEDIES, failure_from, failure_of


class KilledWorker(Exception):
    """An error with the name that Dask uses when a worker has died."""


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ParameterError("a"), "parameter"),
        (RecordingError("a"), "recording"),
        (FileNotFoundError("a"), "recording"),
        (PermissionError(13, "no"), "output"),
        (OSError(28, "No space left on device"), "resource"),
        (ResourceError("a"), "resource"),
        (MemoryError(), "resource"),
        (KilledWorker("a"), "resource"),
        (ModuleNotFoundError("a"), "installation"),
        (SorterError("a"), "sorter"),
        (ZeroDivisionError("a"), "unexpected"),
    ],
)
def test_errors_are_classified(error: Exception, kind: str) -> None:
    assert kind_of(error) == kind
    failure = failure_of(error)
    assert failure.kind == kind
    assert REMEDY_OF_RESOURCE.get(failure.resource, REMEDIES[kind]) in str(failure)
    assert failure_from(json.loads(json.dumps(failure.to_dict()))) == failure


def test_an_error_without_a_message_is_described_by_its_class() -> None:
    assert failure_of(MemoryError()).message == "MemoryError"


def test_the_traceback_is_kept() -> None:
    def inner() -> None:
        raise SorterError("no peaks\nin any channel")

    with pytest.raises(SorterError) as caught:
        inner()
    failure = failure_of(caught.value)
    assert failure.message == "no peaks"
    assert "in inner" in failure.trace


def test_an_unknown_kind_counts_as_unexpected() -> None:
    assert failure_from({"kind": "of another version", "message": "x"}).kind == "unexpected"


def test_a_classified_cause_gives_the_kind_and_its_attributes() -> None:
    error = OSError("outside")
    error.__cause__ = SaturatedSignalError("all of it", channels_saturated=np.int64(3), total_channels=4)
    failure = failure_of(error)
    assert (failure.kind, failure.error, failure.message) == ("recording", "SaturatedSignalError", "all of it")
    assert failure.attributes == {"channels_saturated": 3, "total_channels": 4}
    assert failure_from(failure.to_dict()) == failure


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError("3 GiB"), "memory: 3 GiB (use shorter chunks"),
        (OSError(28, "No space left on device"), "disk: [Errno 28] No space left on device (free some space"),
        (RuntimeError("CUDA out of memory"), "GPU memory: CUDA out of memory (use smaller batches"),
        (ResourceError("nothing answers", resource="connection"), "connection: nothing answers (start the program"),
        (ResourceError("nobody knows"), "resource: nobody knows (run it again with more"),
        (SorterTimeoutError("silence", sorter="a", inactivity_s=3.0), "time: silence (give a longer limit"),
    ],
)
def test_what_gave_out_is_named(error: Exception, said: str) -> None:
    failure = failure_of(pickle.loads(pickle.dumps(error)))
    assert failure.kind == "resource" and str(failure).startswith(said)
    assert failure_from(failure.to_dict()) == failure


def test_each_resource_has_a_remedy_and_each_failure_of_one_a_name() -> None:
    kinds = ResourceSortFailure.__subclasses__()
    assert len(kinds) > 5 and {kind.resource for kind in kinds} <= set(REMEDY_OF_RESOURCE)
