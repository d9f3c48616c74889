"""Sequences learned and used from the shell."""

import csv
import socket
import threading
from itertools import islice

import numpy as np
import pytest

import xephys
from xephys.errors import RecordingError, ResourceError
from xephys.realtime import open_sequences, sort_offline, sources

from ...support.command_line import refused, run


@pytest.fixture(scope="module")
def learned(simulated, tmp_path_factory):
    path = tmp_path_factory.mktemp("rt") / "mine.npz"
    said = run("rt-learn", simulated / "recording", "--out", path, "--set", "min_seq_spikes_n=12").stdout
    assert "sequences of" in said
    return path


def test_a_recording_in_blocks_gives_the_spikes_of_the_whole(simulated, learned, tmp_path):
    said = run("rt-run", learned, simulated / "recording", "--out", tmp_path / "spikes.csv", "--block-ms", 20).stdout
    assert "600 blocks of 20 ms" in said
    rows = list(csv.DictReader((tmp_path / "spikes.csv").open()))
    offline = sort_offline(xephys.open_recording(simulated / "recording"), open_sequences(learned))["spikes"]
    mine = sorted((int(row["sample_index"]), int(row["unit_index"])) for row in rows)
    assert mine == sorted(zip(offline["sample_index"].values, offline["unit_index"].values, strict=True))
    assert float(rows[0]["time_s"]) == pytest.approx(int(rows[0]["sample_index"]) / 30_000, abs=1e-5)


def test_samples_from_a_socket(simulated, learned, tmp_path):
    samples = xephys.open_recording(simulated / "recording").values[:30_000].astype(np.int16)
    server = socket.create_server(("127.0.0.1", 0))

    def send():
        connection, _ = server.accept()
        with connection:
            connection.sendall(samples.tobytes())

    sender = threading.Thread(target=send)
    sender.start()
    said = run("rt-run", learned, f"127.0.0.1:{server.getsockname()[1]}", "--out", tmp_path / "live.csv").stdout
    sender.join()
    server.close()
    assert "200 blocks of 5 ms" in said


@pytest.mark.parametrize(
    ("end", "status", "said"),
    [
        (KeyboardInterrupt(), 130, "interrupted: the spikes up to there are in"),
        (RecordingError("the stream ended after 9 samples"), 3, "after 9 samples; the spikes up to there are in"),
        (ResourceError("the stream stopped", resource="connection"), 5, "stopped; the spikes up to there are in"),
    ],
)
def test_what_ends_early_keeps_its_spikes_under_another_name(
    simulated, learned, tmp_path, monkeypatch, end, status, said
):
    """No table with the name that was asked for is ever half of one; the spikes until then are not lost."""
    blocks_of, n_blocks = sources.blocks_of, 300

    def broken(*args, **options):
        yield from islice(blocks_of(*args, **options), n_blocks)
        raise end

    out, part = tmp_path / "spikes.csv", tmp_path / "spikes.partial.csv"
    call = ("rt-run", learned, simulated / "recording", "--out", out, "--block-ms", 20)
    with monkeypatch.context() as patched:
        patched.setattr(sources, "blocks_of", broken)
        stderr = " ".join(run(*call, expect=status).stderr.split())
    assert said in stderr and str(part) in stderr and not out.exists()
    kept = part.read_text()
    assert "exists already" in refused(*call, status=4) and part.read_text() == kept
    run(*call, "--overwrite")
    assert not part.exists() and len(kept) > 1000 and kept.endswith("\n") and out.read_text().startswith(kept)


def test_segments_are_learned_together_and_run_one_by_one(simulated, learned, tmp_path):
    whole = xephys.open_recording(simulated / "recording")
    parts = [xephys.time_slice(whole, 0.0, 6.0), xephys.time_slice(whole, 6.0, 12.0)]
    xephys.save_recording(xephys.append_segments(parts), tmp_path / "parts.zarr")
    said = run("rt-learn", tmp_path / "parts.zarr", "--out", tmp_path / "own", "--set", "min_seq_spikes_n=12").stdout
    assert "sequences of" in said
    call = ("rt-run", learned, tmp_path / "parts.zarr", "--out", tmp_path / "spikes.csv", "--block-ms", 20)
    assert "has several segments, and blocks come from one; choose it by --segment 0" in refused(*call, status=2)
    assert "300 blocks of 20 ms" in run(*call, "--segment", 1).stdout


def test_wrong_input_is_refused(simulated, learned, tmp_path):
    assert "exists already" in refused("rt-learn", simulated / "recording", "--out", learned, status=4)
    named = learned.with_suffix("")  # the ending is appended, and the file is there
    assert "exists already" in refused("rt-learn", simulated / "recording", "--out", named, status=4)
    assert "give a name in .csv" in refused("rt-run", learned, "127.0.0.1:1", "--out", tmp_path / "x.parquet", status=2)
    out = tmp_path / "x.csv"
    assert "there is no file" in refused("rt-run", tmp_path / "no.npz", "127.0.0.1:1", "--out", out, status=2)
    said = refused("rt-run", learned, "127.0.0.1:1", "--out", out, status=5)
    assert "no connection" in said and "running? what was not finished" in said
    said = refused("rt-learn", simulated / "recording", "--out", tmp_path / "y", "--set", "elec_patienc=2", status=2)
    assert "did you mean 'elec_patience'" in said
