"""Facts about a recording in lines of text, for ``xephys info`` and for notebooks."""

from __future__ import annotations

import numpy as np
import xarray as xr

from .. import schema
from ..per_channel import bad_channels_of
from ..unit_mark import unit_is_stated
from .geometry import shank_numbers
from .slicing import start_time_s


def recording_facts(recording: xr.DataArray) -> list[tuple[str, str]]:
    """Name and text of each fact about a recording: signal, scaling, probe, plan. Nothing is read.

    Parameters
    ----------
    recording
        Traces with dims ``(time, channel)``.

    Examples
    --------
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0)
    >>> dict(recording_facts(recording))["duration"]
    '2 s (60,000 samples)'
    """
    from ..graph.describe import describe

    info = schema.validate_recording(recording)
    start = start_time_s(recording)
    facts = [
        ("channels", _channels(recording)),
        ("sampling rate", f"{exact(info.sampling_frequency)} Hz"),
        ("duration", f"{_duration(info.n_samples / info.sampling_frequency)} ({info.n_samples:,} samples)"),
        *([("starts at", f"{start:g} s")] if start else []),
        ("samples", f"{recording.dtype}, {recording.nbytes / 1e9:.3g} GB uncompressed"),
        ("scaling", _scaling(recording, info.units)),
        ("probe", _probe(recording)),
    ]
    if "inter_sample_shift" in recording.coords and np.ptp(recording.inter_sample_shift.values) > 0:
        facts.append(("sampling delays", "channels are sampled one after the other (phase_shift aligns them)"))
    bad = recording.channel.values[bad_channels_of(recording)]
    if len(bad):
        facts.append(("bad channels", ", ".join(map(str, bad))))
    if recording.attrs.get("source"):
        facts.append(("file", str(recording.attrs["source"])))
    if recording.chunks is None:
        return facts
    plan = describe(recording)
    chunk_s = plan.chunk_samples / info.sampling_frequency
    facts.append(("chunks", f"{plan.n_chunks:,} of {chunk_s:g} s, {plan.tasks_per_chunk:g} task each"))
    return facts


def exact(number: float) -> str:
    """A number with all of its digits and no others: rates are not rounded.

    Examples
    --------
    >>> exact(24414.0625), exact(29999.954846), exact(30000.0)
    ('24414.0625', '29999.954846', '30000')
    """
    return repr(float(number)).removesuffix(".0")


def _channels(recording: xr.DataArray) -> str:
    ids = recording.channel.values
    return f"{len(ids)} ({ids[0]} to {ids[-1]})" if len(ids) > 1 else f"1 ({ids[0]})"


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.4g} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min {rest} s" if hours else f"{minutes} min {rest} s"


def _scaling(recording: xr.DataArray, units: str) -> str:
    if units == "uV":
        return "in microvolts"
    if "gain_to_uv" not in recording.coords:
        return "counts; the gain is unknown (thresholds are relative to the noise, amplitudes stay counts)"
    if not unit_is_stated(recording):
        return "unknown: counts with gains that were changed by arithmetic or the like (see scale)"
    gains = np.unique(recording.gain_to_uv.values)
    text = f"{gains[0]:.4g}" if len(gains) == 1 else f"{gains[0]:.4g} to {gains[-1]:.4g}"
    return f"{text} µV per count"


def _probe(recording: xr.DataArray) -> str:
    if "x" not in recording.coords or "y" not in recording.coords:
        return "none: sorting needs one (--probe FILE)"
    x, y = recording.x.values, recording.y.values
    text = f"{len(x)} contacts over {np.ptp(x):g} × {np.ptp(y):g} µm"
    n_shanks = int(shank_numbers(recording).max()) + 1
    n_probes = len(np.unique(recording.probe.values.astype(str))) if "probe" in recording.coords else 1
    if n_probes > 1:
        text += f", {n_probes} probes"
    if n_shanks > max(n_probes, 1):
        text += f", {n_shanks} shanks"
    return text
