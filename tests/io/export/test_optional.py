"""Packages that only some exporters need."""

from __future__ import annotations

import pytest

from xephys.io.export.optional import needed


def test_a_missing_package_is_named_with_the_extra_that_installs_it():
    with pytest.raises(ImportError, match=r"needs the package nosuch, .*'xephys\[x\]'"):
        needed("nosuch.part", extra="x", what="this")
