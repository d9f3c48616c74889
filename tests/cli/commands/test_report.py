"""A report from the command line."""

from ...support.command_line import run


def test_a_report_of_a_sorting_and_its_recording(simulated, sorted_folder, tmp_path):
    out = tmp_path / "report"
    run("report", sorted_folder, "--out", out, "--recording", simulated / "recording")
    assert (out / "figures" / "crosscorrelograms.png").is_file()
    assert "snr" in (out / "units.csv").read_text()
