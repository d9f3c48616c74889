"""The table of extensions."""

from __future__ import annotations

import pytest

from xephys.analysis.table import EXTENSIONS, parameters_of, with_needs
from xephys.errors import ParameterError


def test_each_extension_comes_after_those_it_needs() -> None:
    names = list(EXTENSIONS)
    for name, extension in EXTENSIONS.items():
        assert all(names.index(need) < names.index(name) for need in extension.needs)
        assert extension.doc


def test_needed_extensions_are_added_once() -> None:
    assert with_needs(["unit_locations", "spike_amplitudes"]).count("templates") == 1
    assert with_needs("correlograms") == ["correlograms"]


def test_given_parameters_replace_defaults() -> None:
    assert parameters_of("correlograms", {"bin_ms": 0.5}) == {"window_ms": 50.0, "bin_ms": 0.5}
    with pytest.raises(ParameterError, match="no parameter 'radius'"):
        parameters_of("waveforms", {"radius": 3})
