"""The tables of the benchmark of RT-Sort are those of its runs."""

from pathlib import Path

from benchmarks.realtime import runs_table, write_into


def run(**other: object) -> dict[str, object]:
    return {
        "probe": "mea", "preset": "easy", "channels": 1020, "true": 60, "units": 52, "duration": 300.0, "drift": "none",
        "drift_um": 20.0, "seed": 1, "at least 0.8": 44, "mean": 0.7, "learn cpu s": 30.0, "MB on disk": 10.0,
        "peak GB": 0.6, **other,
    }  # fmt: skip


def test_a_row_for_each_kind_of_recording(tmp_path: Path) -> None:
    runs = [run(), run(drift="slow", mean=0.65), run(seed=2, mean=0.8, **{"at least 0.8": 40, "peak GB": 0.7})]
    lines = runs_table(runs).splitlines()
    assert lines[2] == (
        "| mea, `easy`, 1,020 channels, 60 units, 300 s | 1, 2 | 44, 40 of 60 | 0.750 | 52 | 30.0 | 0.10 | 120 | 0.7 |"
    )
    assert "tissue moves (slow, 20 µm) | 1 | 44 of 60 | 0.650" in lines[3] and len(lines) == 4
    page = tmp_path / "page.md"
    page.write_text("a\n<!-- accuracy -->\nold\n<!-- end -->\nb\n<!-- live -->\nkept\n<!-- end -->\n")
    write_into(page, "accuracy", "new\n")
    assert page.read_text() == "a\n<!-- accuracy -->\nnew\n<!-- end -->\nb\n<!-- live -->\nkept\n<!-- end -->\n"
