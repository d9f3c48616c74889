"""Drift correction of the preset ``kilosort4``: a first detection, its registration, and motion-corrected traces."""

from __future__ import annotations

import logging
from dataclasses import replace

import xarray as xr

from ...detect.universal import detect_universal
from ...errors import ParameterError, RecordingError
from ...motion.correct import correct_motion
from ...motion.estimate import estimate_motion
from ...motion.stillness import moves
from ..steps.passes import Run
from ..steps.prepare import whitened
from ..steps.prepared import Prepared
from .parameters import Kilosort4Parameters
from .prepare import BATCH_S, n_excerpts

logger = logging.getLogger(__name__)


def estimate_drift(prepared: Prepared, universal: xr.Dataset, p: Kilosort4Parameters, run: Run) -> xr.Dataset | None:
    """Estimate the motion of the tissue in ``nblocks`` blocks of each shank from spikes of universal templates.

    None if ``nblocks`` is 0. Also None, with a line in the log, if the probe or recording is too short to show motion,
    or if nothing moves by more than resting templates tolerate.
    """
    if p.nblocks == 0:
        return None
    white = prepared.whitened
    peaks = detect_universal(white, templates=universal, detect_threshold=p.Th_universal)
    located = run.collect("drift", peaks)
    try:
        motion: xr.Dataset = run.once(
            estimate_motion,
            white,
            located,
            method="kilosort",
            bin_s=BATCH_S,
            nblocks=p.nblocks,
            binning_depth=p.binning_depth,
            drift_smoothing=p.drift_smoothing,
        )
    except (RecordingError, ParameterError) as reason:
        logger.info("sorted without drift correction: %s", reason)
        return None
    if not moves(motion):
        logger.info("sorted without drift correction: the tissue is still")
        return None
    return motion


def without_drift(prepared: Prepared, motion: xr.Dataset, p: Kilosort4Parameters, run: Run) -> Prepared:
    """The recording with every contact read at its tissue's position, whitened again."""
    filtered = correct_motion(prepared.filtered, motion=motion, sigma_um=p.sig_interp)
    white = whitened(
        filtered, run, n_nearest=p.whitening_range, seed=p.cluster_init_seed, n_slices=n_excerpts(filtered, p)
    )
    return replace(white, plain_noise_levels=prepared.plain_noise_levels)
