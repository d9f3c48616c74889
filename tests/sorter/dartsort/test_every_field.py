"""Every field of the configuration changes what it is said to change, or is logged as having no effect, or refused."""

from __future__ import annotations

import logging
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import xephys
from xephys import ParameterError
from xephys.dartsort import DARTsortUserConfig, dartsort, read_config, write_config
from xephys.sorter.dartsort import sort as preset
from xephys.sorter.dartsort.parameters import IDLE, DARTsortParameters
from xephys.sorter.dartsort.prepare import check_settings, prepare_dartsort
from xephys.sorter.steps.passes import Run
from xephys.testing import simulate_recording

IDLE_VALUES = {
    "preprocessing_dtype": "float16",
    "subsampling_spikes": None,
    "subsampling_spikes_per_channel": None,
    "subsampling_presence": 0.5,
    "n_jobs_cpu": 2,
    "n_jobs_gpu": 2,
    "n_jobs_small": 1,
    "n_jobs_small_gpu": 1,
    "executor": "process",
    "chunk_length_samples": 20_000,
    "copy_recording_to_tmpdir": True,
    "workdir_copier": "rsync",
    "workdir_follow_symlinks": True,
    "alignment_ms": 1.0,
    "nn_denoiser_class_name": "SingleChannelWaveformDenoiser",
    "temporal_upsamples": 8,
    "spikeinterface_merge_preset": "similarity_correlograms",
    "fit_matching_models_only": True,
    "save_full_final_residual": True,
}
REFUSED = {"device": "cuda", "nn_denoiser_pretrained_path": "weights.pt", "dredge_only": True}
#: Fields that change which events are found, or their places and features.
EVENTS = {
    "preprocessing": "none",
    "ms_before": 1.0,
    "ms_after": 2.0,
    "peak_sign": "neg",
    "voltage_threshold": 8.0,
    "initial_threshold": 20.0,
    "temporal_pca_rank": 4,
    "feature_ms_before": 0.5,
    "feature_ms_after": 1.0,
    "subtraction_radius_um": 40.0,
    "deduplication_radius_um": 150.0,
    "featurization_radius_um": 30.0,
    "fit_radius_um": 30.0,
    "localization_radius_um": 45.0,
}
#: Fields that change how the shared steps match and finish; those have tests of their own.
STEPS = {
    "matching_iterations": 2,
    "deduplication_ms": 1.0,
    "matching_threshold": 8.0,
    "amplitude_scaling_stddev": 0.01,
    "amplitude_scaling_boundary": 0.1,
    "agg_kind": "none",
    "postprocessing": "agglomerate",
}
#: Fields that change the motion, with others that must be set for an effect.
MOTION: dict[str, tuple[Any, dict[str, Any]]] = {
    "motion_voltage_threshold": (9.0, {}),
    "min_amplitude": (12.0, {}),
    "probe_boundary_padding_um": (0.0, {}),
    "rigid": (True, {}),
    "spatial_bin_length_um": (8.0, {}),
    "temporal_bin_length_s": (2.0, {}),
    "smoothing_um": (20.0, {}),
    "smoothing_s": (4.0, {}),
    "window_step_um": (150.0, {}),
    "window_scale_um": (200.0, {}),
    "window_margin_um": (0.0, {}),
    "max_dt_s": (5.0, {}),
    "max_disp_um": (10.0, {}),
    "correlation_threshold": (0.9, {}),
    "speed_limit_um_per_s": (0.5, {}),
    "max_dist_from_median_um": (2.0, {}),
    "median_neighborhood_bins": (3, {"max_dist_from_median_um": 2.0}),
}
#: Fields that change the run or its folder.
RUNS = (
    "do_motion_estimation", "already_preprocessed", "work_in_tmpdir", "tmpdir_parent", "save_intermediates",
    "save_final_features",
)  # fmt: skip


def parameters(**fields: Any) -> DARTsortParameters:
    return DARTsortParameters(**fields)


def test_every_field_is_in_one_of_these_tables() -> None:
    named = [*IDLE_VALUES, *REFUSED, *EVENTS, *STEPS, *MOTION, *RUNS]
    assert sorted(named) == sorted(DARTsortUserConfig.model_fields)


@pytest.mark.parametrize("name", IDLE_VALUES)
def test_a_field_without_effect_is_logged_with_what_replaces_it(name: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        check_settings(parameters())
        assert not caplog.messages
        check_settings(parameters(**{name: IDLE_VALUES[name]}))
    description = DARTsortUserConfig.model_fields[name].description or ""
    assert description.startswith(IDLE) and len(description) > len(IDLE) + 20
    assert caplog.messages == [f"{name} has no effect: {description.removeprefix(IDLE)}"]


def test_every_field_comes_back_from_toml(tmp_path: Path) -> None:
    of_runs = {
        "do_motion_estimation": False,
        "already_preprocessed": "no",
        "work_in_tmpdir": True,
        "tmpdir_parent": "there",
        "save_intermediates": True,
        "save_final_features": False,
    }
    assert sorted(of_runs) == sorted(RUNS)
    others = {name: value for name, (value, _) in MOTION.items()}
    others = {**IDLE_VALUES, **REFUSED, **EVENTS, **STEPS, **others, **of_runs}
    # The others of these three are what the preset has not, but dartsort has.
    others |= {"preprocessing": "ibllike", "matching_threshold": 6.5, "amplitude_scaling_stddev": 0.2}
    usual, other = DARTsortUserConfig(), DARTsortUserConfig(**others)
    assert [name for name, value in other.model_dump().items() if value == getattr(usual, name)] == []
    write_config(other, tmp_path / "cfg.toml")
    assert read_config(tmp_path / "cfg.toml") == other


def test_fields_without_effect_are_read_nowhere() -> None:
    source = Path(xephys.__file__).parent
    files = [*(source / "dartsort").glob("*.py"), *(source / "sorter" / "dartsort").glob("*.py")]
    code = "".join(path.read_text(encoding="utf-8") for path in files)
    assert [name for name in IDLE_VALUES if f".{name}" in code] == []


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("device", "device is 'cuda'; preset 'dartsort' runs on the CPU"),
        ("nn_denoiser_pretrained_path", "no network detects spikes here: xephys.learn_denoiser"),
        ("dredge_only", "call xephys.dartsort.dartsort, which stops after the motion"),
    ],
)
def test_what_is_refused(small: Any, name: str, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        preset.check_dartsort(small, parameters(**{name: REFUSED[name]}))


@pytest.fixture(scope="module")
def small() -> Any:
    return simulate_recording(
        duration_s=2, n_channels=12, n_units=8, preset="hard", amplitude_range_uv=(60, 150), seed=4
    )[0]


@pytest.fixture(scope="module")
def events(small: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Events with places and features as bytes, by the fields that are changed."""
    folder = tmp_path_factory.mktemp("events")

    @cache
    def of(*changed: tuple[str, Any]) -> bytes:
        p = parameters(do_motion_estimation=False, **dict(changed))
        found = preset.detect_dartsort(small, p, Run(folder))
        records = found.events.load(found.events.fields)
        assert len(records) > 3
        return records.tobytes()

    return of


@pytest.mark.parametrize("name", EVENTS)
def test_a_field_changes_the_events(events: Any, name: str) -> None:
    assert events((name, EVENTS[name])) != events()


@pytest.mark.parametrize("name", STEPS)
def test_a_field_changes_the_steps_after_detection(name: str) -> None:
    usual, other = parameters(), parameters(**{name: STEPS[name]})
    assert (other.of_matching, other.finish, other.n_passes) != (usual.of_matching, usual.finish, usual.n_passes)


class Stored:
    """Events in the form in which a run keeps them."""

    def __init__(self, records: np.ndarray) -> None:
        self.records = records
        self.token = str(hash(records.tobytes()))

    def load(self, fields: tuple[str, ...]) -> np.ndarray:
        return self.records[list(fields)]


@pytest.fixture(scope="module")
def moving(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A function that estimates the motion of events in drifting tissue, with one jump there and back."""
    rng, rate, n = np.random.default_rng(0), 30_000.0, 6000
    y = 20.0 * np.arange(48)
    traces = np.broadcast_to(np.int16(0), (int(40 * rate), 48))
    white = xephys.make_recording(traces, sampling_frequency=rate, coordinates={"x": np.zeros(48), "y": y})
    levels = xr.DataArray(np.ones(48), dims="channel")
    fields = [("sample_index", "i8"), ("channel_index", "i8"), ("amplitude", "f4"), ("y", "f8")]
    records = np.zeros(n, fields)
    seconds = np.sort(rng.uniform(0, 40, n))
    cell = rng.integers(0, 40, n)
    moved = 12 * np.sin(seconds / 8) * (1 + rng.uniform(-60, 1000, 40)[cell] / 1000) + 25 * (abs(seconds - 20) < 1)
    records["sample_index"] = seconds * rate
    records["y"] = np.linspace(-60, 1000, 40)[cell] + moved + rng.normal(0, 3, n)
    records["channel_index"] = np.clip(np.rint(records["y"] / 20), 0, 47)
    records["amplitude"] = -rng.uniform(5, 20, 40)[cell]
    return white, levels, records


@pytest.mark.parametrize("name", MOTION)
def test_a_field_changes_the_motion(moving: Any, name: str) -> None:
    value, base = MOTION[name]
    usual, other = motion_of(moving, **base), motion_of(moving, **base, **{name: value})
    assert not usual.equals(other)


def motion_of(moving: Any, **fields: Any) -> Any:
    white, levels, records = moving
    prepared: Any = type("Prepared", (), {"whitened": white, "white_noise_levels": levels})
    motion = preset.find_motion(prepared, Stored(records), parameters(**fields), Run())  # type: ignore[arg-type]
    assert motion is not None
    return motion["displacement_um"]


def test_motion_is_estimated_or_not(small: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = xephys.make_motion([[0.0], [25.0]], time_s=[0.5, 1.5], depth_um=[0.0])
    monkeypatch.setattr(preset, "find_motion", lambda *_: found)
    moved = preset.detect_dartsort(small, parameters(), Run(tmp_path))
    still = preset.detect_dartsort(small, parameters(do_motion_estimation=False), Run(tmp_path))
    assert moved.motion is found and still.motion is None
    # Events are interpolated between contacts where the tissue moves, which averages noise.
    assert 0.5 < moved.features.noise_at_rest / still.features.noise_at_rest < 0.95
    assert moved.features.noise == still.features.noise == still.features.noise_at_rest


def test_floating_point_traces_are_filtered_unless_they_were(small: Any, tmp_path: Path) -> None:
    floats = xephys.astype(small, dtype="float32")
    for already, filtered in (("no", True), ("assume_yes_if_float", True), ("yes", False)):
        prepared = prepare_dartsort(floats, parameters(already_preprocessed=already), Run(tmp_path))
        assert ("highpass_filter" in str(prepared.filtered.attrs)) == filtered


def test_what_a_run_leaves(small: Any, tmp_path: Path) -> None:
    pytest.importorskip("h5py")

    def left(name: str, **fields: Any) -> set[str]:
        dartsort(small, tmp_path / name, {"dredge_only": True, "do_motion_estimation": False, **fields})
        return {path.name for path in (tmp_path / name).iterdir()} - {"dartsort_config.toml", "recording.txt"}

    usual = {"dartsort_sorting.npz", "motion.npz"}
    lean = {"save_final_features": False}
    assert left("usual", **lean) == usual
    assert left("everything", save_intermediates=True) == {*usual, "passes", "matching1.h5"}
    (tmp_path / "scratch").mkdir()
    scratch = {"work_in_tmpdir": True, "tmpdir_parent": str(tmp_path / "scratch")}
    assert left("scratch_run", **lean, save_intermediates=True, **scratch) == usual
    with pytest.raises(ParameterError, match=r"tmpdir_parent .*none is not a folder; make it"):
        left("refused", **lean, work_in_tmpdir=True, tmpdir_parent=str(tmp_path / "none"))
