"""Every public method of SpikeInterface's recordings and sortings gives the same result after a round trip."""

from __future__ import annotations

import itertools
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import spikeinterface.core as si
from probeinterface import generate_linear_probe

from xephys.io.bridge.spikeinterface import from_spikeinterface, to_spikeinterface

from .generated import PROPERTIES, generated, generated_sorting

#: Methods whose results cannot be equal, each with the reason.
OTHERS = {
    "add_segment": "takes a segment object of the class",
    "add_recording_segment": "takes a segment object of the class",
    "add_sorting_segment": "takes a segment object of the class",
    "binary_compatible_with": "samples of a lazy chain lie in no file",
    "get_binary_description": "samples of a lazy chain lie in no file",
    "is_binary_compatible": "samples of a lazy chain lie in no file",
    "get_parent": "the steps before are in the plan, and are no objects of SpikeInterface",
    "from_dict": "names its class; dumps are loaded in dump_to_json",
    "to_dict": "names its class; dumps are loaded in dump_to_json",
    "dump": "a choice between dump_to_json and dump_to_pickle",
    "dump_to_pickle": "SpikeInterface has it for what is not in memory, and these are",
    "check_serializability": "one of SpikeInterface's in memory is written as text by neither, a chain over files is",
    "get_preferred_mp_context": "a property of the class",
    "load": "a static method that loads files: loaded in save_to_folder",
    "search_cached_spikes_sorted": "a setting of the class: whether spikes are kept by unit",
    "get_spike_vector_to_indices": "positions in a cache, compared through get_unit_spike_train",
    "precompute_spike_trains": "fills a cache, compared through get_unit_spike_train",
    "clone": "SpikeInterface's own in memory lose the names of their channels in it",
    "select_channels_with_probe": "clones, and with that loses the names; set_probe is compared",
    "select_channels_with_probegroup": "clones, and with that loses the names; set_probegroup is compared",
    "to_shared_memory_sorting": "compared in test_generated_sortings",
    "get_data": "an older name of get_traces, which asks for the same",
}


REFUSED = "refused by SpikeInterface"


def described(value: Any) -> Any:
    """The result of a method as numbers and texts that can be compared."""
    if isinstance(value, si.BaseRecording):
        return [
            value.channel_ids.tolist(), str(value.get_dtype()), value.get_num_segments(),
            [value.get_traces(segment_index=k).tolist() for k in range(value.get_num_segments())],
            [np.round(value.get_times(k), 9).tolist() for k in range(value.get_num_segments())],
            properties(value), value.has_probe() and value.get_channel_locations().tolist(),
        ]  # fmt: skip
    if isinstance(value, si.BaseSorting):
        return [
            value.unit_ids.tolist(), value.get_num_segments(),
            {name: value.to_spike_vector()[name].tolist() for name in ("sample_index", "unit_index", "segment_index")},
            properties(value),
        ]  # fmt: skip
    if isinstance(value, dict):
        return {str(key): described(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [described(one) for one in value]
    if isinstance(value, np.ndarray):
        return value.tolist() if value.dtype.names is None else [described(value[name]) for name in value.dtype.names]
    if isinstance(value, np.generic):
        return value.item()
    if hasattr(value, "to_dict"):  # a probe or a probe group
        return described(value.to_dict(array_as_list=True))
    return value


def properties(value: Any) -> dict[str, Any]:
    return {key: str(value.get_property(key).tolist()) for key in sorted(value.get_property_keys())}


def after(method: str, *args: Any, **kwargs: Any) -> Callable[[Any], Any]:
    """The object after a method that changes it."""

    def call(one: Any) -> Any:
        getattr(one, method)(*args, **kwargs)
        return one

    return call


def first_ids(one: Any) -> Any:
    return (one.channel_ids if isinstance(one, si.BaseRecording) else one.unit_ids)[:1]


def each(method: str, **kwargs: Any) -> Callable[[Any], Any]:
    return lambda one: [getattr(one, method)(segment_index=k, **kwargs) for k in range(one.get_num_segments())]


def given(method: str, make: Callable[[Any], Any], **kwargs: Any) -> Callable[[Any], Any]:
    """A method whose argument depends on the object."""
    return lambda one: getattr(one, method)(make(one), **kwargs)


def plainly(name: str) -> Callable[[Any], Any]:
    """A property, or a method without arguments."""
    return lambda one: value() if callable(value := getattr(one, name)) else value


def saved(method: str, **kwargs: Any) -> Callable[[Any], Any]:
    def save(one: Any) -> Any:
        with tempfile.TemporaryDirectory() as folder:
            where = (
                {} if method == "save_to_memory" or kwargs.get("format") == "memory" else {"folder": Path(folder) / "a"}
            )
            made = getattr(one, method)(**where, **kwargs)
            return described(made)

    return save


def dumped(one: Any) -> Any:
    """SpikeInterface's own recordings in memory cannot be written as text; a sorting of ours can."""
    if not one.check_serializability("json"):
        return described(one)
    with tempfile.TemporaryDirectory() as folder:
        one.dump_to_json(Path(folder) / "a.json")
        return described(si.load(Path(folder) / "a.json"))


def probe_for(one: Any) -> Any:
    probe = generate_linear_probe(one.get_num_channels(), ypitch=11.0)
    probe.set_device_channel_indices(np.arange(one.get_num_channels())[::-1])
    return probe


def copied(one: Any) -> Any:
    recording = isinstance(one, si.BaseRecording)
    other = one.select_segments([0]) if recording else one.select_units(one.unit_ids)
    one.copy_metadata(other)
    return other


def group_for(one: Any) -> Any:
    from probeinterface import ProbeGroup

    group = ProbeGroup()
    group.add_probe(probe_for(one))
    return group


def with_probe(method: str, make: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def call(one: Any) -> Any:
        return getattr(one, method)(make(one)) or one

    return call


COMMON: dict[str, Callable[[Any], Any]] = {
    "annotate": after("annotate", more="a"),
    "set_annotation": after("set_annotation", "more", 3),
    "delete_annotation": lambda one: after("delete_annotation", "session")(one).get_annotation_keys(),
    "get_annotation": lambda one: one.get_annotation("session"),
    "get_annotation_keys": lambda one: sorted(one.get_annotation_keys()),
    "copy_metadata": lambda one: copied(one),
    "default_missing_property_values": plainly("default_missing_property_values"),
    "delete_property": lambda one: [
        properties(after("delete_property", key)(one)) for key in sorted(one.get_property_keys())[:2]
    ],
    "set_property": lambda one: after("set_property", "more", np.arange(len(ids_of(one))))(one),
    "get_property": properties,
    "get_property_keys": lambda one: sorted(one.get_property_keys()),
    "id_to_index": lambda one: [one.id_to_index(name) for name in ids_of(one)],
    "ids_to_indices": given("ids_to_indices", lambda one: ids_of(one)[::-1]),
    "get_num_samples": lambda one: each("get_num_samples")(one) if knows_length(one) else None,
    "get_start_time": each("get_start_time"),
    "get_end_time": lambda one: each("get_end_time")(one) if knows_length(one) else None,
    "get_total_samples": lambda one: one.get_total_samples() if knows_length(one) else None,
    "get_total_duration": lambda one: one.get_total_duration() if knows_length(one) else None,
    "get_times": lambda one: each("get_times")(one) if knows_length(one) else None,
    "has_time_vector": each("has_time_vector"),
    "sample_index_to_time": lambda one: [one.sample_index_to_time(n, segment_index=0) for n in (0, 7)],
    "time_to_sample_index": lambda one: one.time_to_sample_index(one.sample_index_to_time(9, segment_index=0), 0),
    "shift_times": after("shift_times", 2.5),
    "split_by": lambda one: [one.split_by(key) for key in sorted(one.get_property_keys()) if key == "group"],
    "frame_slice": lambda one: one.frame_slice(5, 40) if one.get_num_segments() == 1 else None,
    "time_slice": lambda one: (
        one.time_slice(one.get_start_time(0) + 0.01, one.get_start_time(0) + 0.03)
        if one.get_num_segments() == 1
        else None
    ),
    "dump_to_json": dumped,
    "save": saved("save", format="memory"),
    "save_to_memory": saved("save_to_memory"),
    "save_to_folder": saved("save_to_folder"),
    "save_to_zarr": saved("save_to_zarr"),
    "name": plainly("name"),
}
RECORDINGS = COMMON | {
    "astype": lambda one: one.astype("float64"),
    "clear_channel_groups": after("clear_channel_groups"),
    "clear_channel_locations": lambda one: (
        after("clear_channel_locations")(one).has_probe() if one.has_probe() else None
    ),
    "create_dummy_probe_from_locations": lambda one: one.create_dummy_probe_from_locations(locations(one)),
    "set_dummy_probe_from_locations": lambda one: after("set_dummy_probe_from_locations", locations(one))(one),
    "set_channel_locations": lambda one: (
        None if one.has_probe() else after("set_channel_locations", locations(one))(one)
    ),
    "get_channel_groups": plainly("get_channel_groups"),
    "get_channel_locations": lambda one: one.get_channel_locations() if one.has_probe() else None,
    "get_channel_property": lambda one: [
        str(one.get_channel_property(first_ids(one)[0], key)) for key in sorted(one.get_property_keys())
    ],
    "get_duration": each("get_duration"),
    "get_memory_size": each("get_memory_size"),
    "get_num_frames": each("get_num_frames"),
    "get_probe": lambda one: one.get_probe() if one.has_probe() and len(one.get_probes()) == 1 else None,
    "get_probegroup": lambda one: one.get_probegroup() if one.has_probe() else None,
    "get_probes": lambda one: one.get_probes() if one.has_probe() else None,
    "get_shape": each("get_shape"),
    "get_time_info": each("get_time_info"),
    "get_traces": lambda one: [
        one.get_traces(segment_index=k, start_frame=a, end_frame=b, channel_ids=ids, return_in_uV=scaled)
        for k in range(one.get_num_segments())
        for a, b, ids in ((None, None, None), (3, 20, None), (0, 11, one.channel_ids[::-1]))
        for scaled in ((False, True) if one.has_scaleable_traces() else (False,))
    ],
    "planarize": lambda one: None,  # for probes with three coordinates, compared in has_3d_probe
    "remove_channels": lambda one: one.remove_channels(first_ids(one)) if one.get_num_channels() > 1 else None,
    "remove_probe": lambda one: after("remove_probe")(one) if one.has_probe() else None,
    "rename_channels": lambda one: one.rename_channels([f"new {name}" for name in one.channel_ids]),
    "reset_times": after("reset_times"),
    "select_channels": given("select_channels", lambda one: one.channel_ids[::-2]),
    "select_segments": lambda one: one.select_segments([one.get_num_segments() - 1]),
    "set_channel_gains": after("set_channel_gains", 0.5),
    "set_channel_offsets": after("set_channel_offsets", 2.0),
    "set_channel_groups": lambda one: after("set_channel_groups", np.arange(one.get_num_channels()))(one),
    "set_probe": with_probe("set_probe", probe_for),
    "set_probegroup": with_probe("set_probegroup", group_for),
    "set_times": lambda one: after("set_times", 3.0 + np.arange(one.get_num_samples(0)) / 999.0, segment_index=0)(one),
}
SORTINGS = (
    COMMON
    | {
        "get_unit_property": lambda one: [
            str(one.get_unit_property(first_ids(one)[0], key)) for key in sorted(one.get_property_keys())
        ],
        "get_unit_spike_train": lambda one: [
            one.get_unit_spike_train(unit, segment_index=k, start_frame=a, end_frame=b, return_times=times)
            for unit, k in itertools.product(one.unit_ids, range(one.get_num_segments()))
            for a, b, times in ((None, None, False), (50, 700, False), (None, None, True))
        ],
        "get_unit_spike_train_in_seconds": lambda one: [
            one.get_unit_spike_train_in_seconds(unit, segment_index=k)
            for unit, k in itertools.product(one.unit_ids, range(one.get_num_segments()))
        ],
        "register_recording": lambda one: None,  # keeps the recording given: compared in test_generated_sortings
        "remove_units": given("remove_units", first_ids),
        "rename_units": lambda one: one.rename_units([f"new {name}" for name in one.unit_ids]),
        "select_units": given("select_units", lambda one: one.unit_ids[::-2]),
        "select_periods": lambda one: one.select_periods(periods()),
        "set_sorting_info": after("set_sorting_info", {"a": 1}, {"b": 2}, {"c": 3}),
        "to_multiprocessing": lambda one: described(one.to_multiprocessing(1))[
            :3
        ],  # the rest belongs to their class alone
        "to_reordered_spike_vector": lambda one: one.to_reordered_spike_vector(["unit_index", "sample_index"]),
    }
)


def periods() -> Any:
    from spikeinterface.core.base import unit_period_dtype

    made = np.zeros(1, unit_period_dtype)
    made["end_sample_index"] = 600
    return made


def ids_of(one: Any) -> Any:
    return one.channel_ids if isinstance(one, si.BaseRecording) else one.unit_ids


def knows_length(one: Any) -> bool:
    return isinstance(one, si.BaseRecording) or one.has_recording()


def locations(one: Any) -> Any:
    return np.stack([np.zeros(one.get_num_channels()), 9.0 * np.arange(one.get_num_channels())], axis=1)


def outcome(method: Callable[[Any], Any], one: Any) -> Any:
    """The result of a method, or the fact that SpikeInterface refuses the call."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return described(method(one))
        except (ValueError, AssertionError, NotImplementedError, KeyError, TypeError, OSError):
            return REFUSED


def methods_of(cls: type, known: dict[str, Any]) -> dict[str, Any]:
    names = [name for name in dir(cls) if not name.startswith("_") and name not in OTHERS]
    return {name: known.get(name, plainly(name)) for name in names}


RECORDING_METHODS = methods_of(si.BaseRecording, RECORDINGS)
SORTING_METHODS = methods_of(si.BaseSorting, SORTINGS)
#: Attributes that hold the segments themselves.
for _methods in (RECORDING_METHODS, SORTING_METHODS):
    _methods.pop("segments")


@pytest.mark.parametrize("seed", range(300, 306))
@pytest.mark.parametrize("name", RECORDING_METHODS)
def test_recordings(name: str, seed: int) -> None:
    theirs = generated(seed, without=("x", "label", "odd name", "objects"))
    theirs.name = f"night {seed}"
    back = to_spikeinterface(from_spikeinterface(theirs, chunk_duration_s=0.1))
    expected = outcome(RECORDING_METHODS[name], theirs)
    assert expected == REFUSED or outcome(RECORDING_METHODS[name], back) == expected


@pytest.mark.parametrize("seed", range(300, 306))
@pytest.mark.parametrize("name", SORTING_METHODS)
def test_sortings(name: str, seed: int) -> None:
    theirs = generated_sorting(seed)
    theirs.name = f"night {seed}"
    back = to_spikeinterface(from_spikeinterface(theirs))
    expected = outcome(SORTING_METHODS[name], theirs)
    assert expected == REFUSED or outcome(SORTING_METHODS[name], back) == expected


def test_reasons_are_of_methods_that_exist() -> None:
    known = set(dir(si.BaseRecording)) | set(dir(si.BaseSorting))
    assert set(OTHERS) | set(RECORDINGS) | set(SORTINGS) <= known
    assert "brain_area" in PROPERTIES
