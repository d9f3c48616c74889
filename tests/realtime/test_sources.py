"""Blocks from recordings, sockets and buffers; what stops or has another width is told apart."""

import socket
import threading

import numpy as np
import pytest

import xephys
from xephys.realtime import RingBuffer, blocks_from_socket, blocks_of, stream


def spikes_of(tables):
    return np.concatenate(list(tables)).tobytes()


@pytest.fixture(scope="module")
def samples(recording):
    return recording[0].isel(time=slice(0, 40_000))


@pytest.fixture(scope="module")
def expected(samples, sequences):
    return spikes_of(stream(sequences, blocks_of(samples)))


def test_blocks_are_the_recording(samples):
    blocks = list(blocks_of(samples, block_ms=7.0))
    assert {len(block) for block in blocks[:-1]} == {210}
    np.testing.assert_array_equal(np.concatenate(blocks), samples.values)
    with pytest.raises(xephys.ParameterError, match="block_ms"):
        next(blocks_of(samples, block_ms=0))


def test_a_socket_gives_the_same_spikes(samples, sequences, expected):
    ours, theirs = socket.socketpair()

    def send():
        with theirs:
            theirs.sendall(samples.values.tobytes())

    sender = threading.Thread(target=send)
    sender.start()
    assert spikes_of(stream(sequences, blocks_from_socket(ours, n_channels=16))) == expected
    sender.join()


def test_a_buffer_gives_the_same_spikes(samples, sequences, expected):
    buffer = RingBuffer(50_000, 16)

    def write():
        for block in blocks_of(samples, block_ms=3.3):
            buffer.write(block)
        buffer.close()

    writer = threading.Thread(target=write)
    writer.start()
    assert spikes_of(stream(sequences, buffer.blocks(150))) == expected
    writer.join()


def test_a_stream_that_stops_is_an_error_of_its_own():
    ours, theirs = socket.socketpair()
    theirs.sendall(bytes(100))
    with theirs, pytest.raises(xephys.ResourceError, match=r"stream stopped: nothing arrived for 0\.05 s after 0"):
        list(blocks_from_socket(ours, n_channels=4, timeout_s=0.05))
    buffer = RingBuffer(100, 4)
    buffer.write(np.zeros((10, 4), np.int16))
    with pytest.raises(xephys.ResourceError, match=r"stream stopped: 10 samples wait"):
        list(buffer.blocks(20, timeout_s=0.05))
    with pytest.raises(xephys.ResourceError, match="no connection to"):
        list(blocks_from_socket(("127.0.0.1", 1), n_channels=4))


def test_another_width_is_an_error_of_its_own():
    ours, theirs = socket.socketpair()
    theirs.sendall(np.zeros((10, 3), np.int16).tobytes())
    theirs.close()
    with pytest.raises(xephys.RecordingError, match="ended after 7 samples and 4 bytes; a sample of 4 channels has 8"):
        list(blocks_from_socket(ours, n_channels=4))
    with pytest.raises(xephys.RecordingError, match=r"samples have shape \(5, 3\) and the buffer has 4 channels"):
        RingBuffer(100, 4).write(np.zeros((5, 3)))


def test_lost_samples_are_named():
    buffer = RingBuffer(100, 4)
    buffer.write(np.zeros((130, 4), np.int16))
    with pytest.raises(xephys.ResourceError, match="30 samples were overwritten before they were read"):
        next(buffer.blocks(10))
    with pytest.raises(xephys.ParameterError, match="block_samples is 101"):
        next(buffer.blocks(101))


def test_nothing_is_written_after_the_end_or_rounded():
    buffer = RingBuffer(100, 4)
    buffer.write([[1, 2, 3, 4]])
    with pytest.raises(xephys.RecordingError, match="samples are float64 and the buffer holds int16"):
        buffer.write(np.full((5, 4), 0.5))
    buffer.close()
    with pytest.raises(xephys.ParameterError, match="the buffer is closed"):
        buffer.write(np.zeros((5, 4), np.int16))
    assert [block.tolist() for block in buffer.blocks(3)] == [[[1, 2, 3, 4]]]


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: RingBuffer(10, 4.5), "RingBuffer: n_channels is 4.5; give a whole number"),
        (lambda: RingBuffer("10", 4), "RingBuffer: n_samples is '10', a text; give a whole number"),
        (lambda: RingBuffer(10, 4, dtype="foo"), "dtype is 'foo', which NumPy does not know"),
        (lambda: RingBuffer(10, 4, kind="int16"), "RingBuffer has no parameter 'kind'"),
        (lambda: RingBuffer(10, 4).blocks(2.5), "RingBuffer.blocks: block_samples is 2.5; give a whole number"),
    ],
)
def test_wrong_sizes_of_a_buffer_are_named(call, said):
    with pytest.raises(xephys.ParameterError, match=said):
        call()


def test_sizes_may_be_whole_floats():
    buffer = RingBuffer(10.0, 4.0)
    buffer.write(np.zeros((6, 4), np.int16))
    buffer.close()
    assert [len(block) for block in buffer.blocks(3.0)] == [3, 3]


@pytest.mark.parametrize(
    ("address", "dtype"), [("localhost:5000", "int16"), (("localhost",), "int16"), (("a", 1), "foo")]
)
def test_wrong_addresses_and_types_are_named(address, dtype):
    said = "address is .*; give \\(host, port\\)" if dtype == "int16" else "dtype is 'foo'; give a type of NumPy"
    with pytest.raises(xephys.ParameterError, match=said):
        next(blocks_from_socket(address, n_channels=4, dtype=dtype))
