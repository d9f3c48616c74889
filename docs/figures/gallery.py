"""Draw the pictures of the gallery from its page: python docs/figures/gallery.py [FOLDER]

The blocks of ``docs/gallery.md`` run in their order; the picture behind a block is that of the ``ax`` it leaves.
"""

from __future__ import annotations

import os
import re
import runpy
import sys
import tempfile
from pathlib import Path
from typing import Any

import matplotlib as mpl

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "gallery.md"
PICTURE = re.compile(r"!\[[^\]]*\]\(figures/gallery/(?P<name>\w+)\.png\)")
DPI = 80


def draw(folder: Path) -> list[str]:
    """Run the page and save its pictures; their names."""
    mpl.use("agg")
    import matplotlib.pyplot as plt

    text = PAGE.read_text(encoding="utf-8")
    blocks = runpy.run_path(str(ROOT / "ci" / "check_docs_examples.py"))["blocks_of"](text)
    lines = text.splitlines(keepends=True)
    ends = [block.line + block.code.count("\n") for block in blocks]
    namespace: dict[str, Any] = {}
    names = []
    folder.mkdir(parents=True, exist_ok=True)
    for block, end, following in zip(
        blocks, ends, [*(block.line for block in blocks[1:]), len(lines) + 1], strict=True
    ):
        exec(compile(block.code, str(PAGE), "exec"), namespace)
        behind = PICTURE.search("".join(lines[end : following - 1]))
        if behind is not None:
            namespace["ax"].figure.savefig(folder / f"{behind['name']}.png", dpi=DPI)
            names.append(behind["name"])
            plt.close("all")
    return names


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "gallery"
    target = target.absolute()
    with tempfile.TemporaryDirectory() as place:  # the page writes a study
        os.chdir(place)
        sys.stdout.write("\n".join(draw(target)) + "\n")
