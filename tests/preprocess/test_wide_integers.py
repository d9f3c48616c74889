"""32-bit counts near 2**31 lose nothing that float32 could hold after the subtraction."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import xephys
from xephys.schema import make_recording

SIGNED = np.random.default_rng(0).integers(-3000, 3000, (3000, 8)).astype("int32")
UNSIGNED = (SIGNED.astype("int64") + 2**31).astype("uint32")


def recording(samples: np.ndarray, offset_to_uv: float = 0.0) -> xr.DataArray:
    return make_recording(
        samples,
        sampling_frequency=30_000.0,
        coordinates={
            "x": np.zeros(8),
            "y": 20.0 * np.arange(8),
            "gain_to_uv": np.full(8, 0.195),
            "offset_to_uv": np.full(8, offset_to_uv),
        },
    )


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"operator": "average"},
        {"reference": "local", "inner_radius_um": 10.0, "outer_radius_um": 50.0},
        {"groups": [0, 0, 0, 0, 1, 1, 1, 1]},
    ],
    ids=str,
)
@pytest.mark.parametrize("dtype", ["uint32", ">u4", "uint64"])
def test_references_keep_small_differences(options: dict, dtype: str) -> None:
    middle = 2 ** (8 * np.dtype(dtype).itemsize - 1)
    samples = (SIGNED.astype(object) + middle).astype(dtype)
    expected = xephys.common_reference(recording(SIGNED), **options).values
    np.testing.assert_array_equal(xephys.common_reference(recording(samples), **options).values, expected)


def test_channels_without_a_reference_keep_their_zero() -> None:
    left = xephys.common_reference(recording(UNSIGNED), groups=[0] * 6 + [1, 1], n_channels_min=3).values
    np.testing.assert_allclose(left[:, 6:], UNSIGNED[:, 6:].astype(np.float32), rtol=1e-7)
    np.testing.assert_array_equal(
        left[:, :6], xephys.common_reference(recording(SIGNED), groups=[0] * 6 + [1, 1], n_channels_min=3).values[:, :6]
    )


def test_microvolts() -> None:
    scaled = xephys.to_uv(recording(UNSIGNED, offset_to_uv=-0.195 * 2**31)).values
    np.testing.assert_allclose(scaled, 0.195 * SIGNED, atol=1e-4)
    assert scaled.dtype == np.float32


def test_filters() -> None:
    one, two = (xephys.bandpass_filter(recording(samples)).values for samples in (UNSIGNED, SIGNED))
    np.testing.assert_allclose(one, two, atol=1e-3)
