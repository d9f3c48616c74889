"""Public names from a stub: read in order, imported on first use, and then kept in the package."""

from __future__ import annotations

import sys

import pytest

from xephys.lazy import PublicName, attach_stub, read_stub

STUB = """
# Reading
from .read import open_it as open_it

# Figures
from . import plot as plot
from .read import other as hidden
"""


@pytest.fixture
def package(tmp_path, monkeypatch):
    folder = tmp_path / "stubbed"
    folder.mkdir()
    (folder / "__init__.pyi").write_text(STUB)
    (folder / "__init__.py").write_text(
        "from xephys.lazy import attach_stub\n__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)\n"
    )
    (folder / "read.py").write_text("def open_it(): return 3\n")
    (folder / "plot.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    yield folder
    for name in [name for name in sys.modules if name.split(".")[0] == "stubbed"]:
        del sys.modules[name]


def test_names_are_read_with_their_blocks(package):
    assert read_stub(package / "__init__.pyi") == {
        "open_it": PublicName(".read", "Reading"),
        "plot": PublicName(".", "Figures"),
    }


def test_names_are_imported_on_first_use_and_kept(package):
    import stubbed  # type: ignore[import-not-found]

    assert stubbed.__all__ == ["open_it", "plot"]
    assert dir(stubbed) == ["open_it", "plot"]
    assert "stubbed.read" not in sys.modules
    assert stubbed.open_it() == 3
    assert vars(stubbed)["open_it"] is stubbed.open_it
    assert stubbed.plot is sys.modules["stubbed.plot"]
    with pytest.raises(AttributeError, match="module 'stubbed' has no attribute 'hidden'"):
        stubbed.hidden  # noqa: B018


def test_a_package_without_a_stub_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        attach_stub("nothing", str(tmp_path / "__init__.py"))
