"""Sequences of detections that travel along an axon, and what can be done with them."""

# ruff: noqa: I001  (blocks by use, not by alphabet)

# Learn and use sequences.
from .sequences import detect_sequences as detect_sequences
from .sequences import sort_offline as sort_offline
from .stimulation import sort_stim as sort_stim
from .live import Stream as Stream
from .live import stream as stream

# Blocks of samples.
from .sources import blocks_of as blocks_of
from .sources import blocks_from_socket as blocks_from_socket
from .sources import RingBuffer as RingBuffer

# On disk.
from .store import open_sequences as open_sequences
from .store import save_sequences as save_sequences

# Networks.
from ..detect.weights import read_network as read_network
from ..detect.export import export_network as export_network
from ..detect.export import to_torch as to_torch
