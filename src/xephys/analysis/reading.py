"""The one pass over the recording: values of each spike are taken from its tile while that is in memory."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..graph.events import given_events_stage
from ..graph.gather import LARGE_SUM_BYTES, gather, tile_runs
from ..graph.plan import Stage
from ..recording.stages import recording_plan
from .counts import counts_of, locating_counts
from .subject import Subject

#: Length of the part of a tile from which noise is estimated.
NOISE_DURATION_S = 0.5
#: Names of the arrays that are summed over tiles.
SUMMED = ("sums", "squares", "counts")
#: Fields of a spike that a tile needs; ``spike`` is its position among those of the segment.
EVENT_DTYPE = np.dtype(
    [
        ("sample_index", "<i8"), ("channel_index", "<i8"), ("unit_index", "<i8"), ("spike", "<i8"), ("wanted", "?"),
        ("chosen", "?"),
    ]
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What a pass has to deliver.

    Attributes
    ----------
    wanted
        Spikes for which anything is wanted.
    chosen
        Spikes whose waveforms are averaged or kept.
    channels
        ``(unit, slot)``: channels of each unit, padded with -1.
    nbefore, nafter
        Samples of a waveform before the spike, and from it on.
    averages, spreads, waveforms
        Whether to sum the chosen waveforms, to sum their squares as well, and to keep them.
    peak_channels, shifts
        ``(unit,)``: channel and lag at which the amplitude of a spike is read, if wanted.
    locate, place_fields
        Stage that adds the place of a spike, its ``place_fields``, to a record with ``sample_index`` and
        ``channel_index``; needs ``peak_channels``.
    templates, template_nbefore, lag_samples
        Templates ``(unit, sample, slot)`` of which a spike's scale is a multiple, and the lags at which spikes collide.
    noise_tiles
        Number of tiles of each segment in which the noise is estimated.
    noise_starts
        For each segment, the samples at which excerpts of a waveform's length are cut out on all channels.
    """

    wanted: NDArray[np.bool_]
    chosen: NDArray[np.bool_]
    channels: NDArray[np.int32]
    nbefore: int
    nafter: int
    averages: bool = False
    spreads: bool = True
    waveforms: bool = False
    peak_channels: NDArray[np.int64] | None = None
    shifts: NDArray[np.int64] | None = None
    locate: Stage | None = None
    place_fields: tuple[str, ...] = ()
    templates: NDArray[np.float32] | None = None
    template_nbefore: int = 0
    lag_samples: int = 0
    noise_tiles: int = 0
    noise_starts: tuple[NDArray[np.int64], ...] = field(default=())

    @property
    def is_empty(self) -> bool:
        """Whether nothing has to be read."""
        spikes = self.averages or self.waveforms or self.shifts is not None or self.locate or self.templates is not None
        return not ((spikes and (self.wanted | self.chosen).any()) or self.noise_tiles or len(self.noise_starts))


def read_spikes(subject: Subject, reading: Reading) -> dict[str, NDArray[Any]]:
    """Read the recording once. Computes.

    Returns
    -------
    Arrays by name. ``spike``: positions along the sorting's spikes, ascending, of ``amplitude``, ``x``, ``y``, ``z``,
    ``alpha``, ``scale`` and ``collides``; ``waveform_spike`` those of ``waveform``; ``sums``, ``squares`` and
    ``counts`` by unit; ``noise_level`` and ``noise_std`` ``(tile, channel)``, ``noise_waveform (stretch, sample,
    channel)``. What was not wanted is missing.
    """
    if reading.is_empty:
        return {}
    parts = [_read_segment(subject, reading, number) for number in range(len(subject.segments))]
    out: dict[str, NDArray[Any]] = {}
    for name in dict.fromkeys(name for part in parts for name in part):
        arrays = [part[name] for part in parts if name in part]
        if len(arrays) == 1:
            out[name] = arrays[0]  # waveforms of a single segment are not copied
        else:
            out[name] = np.sum(arrays, axis=0) if name in SUMMED else np.concatenate(arrays)
    from ..kernels.analysis.snippets import filled_slots

    for name in ("sums", "squares"):
        if name in out:
            out[name] = filled_slots(out[name], reading.channels, reading.nbefore + reading.nafter)
    return out


def _read_segment(subject: Subject, reading: Reading, number: int) -> dict[str, NDArray[Any]]:
    plan, gains, offsets = counts_of(recording_plan(subject.segments[number]))
    if reading.locate is not None:
        in_counts = locating_counts(reading.locate, gains, offsets)
        if in_counts is None:
            plan = recording_plan(subject.segments[number])
            gains, offsets = np.ones_like(gains), np.zeros_like(offsets)
        else:
            reading = replace(reading, locate=in_counts)
    lead = plan.start % plan.tile_samples
    plan = replace(plan, start=plan.start - lead, chunks=(plan.chunks[0] + lead, *plan.chunks[1:]))
    first, last = subject.segment_bounds[number : number + 2]
    samples = subject.sample_index[first:last]
    used = (reading.wanted | reading.chosen)[first:last]
    tiles = np.unique((samples[used] - plan.origin) // plan.tile_samples)
    noise_tiles = _noise_tiles(plan.tiles(plan.start, plan.stop), reading.noise_tiles)
    starts = reading.noise_starts[number] if reading.noise_starts else np.zeros(0, np.int64)
    tiles = np.unique(np.concatenate([tiles, noise_tiles, (starts - plan.origin) // plan.tile_samples]))
    noise_samples = noise_tiles * plan.tile_samples + plan.origin
    for stage in _stages(subject, reading, number, gains, offsets, noise_samples, starts):
        plan = plan.then(stage)
    sum_bytes = _sum_bytes(reading)
    if sum_bytes >= LARGE_SUM_BYTES:
        plan = plan.rechunked(plan.tile_samples)  # a task has the traces of one tile beside its sums
    found = gather(tile_runs(plan, tiles), summed=SUMMED, sum_bytes=sum_bytes)
    for name in ("spike", "waveform_spike"):
        if name in found:
            found[name] = found[name] + first
    return found


def _sum_bytes(reading: Reading) -> int:
    """Size of the sums of one tile."""
    n_values = int((reading.channels >= 0).sum()) * (reading.nbefore + reading.nafter)
    return n_values * 8 * (1 + reading.spreads) if reading.averages else 0


def _noise_tiles(tiles: range, n_tiles: int) -> NDArray[np.int64]:
    """Numbers of tiles spread evenly over all."""
    if not len(tiles) or not n_tiles:
        return np.zeros(0, np.int64)
    return np.unique(np.linspace(tiles[0], tiles[-1], min(n_tiles, len(tiles))).round().astype(np.int64))


def _records_of(subject: Subject, reading: Reading, number: int) -> NDArray[Any]:
    """Records of the spikes of a segment that anything is read for."""
    first, last = subject.segment_bounds[number : number + 2]
    used = np.flatnonzero((reading.wanted | reading.chosen)[first:last])
    records = np.zeros(len(used), EVENT_DTYPE)
    records["sample_index"] = subject.sample_index[first:last][used]
    records["unit_index"] = subject.unit_index[first:last][used]
    records["spike"] = used
    records["wanted"], records["chosen"] = reading.wanted[first:last][used], reading.chosen[first:last][used]
    if reading.peak_channels is not None:
        records["channel_index"] = reading.peak_channels[records["unit_index"]]
    return records


def _stages(
    subject: Subject,
    reading: Reading,
    number: int,
    gains: NDArray[np.float32],
    offsets: NDArray[np.float32],
    noise_samples: NDArray[np.int64],
    starts: NDArray[np.int64],
) -> list[Stage]:
    """Records of the spikes, their places if they are wanted, and what is taken from the tile."""
    stages = [given_events_stage(_records_of(subject, reading, number))]
    if reading.locate is not None:
        fields = [(name, "<f8") for name in reading.place_fields]
        stages.append(replace(reading.locate, dtype=np.dtype([*EVENT_DTYPE.descr, *fields])))
    arrays: dict[str, Any] = {
        "gains": gains,
        "offsets": offsets,
        "channels": reading.channels,
        "noise_samples": noise_samples,
        "noise_starts": np.sort(starts),
    }
    before, after = reading.nbefore, reading.nafter
    if reading.shifts is not None:
        arrays["shifts"] = reading.shifts
        reach = int(np.abs(reading.shifts).max(initial=0))
        before, after = max(before, reach), max(after, reach + 1)
    if reading.templates is not None:
        first, last = subject.segment_bounds[number : number + 2]
        arrays.update(
            samples=subject.sample_index[first:last],
            units=subject.unit_index[first:last],
            templates=reading.templates,
            overlap=shared_channels(reading.channels, subject.n_channels),
        )
        before = max(before, reading.template_nbefore + reading.lag_samples)
        after = max(after, reading.templates.shape[1] - reading.template_nbefore + reading.lag_samples)
    origin = int(subject.first_samples[number])
    parameters = {
        "nbefore": reading.nbefore,
        "nafter": reading.nafter,
        "averages": reading.averages,
        "spreads": reading.spreads,
        "waveforms": reading.waveforms,
        "template_nbefore": reading.template_nbefore,
        "lag_samples": reading.lag_samples,
        "noise_length": round(NOISE_DURATION_S * subject.sampling_frequency),
        "place_fields": reading.place_fields if reading.locate is not None else (),
        "first_sample": origin,
        "stop_sample": origin + int(subject.n_samples[number]),
    }
    dtype = np.dtype("f8")
    stages.append(
        Stage(
            read_tile, dtype=dtype, parameters=parameters, arrays=arrays, before=before, after=after, emits="partials"
        )
    )
    return stages


def shared_channels(channels: NDArray[np.int32], n_channels: int) -> NDArray[np.bool_]:
    """Mask of the pairs of units with a common channel.

    Examples
    --------
    >>> shared_channels(np.array([[0, 1], [1, -1], [2, -1]], np.int32), 3).astype(int).tolist()
    [[1, 1, 0], [1, 1, 0], [0, 0, 1]]
    """
    member = channel_mask(channels, n_channels).astype(np.int32)
    return np.asarray(member @ member.T > 0)


def channel_mask(channels: NDArray[np.int32], n_channels: int) -> NDArray[np.bool_]:
    """Channels of each unit ``(unit, channel)``.

    Examples
    --------
    >>> channel_mask(np.array([[2, -1]], np.int32), 3).tolist()
    [[False, False, True]]
    """
    mask = np.zeros((len(channels), n_channels + 1), bool)
    np.put_along_axis(mask, channels.astype(np.int64), True, axis=1)  # -1 goes to the last column
    return mask[:, :n_channels]


def read_tile(
    traces: NDArray[Any],
    events: NDArray[np.void],
    *,
    before: int,
    after: int,
    start: int,
    gains: NDArray[np.float32],
    offsets: NDArray[np.float32],
    channels: NDArray[np.int32],
    noise_samples: NDArray[np.int64],
    noise_starts: NDArray[np.int64],
    nbefore: int,
    nafter: int,
    averages: bool,
    spreads: bool,
    waveforms: bool,
    template_nbefore: int,
    lag_samples: int,
    noise_length: int,
    place_fields: tuple[str, ...],
    first_sample: int,
    stop_sample: int,
    shifts: NDArray[np.int64] | None = None,
    samples: NDArray[np.int64] | None = None,
    units: NDArray[np.int64] | None = None,
    templates: NDArray[np.float32] | None = None,
    overlap: NDArray[np.bool_] | None = None,
) -> dict[str, NDArray[Any]]:
    """The stage behind :func:`read_spikes`: rows and sums of one tile, whose traces may be counts."""
    from ..kernels.analysis import snippets
    from ..kernels.analysis.scalings import scale_spikes
    from ..kernels.preprocess.noise import noise_levels
    from ..kernels.preprocess.scale import scale

    traces = np.ascontiguousarray(traces)
    scaled = traces, gains, offsets
    row_of = start - before
    lo, hi = snippets.inside_rows(len(traces), first_row=row_of, first_sample=first_sample, stop_sample=stop_sample)
    rows = np.ascontiguousarray(events["sample_index"]) - row_of
    owners = np.ascontiguousarray(events["unit_index"])
    out: dict[str, NDArray[Any]] = {}
    chosen = events["chosen"] & (averages or waveforms)
    if chosen.any():
        cut = rows[chosen], owners[chosen], channels, nbefore, nafter, lo, hi
        if averages:
            out["sums"], squares, out["counts"] = snippets.sum_waveforms(*scaled, *cut, spreads)
            out.update({"squares": squares} if spreads else {})
        if waveforms:
            out["waveform_spike"], out["waveform"] = events["spike"][chosen], snippets.cut_waveforms(*scaled, *cut)
    wanted = events["wanted"]
    if wanted.any() and (shifts is not None or place_fields or templates is not None):
        out["spike"] = events["spike"][wanted]
        own = np.ascontiguousarray(rows[wanted])
        if shifts is not None:
            peaks = np.ascontiguousarray(events["channel_index"][wanted])
            out["amplitude"] = snippets.values_at(*scaled, own + shifts[owners[wanted]], peaks, lo, hi)
        out.update({name: events[name][wanted] for name in place_fields})
        if templates is not None and samples is not None and units is not None and overlap is not None:
            a, b = np.searchsorted(samples, [start - lag_samples, start + len(traces) - before - after + lag_samples])
            out["scale"], out["collides"] = scale_spikes(
                *scaled, samples[a:b] - row_of, units[a:b], out["spike"] - a, templates, channels, overlap,
                template_nbefore, lag_samples, lo, hi,
            )  # fmt: skip
    if start in noise_samples:
        core = traces[before : len(traces) - after]
        stretch = scale(core[max(0, (len(core) - noise_length) // 2) :][:noise_length], gain=gains, offset=offsets)
        out["noise_level"] = noise_levels(stretch, method="mad")[None]
        out["noise_std"] = noise_levels(stretch, method="std")[None]
    here = noise_starts[(noise_starts >= start) & (noise_starts < start + len(traces) - before - after)]
    if len(here):
        everywhere = np.arange(traces.shape[1], dtype=np.int32)[None]
        out["noise_waveform"] = snippets.cut_waveforms(
            *scaled, here - row_of + nbefore, np.zeros(len(here), np.int64), everywhere, nbefore, nafter, lo, hi
        )
    return out
