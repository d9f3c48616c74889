"""Read Plexon ``.plx`` files through SpikeInterface's reader, working around two of its faults at the end of a file.

Neo (0.14) miscounts the start of the last block of samples if it is shorter than the others, and drops a block that is
read exactly up to its end. The last samples then come out as zeros, and which ones depends on the requested range. Here
the blocks are joined correctly. Neo's progress bars are switched off.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from neo.rawio import PlexonRawIO
from spikeinterface.extractors.neoextractors.plexon import PlexonRecordingExtractor

from ...graph.plan import Array

_CONTINUOUS = 5  # type of the blocks that hold continuous samples


class ExactPlexonRawIO(PlexonRawIO):
    """Neo's reader, with its own code for joining the blocks of samples replaced."""

    def _get_analogsignal_chunk(
        self, block_index: int, seg_index: int, i_start: int, i_stop: int, stream_index: int, channel_indexes: Any
    ) -> Array:
        stream_id = self.header["signal_streams"][stream_index]["id"]
        channels = self.header["signal_channels"]
        channels = channels[channels["stream_id"] == stream_id]
        if channel_indexes is not None:
            channels = channels[channel_indexes]
        start = 0 if i_start is None else i_start
        stop = self._stream_id_samples[stream_id] if i_stop is None else i_stop
        out = np.zeros((stop - start, len(channels)), np.int16)
        for column, channel in enumerate(channels["id"]):
            blocks = self._data_blocks[_CONTINUOUS][np.int32(channel)]
            edges = np.concatenate([[0], np.cumsum(blocks["size"] // 2)])
            first = max(0, int(np.searchsorted(edges, start, side="right")) - 1)
            last = int(np.searchsorted(edges, stop, side="left"))
            for block, begin, end in zip(blocks[first:last], edges[first:last], edges[first + 1 :], strict=False):
                samples = self._memmap[block["pos"] : block["pos"] + block["size"]].view("int16")
                lo, hi = max(start, begin), min(stop, end)
                out[lo - start : hi - start, column] = samples[lo - begin : hi - begin]
        return out


class ExactPlexonRecording(PlexonRecordingExtractor):
    """SpikeInterface's Plexon recording on top of :class:`ExactPlexonRawIO`."""

    @classmethod
    def get_neo_io_reader(cls, raw_class: str, **neo_kwargs: Any) -> ExactPlexonRawIO:
        reader = ExactPlexonRawIO(**neo_kwargs)
        reader.parse_header()
        return reader

    @classmethod
    def map_to_neo_kwargs(cls, file_path: str | Path) -> dict[str, Any]:
        return {"filename": str(file_path), "progress_bar": False}
