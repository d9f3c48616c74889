"""Every limit of a parameter of the preset is named in the error."""

from __future__ import annotations

import re

import numpy as np
import pytest

import xephys
from tests.support.quiet import RATE, recording_of
from xephys import ParameterError
from xephys.sorter.default.parameters import DefaultParameters


def limits():
    """Each number of the preset, with a value beyond each of its limits and what the error calls the limit."""
    words = {"gt": "greater than", "ge": "greater than or equal to", "lt": "less than", "le": "less than or equal to"}
    for name, field in DefaultParameters.model_fields.items():
        for limit in field.metadata:
            for kind, text in words.items():
                bound = getattr(limit, kind, None)
                if bound is not None:
                    beyond = {"gt": bound, "ge": bound - 1, "lt": bound, "le": bound + 1}[kind]
                    yield pytest.param(
                        name, beyond, f"{name} is {beyond}: Input should be {text} {bound:g}", id=f"{name}-{kind}"
                    )


@pytest.mark.parametrize(("name", "value", "message"), list(limits()))
def test_every_limit_is_named(noise, name, value, message):
    with pytest.raises(ParameterError, match=re.escape(message)):
        xephys.sort(recording_of(noise[:RATE]), **{name: value})


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("name", [n for n, f in DefaultParameters.model_fields.items() if f.annotation is float])
def test_numbers_are_finite(noise, name, value):
    with pytest.raises(ParameterError, match=rf"{name} is {value}: Input should be (a finite number|greater|less)"):
        xephys.sort(recording_of(noise[:RATE]), **{name: value})
