"""A misspelled keyword is answered by us with the nearest name, also where a function passes it on to another.

Every public function and method that takes further keywords (``**parameters``) is in the table.
"""

from __future__ import annotations

import inspect
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np
import pytest
import xarray as xr

import xephys
from xephys import comparison, curate, dartsort, pipeline, plot, realtime, testing
from xephys.comparison import GroundTruthStudy
from xephys.errors import ParameterError

from .operations import fitted, recording, sorted_truth


def filtered() -> xr.DataArray:
    return xephys.bandpass_filter(recording())


def place(name: str = "new") -> Path:
    return Path(mkdtemp()) / name


@cache
def raw() -> Path:
    """A raw binary file of eight channels."""
    path = place("raw.bin")
    np.zeros((3000, 8), "i2").tofile(path)
    return path


@cache
def study() -> GroundTruthStudy:
    return GroundTruthStudy.create(place("study"), {"one": (recording(), sorted_truth())})


def own_sorter(recording: xr.DataArray, *, detect_threshold: float = 5.0) -> xr.DataTree:
    return sorted_truth()


def known_to_subtraction() -> dict[str, Any]:
    return {"denoiser": fitted()["denoiser"], "noise_levels": fitted()["noise"]}


#: Calls with a misspelled keyword: by what they call, and the name that was meant.
CALLS: dict[tuple[str, str], Any] = {
    ("bandpass_filter", "freq_min_hz"): lambda: xephys.bandpass_filter(recording(), freq_mn_hz=300),
    ("highpass_filter", "freq_min_hz"): lambda: xephys.highpass_filter(recording(), freq_mn_hz=300),
    ("filter", "freq_hz"): lambda: xephys.filter(recording(), freqs_hz=300),
    ("detect_peaks", "detect_threshold"): lambda: xephys.detect_peaks(
        filtered(), noise_levels=fitted()["noise"], detect_treshold=5
    ),
    ("detect_peaks", "matched_filter"): lambda: xephys.detect_peaks(
        filtered(), method="matched_filtering", matched_filtre=fitted()["matched filter"]
    ),
    ("localize_peaks", "radius_um"): lambda: xephys.localize_peaks(filtered(), fitted()["peaks"], radius=30.0),
    ("localize_peaks", "distance_max_um"): lambda: xephys.localize_peaks(
        filtered(), fitted()["peaks"], method="monopolar_triangulation", max_distance=30.0
    ),
    ("estimate_motion", "bin_um"): lambda: xephys.estimate_motion(filtered(), fitted()["peaks"], bin_umm=3),
    ("estimate_whitening", "n_nearest"): lambda: xephys.estimate_whitening(filtered(), n_nearst=3),
    ("match_residual", "match_threshold"): lambda: xephys.match_residual(
        filtered(), templates=fitted()["templates"], match_treshold=4
    ),
    ("detect_by_subtraction", "energy_threshold"): lambda: xephys.detect_by_subtraction(
        filtered(), **known_to_subtraction(), energy_treshold=60.0
    ),
    ("subtraction_residual", "energy_threshold"): lambda: xephys.subtraction_residual(
        filtered(), **known_to_subtraction(), energy_treshold=60.0
    ),
    ("extract_waveforms", "radius_um"): lambda: xephys.extract_waveforms(sorted_truth(), filtered(), radius_u=30),
    ("compute_quality_metrics", "n_spikes_max"): lambda: xephys.compute_quality_metrics(
        sorted_truth(), filtered(), ["snr"], n_spike_max=3
    ),
    ("compute_template_metrics", "n_spikes_max"): lambda: xephys.compute_template_metrics(
        sorted_truth(), filtered(), n_spike_max=3
    ),
    ("analyze", "ms_before"): lambda: xephys.analyze(sorted_truth(), filtered(), msbefore=1),
    ("analyze", "parameters of an extension"): lambda: xephys.analyze(
        sorted_truth(), filtered(), ["waveforms"], parameters={"sparsity": {"radius": 30}}
    ),
    ("open_recording", "stream_id"): lambda: xephys.open_recording(raw(), strem_id="0"),
    ("open_recording", "offset_bytes"): lambda: xephys.open_recording(
        raw(), n_channels=8, sampling_frequency=30_000.0, ofset_bytes=3
    ),
    ("sort", "detect_threshold"): lambda: xephys.sort(recording(), detect_treshold=3),
    ("run_sorter", "detect_threshold"): lambda: xephys.run_sorter("xephys_default", recording(), detect_treshold=3),
    ("run_sorter", "detection"): lambda: xephys.run_sorter("spykingcircus2", recording(), detectoin={}),
    ("compare_collisions", "collision_lag_ms"): lambda: comparison.compare_collisions(
        sorted_truth(), sorted_truth(), colision_lag_ms=2
    ),
    ("compare_hybrid", "delta_ms"): lambda: comparison.compare_hybrid(sorted_truth(), sorted_truth(), delta_m=2),
    ("GroundTruthStudy.run_comparisons", "delta_ms"): lambda: study().run_comparisons(delta_m=2),
    ("GroundTruthStudy.aggregate_dataframes", "redundant_score"): lambda: study().aggregate_dataframes(
        redundnt_score=1
    ),
    ("GroundTruthStudy.plan_sorters", "keep_work"): lambda: study().plan_sorters(["default"], keepwork=True),
    ("find_merges", "n_spikes_max"): lambda: curate.find_merges(sorted_truth(), filtered(), n_spike_max=3),
    ("find_merges", "parameters of a step"): lambda: curate.find_merges(
        sorted_truth(), filtered(), parameters={"unit_locations": {"max_distance": 3}}
    ),
    ("find_merges", "extensions of a step"): lambda: curate.find_merges(
        sorted_truth(), filtered(), extensions={"templates": {"operator": 3}}
    ),
    ("merge_automatically", "parameters"): lambda: curate.merge_automatically(sorted_truth(), filtered(), parameter={}),
    ("Curation.by_rules", "passed"): lambda: curate.Curation(sorted_truth()).by_rules("snr > 3", pased="good"),
    ("Curation.like_bombcell", "thresholds"): lambda: curate.Curation(sorted_truth()).like_bombcell(treshold="x"),
    ("detect_sequences", "stringent_thresh"): lambda: realtime.detect_sequences(recording(), stringent_tresh=0.2),
    ("simulate_recording", "n_units"): lambda: testing.simulate_recording(n_unit=3),
    ("simulate_session_recordings", "n_units"): lambda: testing.simulate_session_recordings(n_unit=3),
    ("sort_recording", "freq_min"): lambda: pipeline.sort_recording([raw()], freq_minn=300),
    ("sort_multistream", "freq_min"): lambda: pipeline.sort_multistream(raw(), ["a"], freq_minn=300),
    ("SortingPipelineConfig.from_kwargs", "freq_min"): lambda: pipeline.SortingPipelineConfig.from_kwargs(freq_minn=3),
    ("SortingPipelineConfig.override", "freq_min"): lambda: pipeline.SortingPipelineConfig().override(freq_minn=3),
    ("DARTsortUserConfig", "voltage_threshold"): lambda: dartsort.DARTsortUserConfig(voltage_treshold=3),
    ("save_recording", "compressor"): lambda: xephys.save_recording(recording(), place("a.zarr"), compresor="zstd"),
}


#: Keywords of these are names that the caller gives.
FREE = ("DARTsortSorting.ephemeral_replace",)


@pytest.mark.parametrize("key", CALLS, ids=" ".join)
def test_a_misspelled_keyword_is_answered_with_the_nearest_name(key):
    with pytest.raises(ParameterError) as caught:
        CALLS[key]()
    text = str(caught.value)
    assert "\n" not in text
    assert "did you mean" in text, text
    assert "parameters of" in key[1] or "extensions of" in key[1] or repr(key[1]) in text, text


def test_a_keyword_that_a_comparison_gives_itself_is_refused():
    with pytest.raises(ParameterError, match="compare_hybrid has no parameter 'exhaustive_gt'"):
        comparison.compare_hybrid(sorted_truth(), sorted_truth(), exhaustive_gt=True)


def test_parameters_of_the_metrics_count_beside_their_names():
    with pytest.raises(ParameterError, match="did you mean 'names'"):
        xephys.compute_quality_metrics(
            sorted_truth(), filtered(), ["snr"], parameters={"quality_metrics": {"nams": ["snr"]}}
        )
    assert list(xephys.compute_quality_metrics(sorted_truth(), filtered(), ["snr"], parameters=None)) == ["snr"]


def test_every_function_with_further_keywords_is_called():
    called = {*FREE, *(name for name, _ in CALLS)}
    missing = []
    for namespace in (xephys, comparison, curate, dartsort, pipeline, plot, realtime, testing):
        for name, found in vars(namespace).items() if namespace is testing else _public(namespace):
            if name.startswith("_") or not callable(found) or not getattr(found, "__module__", "").startswith("xephys"):
                continue
            members = [(name, found)]
            if inspect.isclass(found):
                methods = inspect.getmembers(found, lambda one: inspect.isfunction(one) or inspect.ismethod(one))
                own = [(key, one) for key, one in methods if not key.startswith("_")]
                members = [(f"{name}.{key}", one) for key, one in own if one.__module__.startswith("xephys")]
            for full, one in members:
                kinds = [parameter.kind for parameter in inspect.signature(one).parameters.values()]
                if inspect.Parameter.VAR_KEYWORD in kinds and full not in called:
                    missing.append(full)
    assert not missing


def _public(namespace: Any) -> list[tuple[str, Any]]:
    return [(name, getattr(namespace, name)) for name in dir(namespace)]
