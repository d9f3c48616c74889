"""The group of execution."""

from __future__ import annotations

import pytest

from xephys.errors import ParameterError, XephysWarning
from xephys.pipeline.config.execution import ExecutionConfig


def test_shares_and_policies_have_limits() -> None:
    with pytest.raises(ParameterError, match="at most 100 %"):
        ExecutionConfig(host_ram_abort_pct=101)
    with pytest.raises(ParameterError, match="'skip', 'stop', 'retry'"):
        ExecutionConfig(failure_policy="continue")


def test_conversion_of_raw_data_has_nothing_to_do() -> None:
    with pytest.warns(XephysWarning, match="nothing is converted"):
        ExecutionConfig(use_parallel_processing_for_raw_conversion=False)
