"""Sequences learned and used from the shell."""

import csv
import socket
import threading

import numpy as np
import pytest

import xephys
from xephys.realtime import open_sequences, sort_offline

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
