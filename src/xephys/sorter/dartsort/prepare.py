"""First part of the preset ``dartsort``: one of four strategies, then white traces."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import NamedTuple

import xarray as xr

from ...errors import ParameterError
from ...preprocess.filter import highpass_filter
from ...preprocess.spatial.destripe import highpass_spatial_filter
from ..steps.filtered_before import filter_unless_filtered
from ..steps.passes import Run
from ..steps.prepare import check_filterable, prepare
from ..steps.prepared import Prepared
from .parameters import HIGHPASS_HZ, DARTsortParameters, idle_fields

logger = logging.getLogger(__name__)

#: Channels of a whitening neighborhood, as many as lie within 200 µm on a dense probe.
WHITENING_N_NEAREST = 32


class Strategy(NamedTuple):
    """The filter of a strategy, and the operator of its common reference."""

    filter: Callable[[xr.DataArray], xr.DataArray]
    reference: str


def _unfiltered(recording: xr.DataArray) -> xr.DataArray:
    return recording


def _high_passed(recording: xr.DataArray) -> xr.DataArray:
    return filter_unless_filtered(
        recording, (HIGHPASS_HZ, float("inf")), lambda traces: highpass_filter(traces, freq_min_hz=HIGHPASS_HZ)
    )


def _destriped(recording: xr.DataArray) -> xr.DataArray:
    return highpass_spatial_filter(_high_passed(recording))


#: One row per strategy. In all of them, whitening gives each channel the noise 1.
STRATEGIES = {
    "none": Strategy(_unfiltered, "none"),
    "standardize": Strategy(_unfiltered, "none"),
    "ibllike": Strategy(_destriped, "none"),
    "ibllikecmr": Strategy(_high_passed, "median"),
}


def strategy_for(recording: xr.DataArray, p: DARTsortParameters) -> Strategy:
    """The strategy, or none for traces that were prepared before.

    Integer samples are raw; floating-point ones without a history of filters here were prepared elsewhere only if
    ``already_preprocessed`` says so: a filter that comes twice does no harm.
    """
    done = p.already_preprocessed == "yes" and recording.dtype.kind == "f"
    return STRATEGIES["none" if done else p.preprocessing]


def check_dartsort(recording: xr.DataArray, parameters: DARTsortParameters) -> None:
    """Refuse a recording that cannot be sorted with these parameters, before any work is done.

    Raises
    ------
    ParameterError
        If the parameters ask for a device, for a network, or for the motion alone.
    RecordingError
        If channels have no positions, or the recording is shorter than the filter's halo.
    """
    if parameters.dredge_only:
        raise ParameterError(
            "dredge_only is True, and a sort gives units; call xephys.dartsort.dartsort, which stops after the motion"
        )
    if parameters.device not in (None, "cpu"):
        raise ParameterError(
            f"device is {parameters.device!r}; preset 'dartsort' runs on the CPU, preset 'default' not only"
        )
    check_settings(parameters)
    check_filterable(recording, strategy_for(recording, parameters).filter)


def check_settings(parameters: DARTsortParameters) -> None:
    """Refuse weights of a network, and log the fields that were set without effect.

    Raises
    ------
    ParameterError
        If there are weights.
    """
    if parameters.nn_denoiser_pretrained_path is not None:
        raise ParameterError(
            f"nn_denoiser_pretrained_path is {parameters.nn_denoiser_pretrained_path!r}, and no network detects spikes "
            "here: xephys.learn_denoiser learns the denoiser from the recording; leave it None"
        )
    for name, instead in idle_fields(parameters).items():
        logger.warning("%s has no effect: %s", name, instead)


def prepare_dartsort(recording: xr.DataArray, parameters: DARTsortParameters, run: Run) -> Prepared:
    """Filtered, referenced and white traces, lazily."""
    strategy = strategy_for(recording, parameters)
    return prepare(
        recording,
        run,
        band_pass=strategy.filter,
        reference=strategy.reference,
        whitening_n_nearest=min(WHITENING_N_NEAREST, recording.sizes["channel"]),
        seed=0,
        quiet_reference=False,  # as in the original; with it, far units would become units
    )
