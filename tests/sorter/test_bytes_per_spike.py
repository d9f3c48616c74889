"""What a sort holds in memory per spike is little more than a sorting of them takes, however large the records on disk.

Each step runs on two stored passes of different length; the difference of its peaks is what it needs per record. Blocks
are short here, so that they do not hide it.
"""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import xarray as xr

from xephys.cluster.missed import cluster_missed, with_missed
from xephys.cluster.peaks import cluster_peaks
from xephys.cluster.refine import estimated_counts, refine_clusters
from xephys.cluster.unexplained import estimate_unexplained
from xephys.graph import columns
from xephys.graph.checkpoint import CheckpointedEvents
from xephys.kernels.lib import records as kernel_records
from xephys.match import others, shapes
from xephys.match.presence import fires_there
from xephys.match.thresholds import balance_thresholds
from xephys.motion.displacement import make_motion
from xephys.motion.registered import Tissue
from xephys.schema import SPIKE_VARIABLES
from xephys.sorter.default.parameters import DefaultParameters
from xephys.sorter.steps.assemble import Appearance, assemble
from xephys.sorter.steps.judge import judge_units
from xephys.sorter.steps.select import own_matches, spikes_among
from xephys.sorter.steps.tidy import tidy_units
from xephys.testing import simulate_recording

#: Bytes of a spike in the sorting itself: eight columns.
OF_SORTING = sum(np.dtype(variable.kind).itemsize for variable in SPIKE_VARIABLES.values())
#: Records on disk; their number, in the shorter and in the longer pass; units, channels and components.
N_RECORDS, N_UNITS, N_CHANNELS, N_COMPONENTS = (60_000, 180_000), 12, 12, 3
FIELDS = ("channel_index", "amplitude", "segment_index", "unit_index", "sample_offset", "gain", "x", "y", "z")
#: Time between two spikes, so that the longer pass lasts nearly three times as long.
STEP = 200


@pytest.fixture(scope="module")
def recording():
    """Only its geometry and length are used."""
    return simulate_recording(
        duration_s=N_RECORDS[1] * STEP / 30_000 + 1, n_channels=N_CHANNELS, n_units=1, probe="linear", seed=0
    )[0]


@pytest.fixture(scope="module")
def components():
    basis = np.linalg.qr(np.random.default_rng(0).standard_normal((40, N_COMPONENTS)))[0].T
    return xr.DataArray(basis.astype("f4"), dims=("component", "sample"), attrs={"nbefore": 12})


@pytest.fixture(scope="module")
def passes(tmp_path_factory):
    """Matches of the units."""
    return [stored_pass(n, tmp_path_factory.mktemp("pass")) for n in N_RECORDS]


@pytest.fixture(scope="module")
def passes_with_peaks(tmp_path_factory):
    """Matches, every twelfth of them a peak in the residual instead."""
    return [stored_pass(n, tmp_path_factory.mktemp("pass"), looks=True) for n in N_RECORDS]


def stored_pass(n, folder, *, looks=False):
    kinds = [("sample_index", "i8"), *[(name, "i8" if "index" in name else "f8") for name in FIELDS]]
    rng, some = np.random.default_rng(1), np.zeros(n, [*kinds, ("projection", "f4", (4, N_COMPONENTS))])
    some["sample_index"] = np.arange(n) * STEP + rng.integers(0, 150, n)
    some["unit_index"] = rng.integers(0, N_UNITS, n)
    some["channel_index"], some["y"] = some["unit_index"], 20.0 * some["unit_index"]
    some["amplitude"], some["gain"] = rng.normal(1, 0.1, n), rng.normal(12, 2, n) ** 2
    some["projection"] = rng.standard_normal((n, 4, N_COMPONENTS))
    some["projection"][:, 0] += 9.0 + some["unit_index"][:, None] % 3
    some["unit_index"][::12] = np.where(looks, -1, some["unit_index"][::12])
    parts, paths = np.array_split(some, 40), []
    for number, part in enumerate(parts):
        paths.append(folder / f"{number}.npy")
        np.save(paths[-1], part)
    counts = np.array([len(part) for part in parts])
    return CheckpointedEvents(folder, tuple(paths), counts, some.dtype, 30_000.0, 0, f"of {n}")


@pytest.fixture(scope="module")
def templates():
    waveform = np.zeros((N_UNITS, 40, 4), np.float32)
    rng = np.random.default_rng(2)
    waveform[:, 10:22] = 6 * rng.standard_normal((N_UNITS, 12, 4))
    slots = (np.arange(N_UNITS)[:, None] + np.arange(4)) % N_CHANNELS
    return xr.Dataset(
        {
            "waveform": (("unit", "sample", "slot"), waveform),
            "channel_index": (("unit", "slot"), slots.astype(np.int32)),
            "num_averaged": ("unit", np.full(N_UNITS, 500)),
            "relative_threshold": ("unit", np.ones(N_UNITS)),
        },
        attrs={"n_channels": N_CHANNELS, "sampling_frequency": 30_000.0, "nbefore": 12},
    )


@pytest.fixture
def growth(monkeypatch):
    """A function that tells the bytes per record by which the peak of a step grows."""
    monkeypatch.setattr(columns, "BLOCK_ROWS", 1 << 12)
    monkeypatch.setattr(kernel_records, "BLOCK_ROWS", 1 << 12)

    def measured(step, passes):
        step(passes[0])  # compiles and caches what it needs
        peaks = []
        for stored in passes:
            tracemalloc.start()
            step(stored)
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
        return (peaks[1] - peaks[0]) / (N_RECORDS[1] - N_RECORDS[0])

    return measured


def test_clusters_of_peaks(growth, passes, recording, components):
    settings = {"components": components, "feature_noise": 1.0, "n_peaks_per_section_max": 300}

    def step(peaks):
        cluster_peaks(recording, peaks, **settings).spikes(peaks)

    assert growth(step, passes) < 25


def test_refined_clusters(growth, passes_with_peaks, recording, components):
    def step(spikes):
        noise = {"components": components, "feature_noise": 1.0}
        known = refine_clusters(recording, spikes, n_spikes_per_unit_max=200, **noise)
        missed = cluster_missed(recording, spikes, n_peaks_per_section_max=300, **noise)
        both = with_missed(known, missed)
        del known, missed
        both.spikes(spikes)
        estimated_counts(spikes, both.labels, n_spikes_per_unit_max=200)
        estimate_unexplained(spikes, both.labels, feature_noise=1.0)

    assert growth(step, passes_with_peaks) < 50


def test_spikes_where_units_fire(growth, passes, recording):
    motion = make_motion([[0.0], [20.0]], time_s=[0.5, recording.sizes["time"] / 30_000 - 0.5], depth_um=[0])
    tissue = Tissue.of(recording, motion)

    def step(spikes):
        fires_there(spikes, tissue=tissue, n_units=N_UNITS, match_threshold=5.0, noise_gain=1.0)

    assert growth(step, passes) < 60


def test_selected_spikes(growth, passes, recording, templates, monkeypatch):
    monkeypatch.setattr(others, "N_SPIKES_MAX", 200)
    monkeypatch.setattr(shapes, "N_SPIKES_MAX", 200)
    monkeypatch.setattr(shapes, "N_AT_A_TIME", 1000)
    monkeypatch.setattr(others, "N_SPIKES_AT_A_TIME", 1000)
    noise = np.random.default_rng(3).standard_normal((600, N_CHANNELS)).astype(np.float32)

    def step(matches):
        own, _ = own_matches(matches, np.ones(matches.count, bool), n_spikes_min=20)
        balance_thresholds(recording, own, templates=templates, excerpts=[noise])
        spikes_among(own, templates, np.ones(own.count, bool), match_threshold=5.0, n_spikes_min=20, judges=True)

    assert growth(step, passes) < 40


def test_a_sorting_of_matches(growth, passes, recording, templates):
    waveform = np.zeros((N_UNITS, 5, N_CHANNELS), np.float32)
    waveform[np.arange(N_UNITS), 2, np.arange(N_UNITS)] = -90

    def step(matches):
        extent = {"first_sample": 0, "n_samples": recording.sizes["time"]}
        units = tidy_units(matches, templates, n_spikes_min=20, **extent)
        chosen = units.origin.template_of_unit
        places = np.zeros((len(chosen), 2))
        seen = Appearance(waveform[chosen], 2, chosen, places, np.full(len(chosen), 10.0))
        limits = {"contamination_max": 0.2, "good_snr_min": 5.0, "n_spikes_min": 20}
        quality = judge_units(recording, units.spikes, seen, **limits)
        parameters = DefaultParameters()
        tree = assemble(recording, units.spikes, seen, quality, preset="default", parameters=parameters, log=units.log)
        assert tree["spikes"].sizes["spike"] == matches.count
        assert tree["spikes"].nbytes == OF_SORTING * matches.count

    assert OF_SORTING < growth(step, passes) < 70
