"""A sorting written as the files of each system, from the command line."""

import numpy as np
import pytest

import xephys
from xephys.cli.commands.export import EXPORTERS

from ...support.command_line import refused, run

#: Where each exporter writes, and what else it needs.
CASES = {
    "phy": ("phy", ()),
    "kilosort": ("ks", ("--set", "pictures=False")),
    "nwb": ("session.nwb", ("--set", "session_start=2026-01-31T12:00+01:00")),
    "alf": ("alf", ()),
    "cell-explorer": ("mouse1", ()),
    "pynapple-npz": ("group.npz", ()),
    "analyzer": ("analyzer", ()),
    "report": ("report", ("--set", "dpi=30")),
    "npz": ("sorting.npz", ()),
    "mat": ("sorting.mat", ()),
}


@pytest.fixture(scope="module")
def truth(simulated, tmp_path_factory):
    """The true sorting with its analysis, so that no exporter has to compute one."""
    recording = xephys.open_recording(simulated / "recording")
    names = {name for row in EXPORTERS.values() for name in row.extensions}
    folder = tmp_path_factory.mktemp("export") / "sorting.zarr"
    xephys.save_sorting(xephys.analyze(xephys.open_sorting(simulated / "truth.zarr"), recording, names), folder)
    return folder


@pytest.mark.parametrize("name", EXPORTERS)
def test_every_exporter_writes_its_file_or_folder_only(name, truth, simulated, sorted_folder, tmp_path):
    place, options = CASES[name]
    sorting = sorted_folder if name == "kilosort" else truth  # Kilosort's files need what only a sort learns
    recording = ("--recording", simulated / "recording", "--freq-min-hz", 0) if name in ("analyzer", "kilosort") else ()
    said = run("export", sorting, "--to", name, "--out", tmp_path / place, *recording, *options).stdout
    assert f"{name}: " in said
    assert [path.name for path in tmp_path.iterdir()] == [place]


def test_a_recording_adds_what_the_sorting_lacks(simulated, tmp_path):
    out = tmp_path / "phy"
    run("export", simulated / "truth.zarr", "--to", "phy", "--out", out, "--recording", simulated / "recording")
    assert (out / "pc_features.npy").is_file()
    assert (out / "cluster_snr.tsv").is_file()
    spikes = np.load(out / "spike_times.npy")
    assert len(spikes) == xephys.open_sorting(simulated / "truth.zarr")["spikes"].sizes["spike"]


def test_missing_and_unknown_input_is_named(truth, tmp_path):
    out = tmp_path / "x"
    assert "--to" in refused("export", truth, "--to", "fhy", "--out", out, status=2)
    assert "session_start" in refused("export", truth, "--to", "nwb", "--out", out, status=2)
    assert "--recording PATH" in refused("export", truth, "--to", "analyzer", "--out", out, status=2)
    assert "no argument 'colour'" in refused(
        "export", truth, "--to", "alf", "--out", out, "--set", "colour=1", status=2
    )
    out.mkdir()
    assert "exists" in refused("export", truth, "--to", "alf", "--out", out, status=4)
