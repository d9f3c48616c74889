"""The folder of a sort without a folder of its own exists while it is needed and is removed afterwards."""

from __future__ import annotations

from contextlib import nullcontext

import pytest

from xephys.sorter.run import scratch_folder


@pytest.mark.parametrize("fails", [False, True])
def test_a_scratch_folder_is_removed(fails):
    with pytest.raises(RuntimeError) if fails else nullcontext(), scratch_folder() as folder:
        (folder / "sub").mkdir()
        (folder / "sub" / "file").write_text("x")
        assert folder.name.startswith("xephys-")
        if fails:
            raise RuntimeError
    assert not folder.exists()
