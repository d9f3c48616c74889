"""Names and arrays of single extensions."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.analyzed import analyzed_sorting
from xephys.io.bridge.analyzer import side_of
from xephys.io.bridge.extensions import EXTENSIONS, dense_of, sparse_of


@pytest.mark.parametrize("name", EXTENSIONS)
def test_parameters_have_spikeinterfaces_names(name):
    """SpikeInterface accepts each, so that a widget or a merge can compute the extension again."""
    import inspect

    import spikeinterface.full  # noqa: F401 - it registers the extensions
    from spikeinterface.core.sortinganalyzer import get_extension_class

    _, sorting = analyzed_sorting()
    node = sorting[f"analysis/{name}"].to_dataset(inherit=False)
    side = side_of(sorting, sorting["analysis/sparsity"]["channel_index"].values, 12)
    given = EXTENSIONS[name].give(node, side).parameters
    known = inspect.signature(get_extension_class(name)._set_params).parameters
    free = any(one.kind is one.VAR_KEYWORD for one in known.values())
    assert free or set(given) <= set(known)


def test_dense_and_sparse_are_inverse():
    rng = np.random.default_rng(0)
    channels = np.array([[0, 2, 4], [1, 3, -1]], np.int32)
    sparse = rng.normal(size=(2, 5, 3)).astype(np.float32)
    sparse[1, :, 2] = 0
    dense = dense_of(sparse, channels, 6)
    np.testing.assert_array_equal(dense[0][:, [0, 2, 4]], sparse[0])
    assert not dense[1][:, [0, 2, 4, 5]].any()
    np.testing.assert_array_equal(sparse_of(dense, channels), sparse)
