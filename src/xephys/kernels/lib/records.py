"""The record of a peak, as every detector writes it and every feature stage extends it."""

import numpy as np

#: Fields as in SpikeInterface; ``x``, ``y``, ``z`` and features follow under their own names.
PEAK_DTYPE = np.dtype(
    [("sample_index", "<i8"), ("channel_index", "<i8"), ("amplitude", "<f8"), ("segment_index", "<i8")]
)
