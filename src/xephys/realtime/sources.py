"""Blocks of samples for a stream: from a recording, from a socket, from a buffer that an acquisition program fills."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..checks import check_positive, sample_type
from ..errors import ParameterError, RecordingError, ResourceError
from ..schema import validate_recording
from ..wrong_calls import explained_methods

#: Length of a block unless another one is given.
BLOCK_MS = 5.0
#: Longest wait for samples.
TIMEOUT_S = 5.0


def blocks_of(recording: xr.DataArray, *, block_ms: float = BLOCK_MS) -> Iterator[NDArray[Any]]:
    """The blocks of a recording in turn, as if it were live; one second is read at a time.

    Parameters
    ----------
    recording
        Traces ``(time, channel)``.
    block_ms
        Length of a block.

    Yields
    ------
    Arrays ``(samples, channel)``; the last one may be shorter.

    Raises
    ------
    ParameterError
        If the length is not positive.

    Examples
    --------
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=1, n_channels=4, n_units=1)
    >>> next(blocks_of(recording)).shape
    (150, 4)
    """
    check_positive(block_ms=block_ms)
    rate = validate_recording(recording).sampling_frequency
    size = max(1, round(block_ms * 1e-3 * rate))
    step = size * max(1, round(rate / size))
    for start in range(0, recording.sizes["time"], step):
        part = recording.isel(time=slice(start, start + step)).values
        yield from (part[first : first + size] for first in range(0, len(part), size))


def blocks_from_socket(
    address: tuple[str, int] | socket.socket,
    *,
    n_channels: int,
    dtype: Any = np.int16,
    block_samples: int = 150,
    timeout_s: float = TIMEOUT_S,
) -> Iterator[NDArray[Any]]:
    """Blocks from a TCP socket that sends samples, all channels of one after those of the other, and nothing else.

    Parameters
    ----------
    address
        Host and port to connect to, or a connected socket.
    n_channels
        Channels of a sample.
    dtype
        Type of a sample, with its byte order.
    block_samples
        Samples of a block.
    timeout_s
        Longest wait for a block.

    Yields
    ------
    Arrays ``(samples, channel)``; the last one may be shorter.

    Raises
    ------
    ResourceError
        If the connection fails, or nothing arrives in time.
    RecordingError
        If the stream ends in the middle of a sample: then it sends another number of channels, or broke off.

    Examples
    --------
    >>> ours, theirs = socket.socketpair()
    >>> theirs.sendall(np.arange(12, dtype=np.int16).tobytes()); theirs.close()
    >>> [block.shape for block in blocks_from_socket(ours, n_channels=4, block_samples=2)]
    [(2, 4), (1, 4)]
    """
    check_positive(n_channels=n_channels, block_samples=block_samples, timeout_s=timeout_s)
    if not isinstance(address, socket.socket) and (isinstance(address, str) or len(address) != 2):
        raise ParameterError(f"address is {address!r}; give (host, port), such as ('localhost', 5000)")
    try:
        kind = np.dtype(dtype)
    except TypeError as error:
        raise ParameterError(f"dtype is {dtype!r}; give a type of NumPy, such as 'int16' or '>f4'") from error
    frame = n_channels * kind.itemsize
    try:
        connection = address if isinstance(address, socket.socket) else socket.create_connection(address, timeout_s)
    except OSError as error:
        raise ResourceError(
            f"no connection to {address}: {error}; is the program that sends samples running?", resource="connection"
        ) from error
    n_sent = 0
    with connection:
        connection.settimeout(timeout_s)
        while True:
            received = _receive(connection, block_samples * frame, after=n_sent, timeout_s=timeout_s)
            if len(received) % frame:
                raise RecordingError(
                    f"the stream ended after {n_sent + len(received) // frame} samples and {len(received) % frame} "
                    f"bytes; a sample of {n_channels} channels has {frame}: it broke off, or has other channels"
                )
            if received:
                n_sent += len(received) // frame
                yield np.frombuffer(received, kind).reshape(-1, n_channels)
            if len(received) < block_samples * frame:
                return


def _receive(connection: socket.socket, n_bytes: int, *, after: int, timeout_s: float) -> bytes:
    """This number of bytes, or fewer at the end of the stream."""
    received = bytearray()
    while len(received) < n_bytes:
        try:
            more = connection.recv(n_bytes - len(received))
        except TimeoutError as error:
            raise ResourceError(
                f"the stream stopped: nothing arrived for {timeout_s:g} s after {after} samples; restart the sender or "
                "give a longer timeout_s",
                resource="connection",
            ) from error
        except OSError as error:
            raise ResourceError(
                f"the stream broke off after {after} samples: {error}; restart the sender", resource="connection"
            ) from error
        if not more:
            break
        received += more
    return bytes(received)


@explained_methods
class RingBuffer:
    """A buffer of the last samples, which one thread writes and another reads in blocks.

    Parameters
    ----------
    n_samples, n_channels
        Size of the buffer. The reader may be late by this number of samples.
    dtype
        Type of a sample.

    Examples
    --------
    >>> buffer = RingBuffer(1000, 4)
    >>> buffer.write(np.zeros((300, 4), np.int16)); buffer.close()
    >>> [len(block) for block in buffer.blocks(150)]
    [150, 150]
    """

    def __init__(self, n_samples: int, n_channels: int, *, dtype: Any = np.int16) -> None:
        check_positive(n_samples=n_samples, n_channels=n_channels)
        self._samples = np.zeros((n_samples, n_channels), sample_type(dtype))
        self._changed = threading.Condition()
        self._written = self._read = 0
        self._closed = False

    def write(self, samples: Any) -> None:
        """Append samples ``(time, channel)``; the oldest are overwritten.

        Raises
        ------
        RecordingError
            If they have another number of channels, or are fractions and the buffer holds integers.
        ParameterError
            If the buffer is closed.
        """
        given = np.asarray(samples)
        n, n_channels = self._samples.shape
        if given.ndim != 2 or given.shape[1] != n_channels:
            raise RecordingError(
                f"samples have shape {given.shape} and the buffer has {n_channels} channels; give (samples, "
                f"{n_channels})"
            )
        if not np.can_cast(given.dtype, self._samples.dtype, "same_kind"):
            raise RecordingError(
                f"samples are {given.dtype} and the buffer holds {self._samples.dtype}, which rounds them; convert "
                "them, or make the buffer with dtype=np.float32"
            )
        with self._changed:
            if self._closed:
                raise ParameterError("the buffer is closed; make a new one for what comes after the end")
            at = (self._written + np.arange(len(given))) % n
            self._samples[at[-n:]] = given[-n:]
            self._written += len(given)
            self._changed.notify_all()

    def close(self) -> None:
        """End of the recording: the reader gets what is left and ends."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def blocks(self, block_samples: int = 150, *, timeout_s: float = TIMEOUT_S) -> Iterator[NDArray[Any]]:
        """The samples in turn, as soon as there is a whole block.

        Raises
        ------
        ResourceError
            If samples were overwritten before they were read, or nothing was written in time.
        """
        if not 0 < block_samples <= len(self._samples):
            raise ParameterError(f"block_samples is {block_samples}; give 1 to {len(self._samples)}, the buffer's size")
        while True:
            with self._changed:
                arrived = self._changed.wait_for(
                    lambda: self._closed or self._written - self._read >= block_samples, timeout_s
                )
                if not arrived:
                    raise ResourceError(
                        f"the stream stopped: {self._written - self._read} samples wait, and for {timeout_s:g} s no "
                        "more were written; restart the sender, or give a longer timeout_s",
                        resource="connection",
                    )
                late = self._written - self._read - len(self._samples)
                if late > 0:
                    raise ResourceError(
                        f"{late} samples were overwritten before they were read; make the buffer longer than "
                        f"{len(self._samples)} samples, or sort fewer channels",
                        resource="buffer",
                    )
                n = min(block_samples, self._written - self._read)
                block = self._samples[(self._read + np.arange(n)) % len(self._samples)]
                self._read += n
            if n == 0:
                return
            yield block
