"""The cost of each trace kernel: milliseconds of one core per second of recording, beside its peers in the same run.

    python benchmarks/kernels.py [--quick]

384 channels at 30 kHz. Times are the best of a few calls, after compilation, on one thread; machines differ, so quote
the ratios. ``run(quick=True)`` uses 32 channels and a tenth of a second, so that a test can run this script.
"""

import argparse
import os
import time
from collections.abc import Callable
from typing import Any, NamedTuple

for variable in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import numpy as np  # noqa: E402  the limits above must come first
from scipy import signal  # noqa: E402
from threadpoolctl import threadpool_limits  # noqa: E402

RATE = 30_000
SUB_BLOCK_ROWS = 512  # rows at a time for pointwise stages, as in the graph


class Row(NamedTuple):
    """One kernel against one peer; times in ms per second of recording."""

    kernel: str
    ours_ms: float
    peer: str
    peer_ms: float

    @property
    def ratio(self) -> float:
        return self.peer_ms / self.ours_ms


def run(quick: bool = False) -> list[Row]:
    """Time every kernel and its peers."""
    with threadpool_limits(limits=1):
        return _rows(32 if quick else 384, RATE // 10 if quick else RATE, 1 if quick else 5)


def _rows(channels: int, samples: int, repeats: int) -> list[Row]:
    import spikeinterface.core as si
    import spikeinterface.preprocessing as sp

    from xephys.kernels.lib import mixing
    from xephys.kernels.preprocess import bad_channels, filter, noise, phase_shift, reference, scale, whiten

    sos = signal.butter(5, [300, 6000], "bandpass", fs=RATE, output="sos")
    halo = filter.sos_halo(sos)
    rng = np.random.default_rng(0)
    common = rng.normal(0, 20, (samples + 2 * halo, 1))
    raw = (common + rng.normal(0, 50, (samples + 2 * halo, channels)) + 200).astype("int16")
    middle = raw[halo:-halo]
    filtered = filter.sos_filtfilt(raw, before=halo, after=halo, sos=sos)
    row_number = np.arange(channels) // 2
    positions = np.stack([np.tile([16.0, 48, 0, 32], channels)[:channels], row_number * 20.0], axis=1)
    shifts = np.tile(np.arange(12) / 13, channels)[:channels]

    distances = np.linalg.norm(positions[:, None] - positions[None], axis=2)
    ring = (distances > 30) & (distances <= 55)
    ring_neighbors = np.full((channels, ring.sum(axis=1).max()), -1, np.int32)
    for channel in range(channels):
        inside = np.flatnonzero(ring[channel])
        ring_neighbors[channel, : len(inside)] = inside

    sum_x, sum_xx, n = whiten.covariance_sums(filtered)
    covariance = sum_xx / n - np.outer(sum_x / n, sum_x / n)
    neighbors, weights = whiten.whitening_matrix_local(covariance, positions)
    matrix = whiten.whitening_matrix_global(covariance)
    sparse, dense = mixing.pack_sparse(neighbors, weights), mixing.pack_dense(matrix)
    matrix32 = matrix.astype("float32")
    bad = np.array([3, channels // 2])
    fill_from, fill_weights = bad_channels.interpolation_weights(positions, bad)

    def recording(traces: np.ndarray[Any, Any]) -> Any:
        wrapped = si.NumpyRecording([traces], RATE)
        wrapped.set_dummy_probe_from_locations(positions)
        wrapped.set_channel_gains(1.0)
        wrapped.set_channel_offsets(0.0)
        wrapped.set_property("inter_sample_shift", shifts)
        return wrapped

    def peer(step: Any, start: int = 0) -> Callable[[], Any]:
        return lambda: step.get_traces(start_frame=start, end_frame=start + samples)

    def blocks(kernel: Callable[..., Any], **parameters: Any) -> Callable[[], None]:
        def apply() -> None:
            for start in range(0, samples, SUB_BLOCK_ROWS):
                kernel(filtered[start : start + SUB_BLOCK_ROWS], **parameters)

        return apply

    def chain() -> None:
        traces = filter.sos_filtfilt(raw, before=halo, after=halo, sos=sos)
        result = np.empty_like(traces)
        for start in range(0, samples, SUB_BLOCK_ROWS):
            part = reference.common_reference(traces[start : start + SUB_BLOCK_ROWS])
            result[start : start + SUB_BLOCK_ROWS] = mixing.mix_channels(part, **sparse)

    raw_recording, flat = recording(raw), recording(filtered)
    bandpassed = sp.bandpass_filter(raw_recording, freq_min=300, freq_max=6000, dtype="float32")
    local_whitening = {"mode": "local", "radius_um": 100.0, "dtype": "float32", "seed": 0}
    whitened_global = sp.whiten(flat, mode="global", dtype="float32", seed=0)
    whitened_local = sp.whiten(flat, **local_whitening)
    median_reference = sp.common_reference(flat, reference="global", operator="median")
    mean_reference = sp.common_reference(flat, reference="global", operator="average")
    local_reference = sp.common_reference(flat, reference="local", operator="median", local_radius=(30, 55))
    shifted = sp.phase_shift(raw_recording, dtype="float32")
    scaled = sp.scale(recording(middle), gain=0.195, offset=1.0, dtype="float32")
    filled = sp.interpolate_bad_channels(flat, bad_channel_ids=flat.channel_ids[bad])
    full_chain = sp.whiten(sp.common_reference(bandpassed), **local_whitening)
    edge = phase_shift.phase_shift_halo()
    edged = raw[halo - edge : len(raw) - halo + edge]

    cases: list[tuple[str, Callable[[], Any], list[tuple[str, Callable[[], Any]]]]] = [
        (
            "band-pass, order 5, zero phase, from int16",
            lambda: filter.sos_filtfilt(raw, before=halo, after=halo, sos=sos),
            [
                ("scipy sosfiltfilt, float64", lambda: signal.sosfiltfilt(sos, raw, axis=0)),
                ("SpikeInterface bandpass_filter", peer(bandpassed, halo)),
            ],
        ),
        (
            "band-pass, order 5, causal, from int16",
            lambda: filter.sos_filter(raw, before=halo, after=halo, sos=sos),
            [("scipy sosfilt, float64", lambda: signal.sosfilt(sos, raw, axis=0))],
        ),
        (
            "median reference",
            blocks(reference.common_reference),
            [
                ("numpy median", lambda: filtered - np.median(filtered, axis=1, keepdims=True)),
                ("SpikeInterface common_reference", peer(median_reference)),
            ],
        ),
        (
            "average reference",
            blocks(reference.common_reference, operator="average"),
            [("SpikeInterface common_reference", peer(mean_reference))],
        ),
        (
            "local median reference, 30–55 µm",
            blocks(reference.local_reference, neighbors=ring_neighbors),
            [("SpikeInterface common_reference", peer(local_reference))],
        ),
        (
            "local whitening (32 nearest; peer: dense)",
            blocks(mixing.mix_channels, **sparse),
            [
                ("numpy sgemm", lambda: filtered @ matrix32),
                ("SpikeInterface whiten, local", peer(whitened_local)),
            ],
        ),
        (
            "global whitening",
            blocks(mixing.mix_channels, **dense),
            [
                ("numpy sgemm", lambda: filtered @ matrix32),
                ("SpikeInterface whiten, global", peer(whitened_global)),
            ],
        ),
        (
            "phase shift, from int16",
            lambda: phase_shift.phase_shift(edged, before=edge, after=edge, shifts=shifts),
            [("SpikeInterface phase_shift", peer(shifted, halo))],
        ),
        (
            "scale, from int16",
            lambda: scale.scale(middle, gain=0.195, offset=1.0),
            [
                ("numpy", lambda: middle.astype("float32") * np.float32(0.195) + np.float32(1)),
                ("SpikeInterface scale", peer(scaled)),
            ],
        ),
        (
            "to int16, rounded and saturated",
            lambda: scale.astype(filtered),
            [("numpy rint, clip, cast", lambda: np.clip(np.rint(filtered), -32768, 32767).astype("int16"))],
        ),
        (
            "interpolation of two bad channels",
            blocks(bad_channels.interpolate_channels, neighbors=fill_from, weights=fill_weights, bad=bad),
            [("SpikeInterface interpolate_bad_channels", peer(filled))],
        ),
        (
            "noise levels, MAD",
            lambda: noise.noise_levels(filtered),
            [("numpy median twice", lambda: _numpy_mad(filtered))],
        ),
        (
            "band-pass, median reference, local whitening",
            chain,
            [("SpikeInterface, the same chain", peer(full_chain, halo))],
        ),
    ]  # fmt: skip
    per_second = 1e3 * RATE / samples
    rows = []
    for name, ours, peers in cases:
        ours_ms = per_second * _best(ours, repeats)
        rows += [Row(name, ours_ms, label, per_second * _best(other, min(repeats, 2))) for label, other in peers]
    return rows


def _numpy_mad(traces: np.ndarray[Any, Any]) -> Any:
    return np.median(np.abs(traces - np.median(traces, axis=0)), axis=0)


def _best(call: Callable[[], Any], repeats: int) -> float:
    """Shortest time of a few calls in s, after an untimed call that compiles and fills caches."""
    call()
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        call()
        times.append(time.perf_counter() - begin)
    return min(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="32 channels, a tenth of a second, one repeat")
    rows = run(quick=parser.parse_args().quick)
    print("| kernel | ms | peer | ms | ratio |\n|---|---|---|---|---|")
    for row in rows:
        print(f"| {row.kernel} | {row.ours_ms:.1f} | {row.peer} | {row.peer_ms:.1f} | {row.ratio:.1f} |")


if __name__ == "__main__":
    main()
