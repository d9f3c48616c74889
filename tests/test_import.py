"""The public names: quick to import, complete, and nothing heavy until it is needed."""

import ast
import inspect
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import xephys
from xephys.lazy import read_stub

STUB = Path(xephys.__file__).with_suffix(".pyi")
PUBLIC = read_stub(STUB)
FUNCTIONS = sorted(name for name, public in PUBLIC.items() if public.module != ".")

HEAVY = ("dask", "numba", "scipy", "spikeinterface", "xarray", "matplotlib", "torch", "distributed", "numpy")


def _python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=300)
    return done.stdout.strip()


def test_import_takes_less_than_half_a_second():
    code = "import time; t = time.process_time(); import xephys; print(time.process_time() - t)"
    assert min(float(_python(code)) for _ in range(3)) < 0.5


def test_import_loads_nothing_heavy():
    loaded = _python(f"import sys, xephys; print([m for m in {HEAVY!r} if m in sys.modules])")
    assert loaded == "[]"


def test_help_of_the_command_loads_no_kernels():
    code = (
        "import sys; from typer.testing import CliRunner; from xephys.cli.app import app;"
        "assert CliRunner().invoke(app, ['--help']).exit_code == 0;"
        "print([m for m in ('dask', 'numba', 'spikeinterface', 'matplotlib', 'xarray') if m in sys.modules])"
    )
    assert _python(code) == "[]"


def test_a_sort_on_threads_never_loads_distributed():
    code = (
        "import sys, warnings; warnings.simplefilter('ignore'); import xephys;"
        "from xephys.graph.scheduler import connect;"
        "from xephys.testing import simulate_recording;"
        "recording, _ = simulate_recording(duration_s=5, n_channels=8, n_units=2, seed=0)\n"
        "with connect('threads'): xephys.sort(recording)\n"
        "print('distributed' in sys.modules)"
    )
    assert _python(code) == "False"


@pytest.mark.parametrize("name", FUNCTIONS)
def test_public_names_resolve_to_what_they_say(name):
    value = getattr(xephys, name)
    assert value.__name__ == name
    assert value.__doc__
    assert inspect.unwrap(value) is inspect.unwrap(getattr(import_module(PUBLIC[name].module, "xephys"), name))


def test_no_module_hides_a_public_name():
    """Importing a module binds its name in its package, where it would replace a function of the same name."""
    modules = sorted({public.module for public in PUBLIC.values()} - {"."})
    code = f"""
from importlib import import_module
import xephys
for module in {modules!r}:
    import_module(module, "xephys")
print([name for name in {FUNCTIONS!r} if not callable(getattr(xephys, name))])
"""
    assert _python(code) == "[]"


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'bandpass'"):
        xephys.bandpass  # noqa: B018


def test_static_names_are_the_public_names():
    """Editors and type checkers see the names that exist."""
    stub = ast.parse(STUB.read_text(encoding="utf-8"))
    imported = {alias.asname for node in stub.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert imported == set(PUBLIC)
    assert set(xephys.__all__) == imported | {"__version__"}


def test_the_figures_have_a_list_of_their_own():
    assert "plot_traces" in xephys.plot.__all__
    assert all(callable(getattr(xephys.plot, name)) for name in xephys.plot.__all__)


def test_types_are_there_for_type_checkers():
    assert Path(xephys.__file__).with_name("py.typed").exists()


@pytest.mark.parametrize("stub", sorted(STUB.parent.rglob("__init__.pyi")), ids=lambda stub: stub.parent.name)
def test_no_public_function_is_named_as_a_module_beside_it(stub):
    """Importing the module would put it in the place of the function."""
    taken = {path.stem for path in stub.parent.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert not taken & {name for name, public in read_stub(stub).items() if public.module != "."}
