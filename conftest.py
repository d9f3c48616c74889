"""What tests and the source's examples share."""

from __future__ import annotations

import gc


def pytest_collection_finish() -> None:
    """Exempt the collected tests and imported modules from garbage collection.

    Millions of objects live to the end. Looking through them again and again takes a third of the time.
    """
    gc.collect()
    gc.freeze()
