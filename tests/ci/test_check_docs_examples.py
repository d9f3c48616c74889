"""The check of examples runs each page in one namespace and names the line that fails."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "ci" / "check_docs_examples.py"

PAGE = """# A page

```python
value = 3
```

Text with `code`.

```python
from pathlib import Path
assert value == 3
Path("left.txt").write_text("here")
```

- a list

  ```python
  if True:
      assert Path("left.txt").exists()
  ```

```sh
this is not Python
```

<!-- no-run: needs a microscope -->
```python
import microscope
```
"""


def run(folder: Path, text: str) -> subprocess.CompletedProcess[str]:
    page = folder / "page.md"
    page.write_text(text, encoding="utf-8")
    return subprocess.run([sys.executable, str(SCRIPT), str(page)], capture_output=True, text=True, check=False)


def test_blocks_run_in_one_namespace_and_a_folder_of_their_own(tmp_path):
    done = run(tmp_path, PAGE)
    assert done.returncode == 0, done.stdout
    assert "3 of 4 examples run" in done.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["page.md"]


def test_a_failing_example_is_named_by_its_line(tmp_path):
    done = run(tmp_path, PAGE.replace("assert value == 3", "assert value == 4"))
    assert done.returncode == 1
    assert 'page.md", line 11' in done.stdout
    assert "AssertionError" in done.stdout


def test_a_block_that_is_not_run_needs_a_reason(tmp_path):
    done = run(tmp_path, PAGE.replace("needs a microscope", ""))
    assert done.returncode == 1
    assert "the example at line 28 is marked no-run without a reason" in done.stdout


def test_a_page_that_does_not_exist_fails():
    done = subprocess.run([sys.executable, str(SCRIPT), "nowhere.md"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "no such page" in done.stdout


def test_pages_that_share_imports_compute_in_threads_of_their_own(tmp_path):
    text = (
        "```python\nimport dask.array as da\nassert int(da.ones(8, chunks=2).sum().compute(scheduler='threads')) == 8\n"
        "import xephys\nname = 1\n```\n"
    )
    pages = [tmp_path / "one.md", tmp_path / "two.md"]
    for page in pages:
        page.write_text(text + ("```python\nassert 'name' in globals()\n```\n" if page is pages[0] else ""))
    done = subprocess.run([sys.executable, str(SCRIPT), *map(str, pages)], capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "one.md: 2 of 2 examples run" in done.stdout and "two.md: 1 of 1 examples run" in done.stdout
