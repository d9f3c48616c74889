"""``xephys report`` writes a report."""

from ...support.command_line import run


def test_a_sorting_and_its_recording_become_a_report(simulated, sorted_folder, tmp_path):
    out = tmp_path / "report"
    run("report", sorted_folder, "--out", out, "--recording", simulated / "recording")
    assert (out / "figures" / "crosscorrelograms.png").is_file()
    assert "snr" in (out / "units.csv").read_text()
