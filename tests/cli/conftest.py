import pytest

from ..support.command_line import run


@pytest.fixture(scope="session")
def simulated(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli") / "simulated"
    run("simulate", "--out", folder, "--duration-s", 12, "--n-channels", 16, "--n-units", 4, "--seed", 1)
    return folder


@pytest.fixture(scope="session")
def sorted_folder(simulated):
    out = simulated.parent / "sorted"
    run("sort", simulated / "recording", "--out", out)
    return out
