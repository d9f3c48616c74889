"""Failures of delegated sorters, from their words."""

from __future__ import annotations

from pathlib import Path

import pytest

from xephys.pipeline import classified
from xephys.pipeline.sorter_logs import (
    classify_failure,
    classify_ks2_failure,
    classify_ks4_failure,
    classify_rt_sort_failure,
)

KS2_LOG = """Time   2s. Determining good channels..
found {crossings} threshold crossings in 60.00 seconds of data
found {bad} bad channels
Recording has 64 channels
Time 12s, 1 / 30 batches, {units} units, nspks: {spikes}.0000, mu: 10.0
"""


def failed(text: str, cause: BaseException | None = None) -> RuntimeError:
    error = RuntimeError(text)
    error.__cause__ = cause
    return error


def write_log(folder: Path, name: str, text: str, *, below: str = "") -> Path:
    path = folder / below / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_kilosort2_without_spikes(tmp_path: Path) -> None:
    log = write_log(tmp_path, "kilosort2.log", KS2_LOG.format(crossings=812, bad=3, units=2, spikes=4))
    found = classify_ks2_failure(tmp_path, failed("Error using gpuArray: invalid configuration argument"))
    assert isinstance(found, classified.InsufficientActivityError)
    assert found.attributes == {
        "sorter": "kilosort2", "threshold_crossings": 812, "units_at_failure": 2, "nspks_at_failure": 4,
        "log_path": str(log),
    }  # fmt: skip


def test_kilosort2_with_spikes_and_the_same_words_is_not_silent(tmp_path: Path) -> None:
    write_log(tmp_path, "kilosort2.log", KS2_LOG.format(crossings=90_000, bad=3, units=40, spikes=400))
    assert classify_ks2_failure(tmp_path, failed("invalid configuration argument")) is None


def test_kilosort2_without_good_channels_in_the_folder_of_the_sorter(tmp_path: Path) -> None:
    text = KS2_LOG.format(crossings=90_000, bad=64, units=40, spikes=400)
    write_log(tmp_path, "kilosort2.log", text, below="sorter_output")
    found = classify_ks2_failure(tmp_path, failed("Index exceeds the number of array elements"))
    assert isinstance(found, classified.NoGoodChannelsError)
    assert (found.total_channels, found.bad_channels) == (64, 64)


@pytest.mark.parametrize(
    ("text", "spikes"),
    [
        ("Found array with 0 sample(s) (shape=(0, 61)) while a minimum of 1 is required by TruncatedSVD.", 0),
        ("n_samples=3 should be >= n_clusters=6.", 3),
        ("The number of samples (4) is less than the number of clusters (6)", 4),
    ],
)
def test_kilosort4_without_spikes(tmp_path: Path, text: str, spikes: int) -> None:
    found = classify_ks4_failure(tmp_path, failed("Spike sorting failed", ValueError(text)))
    assert isinstance(found, classified.InsufficientActivityError)
    assert (found.sorter, found.nspks_at_failure) == ("kilosort4", spikes)


def test_rt_sort_without_sequences(tmp_path: Path) -> None:
    error = AttributeError("'NoneType' object has no attribute 'sort_offline'")
    assert isinstance(classify_rt_sort_failure(tmp_path, error), classified.InsufficientActivityError)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("No module named 'docker'", "client_missing"),
        ("permission denied while trying to connect to the docker socket", "permission_denied"),
        ("Cannot connect to the Docker daemon at unix:///var/run/docker.sock", "daemon_down"),
        ("manifest unknown: manifest unknown", "image_pull_failed"),
        ("pull access denied for spikeinterface/kilosort9", "image_pull_failed"),
    ],
)
def test_containers(tmp_path: Path, text: str, reason: str) -> None:
    found = classify_ks2_failure(tmp_path, failed(text))
    assert isinstance(found, classified.DockerEnvironmentError) and found.reason == reason


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("torch.cuda.OutOfMemoryError: tried to allocate 2 GiB", classified.GPUOutOfMemoryError),
        ("CUDA_ERROR_OUT_OF_MEMORY", classified.GPUOutOfMemoryError),
        ("Can't synchronously read data: can't open directory: HDF5 filter", classified.HDF5PluginMissingError),
        ("Error(s) in loading state_dict for Detector", classified.ModelLoadingError),
    ],
)
def test_causes_that_all_sorters_share(tmp_path: Path, text: str, kind: type[Exception]) -> None:
    for classify in (classify_ks2_failure, classify_ks4_failure, classify_rt_sort_failure):
        assert isinstance(classify(tmp_path, failed("failed", RuntimeError(text))), kind)
    assert isinstance(classify_failure("simple", tmp_path, RuntimeError(text)), kind)


def test_words_that_say_nothing_are_not_classified(tmp_path: Path) -> None:
    for classify in (classify_ks2_failure, classify_ks4_failure, classify_rt_sort_failure):
        assert classify(tmp_path, failed("can't open directory", ZeroDivisionError("x"))) is None
