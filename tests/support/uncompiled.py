"""SpikeInterface's functions uncompiled: compiling two of them takes longer than all comparisons with them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def uncompiled() -> Iterator[None]:
    from spikeinterface.metrics.quality import misc_metrics as metrics
    from spikeinterface.postprocessing import template_similarity as similarity

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(similarity, "_compute_similarity_matrix", similarity._compute_similarity_matrix_numpy)
        synchrony = metrics._get_synchrony_counts
        patch.setattr(metrics, "_get_synchrony_counts", getattr(synchrony, "py_func", synchrony))
        yield
