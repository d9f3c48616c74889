"""The notebooks run from top to bottom, and are stored without outputs."""

import base64
import json
import os
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted(ROOT.joinpath("notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_stored_without_outputs(path):
    for number, cell in enumerate(json.loads(path.read_text(encoding="utf-8"))["cells"]):
        if cell["cell_type"] == "code":
            assert cell["outputs"] == [] and cell["execution_count"] is None, f"cell {number} has outputs; clear them"


@pytest.fixture(scope="module")
def kernel(tmp_path_factory):
    """One process for all notebooks, which imports packages once; each notebook begins without names."""
    folder = tmp_path_factory.mktemp("notebooks")
    known = [str(ROOT / "src"), *filter(None, [os.environ.get("PYTHONPATH")])]
    manager = import_module("jupyter_client").KernelManager(kernel_name="python3")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(known), "TMPDIR": str(folder)}
    manager.start_kernel(env=environment, cwd=str(folder))
    yield manager
    manager.shutdown_kernel(now=True)


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_runs(path, kernel):
    nbformat, client = import_module("nbformat"), import_module("nbclient")
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.insert(0, nbformat.v4.new_code_cell("%reset -f"))
    client.NotebookClient(notebook, timeout=240, km=kernel).execute()
    pictures = [
        len(base64.b64decode(output["data"]["image/png"]))
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if "image/png" in output.get("data", {})
    ]
    assert len(pictures) >= 5
    assert min(pictures) > 5_000  # an empty figure is smaller
