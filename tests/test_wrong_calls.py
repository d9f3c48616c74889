"""Wrong calls are answered in one sentence: what was given, what is accepted, what to do."""

from __future__ import annotations

import inspect
import pickle
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import xephys
from tests.support.command_line import refused
from xephys import plot
from xephys.errors import OutputError, RecordingError
from xephys.testing import simulate_recording
from xephys.wrong_calls import CallError

RATE = 30_000.0


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    recording, truth = simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0)
    filtered = xephys.bandpass_filter(recording)
    levels = xephys.estimate_noise_levels(filtered)
    folder = tmp_path_factory.mktemp("wrong")
    (folder / "raw.bin").write_bytes(np.zeros((3000, 4), "i2").tobytes())
    (folder / "what.xyz").write_bytes(b"no format that anyone knows")
    xephys.save_recording(recording, folder / "recording.zarr")
    return SimpleNamespace(
        r=recording, f=filtered, levels=levels, truth=truth, folder=folder,
        si=xephys.to_spikeinterface(recording), array=recording.values,
    )  # fmt: skip


#: Wrong Python calls by their topic: the call, and what the sentence must contain.
CALLS = {
    # Names of SpikeInterface and Kilosort.
    "freq_min": (lambda g: xephys.bandpass_filter(g.r, freq_min=300), "no parameter 'freq_min'.*'freq_min_hz'"),
    "freq_max": (lambda g: xephys.bandpass_filter(g.r, freq_max=6000), "'freq_max_hz'"),
    "freq": (lambda g: xephys.notch_filter(g.r, freq=50), "'freq_hz'"),
    "q": (lambda g: xephys.notch_filter(g.r, q=30), "'quality'"),
    "filter_order": (lambda g: xephys.highpass_filter(g.r, filter_order=3), "'order'"),
    "local_radius": (
        lambda g: xephys.common_reference(g.r, local_radius=(30, 55)),
        "'inner_radius_um'.*outer_radius_um",
    ),
    "W": (lambda g: xephys.whiten(g.r, W=np.eye(8)), "'whitening'.*estimate_whitening"),
    "regularize": (lambda g: xephys.estimate_whitening(g.r, regularize=True), "'regularization'"),
    "start_time": (lambda g: g.r.ephys.time_slice(start_time=1), "'start_s'"),
    "end_frame": (lambda g: g.r.ephys.time_slice(end_frame=100), "'stop_s'.*isel"),
    "bad_channel_ids": (lambda g: xephys.interpolate_bad_channels(g.r, bad_channel_ids=[3]), "'bad'.*isin"),
    "std_mad_threshold": (lambda g: xephys.detect_bad_channels(g.r, std_mad_threshold=5), "'std_factor'"),
    "num_random_chunks": (lambda g: xephys.sample_traces(g.r, num_random_chunks=5), "'n_slices'"),
    "exclude_radius": (lambda g: xephys.detect_peaks(g.f, noise_levels=g.levels, local_radius_um=50), "'radius_um'"),
    "ms_before of a sort": (lambda g: xephys.sort(g.r, nbefore=20), "'ms_before'.*milliseconds"),
    "radius_um of a sort": (lambda g: xephys.sort(g.r, radius_um=50), "'exclude_radius_um'"),
    "sorter_name": (lambda g: xephys.sort(g.r, sorter_name="kilosort4"), "'preset'"),
    "output_folder": (lambda g: xephys.sort(g.r, output_folder="x"), "'folder'"),
    "n_jobs": (lambda g: xephys.sort(g.r, n_jobs=8), "Dask schedules: dask.config.set"),
    "verbose": (lambda g: xephys.sort(g.r, verbose=True), "'progress'"),
    "docker_image": (lambda g: xephys.sort(g.r, docker_image=True), "run a sorter in a container"),
    "delta_time": (lambda g: xephys.compare(g.truth, g.truth, delta_time=0.4), "'delta_ms'"),
    "gt_sorting": (lambda g: xephys.compare(g.truth, gt_sorting=g.truth), "'truth'"),
    "Th_learned": (lambda g: xephys.sort(g.r, Th_learned=8), "preset 'kilosort4' has it.*'match_threshold'"),
    "nblocks": (lambda g: xephys.sort(g.r, nblocks=0), "'drift'.*'off'"),
    "do_CAR": (lambda g: xephys.sort(g.r, do_CAR=False), "'reference'.*'none'"),
    "settings": (lambda g: xephys.sort(g.r, preset="kilosort4", settings={}), "give each parameter by its name"),
    "preset kilosort": (lambda g: xephys.sort(g.r, preset="kilosort"), "did you mean 'kilosort4'"),
    "peak_sign": (
        lambda g: xephys.detect_peaks(g.f, noise_levels=g.levels, peak_sign="negative"),
        "did you mean 'neg'",
    ),
    "operator mean": (lambda g: xephys.common_reference(g.r, operator="mean"), "did you mean 'average'"),
    "fs of a raw file": (lambda g: xephys.open_recording(g.folder / "raw.bin", n_chan_bin=4), "'n_channels'"),
    "file_path": (lambda g: xephys.open_recording(file_path=g.folder / "raw.bin"), "'path'"),
    # Kinds of values.
    "a text for a number": (
        lambda g: xephys.bandpass_filter(g.r, freq_min_hz="300"),
        "'300', a text; give a number in hertz",
    ),
    "a text with its unit": (lambda g: xephys.bandpass_filter(g.r, freq_max_hz="6 kHz"), "such as freq_max_hz=6000"),
    "two numbers for one": (lambda g: xephys.highpass_filter(g.r, freq_min_hz=[300, 6000]), "give one number in hertz"),
    "half an order": (lambda g: xephys.bandpass_filter(g.r, order=2.5), "give a whole number"),
    "a number for a name": (lambda g: xephys.common_reference(g.r, reference=1), "give a name, as text"),
    "a text for a flag": (lambda g: xephys.open_recording(g.folder / "raw.bin", trust="yes"), "give True or False"),
    "no number": (lambda g: xephys.make_recording(g.array, sampling_frequency=None), "None; give a value"),
    "a text for a parameter": (
        lambda g: xephys.sort(g.r, detect_threshold="high"),
        "detect_threshold is 'high'.*xephys.parameters",
    ),
    "an array for a recording": (lambda g: xephys.bandpass_filter(g.array), r"wrap it first: make_recording\(array, "),
    "a transposed array": (
        lambda g: xephys.bandpass_filter(g.array.T),
        r"looks transposed.*make_recording\(array\.T, ",
    ),
    "transposed dims": (lambda g: xephys.bandpass_filter(g.r.T), r"dims are \('channel', 'time'\).*transpose"),
    "transposed samples": (
        lambda g: xephys.make_recording(g.array.T, sampling_frequency=RATE),
        r"give \(time, channel\).*\.T",
    ),
    "a path for a recording": (lambda g: xephys.sort("data/raw.bin"), "open_recording"),
    "SpikeInterface's recording": (lambda g: xephys.sort(g.si), "from_spikeinterface"),
    "a sorting for a recording": (lambda g: xephys.plot.plot_traces(_sorting(g)), "give the recording that was sorted"),
    "a recording for a sorting": (lambda g: xephys.plot.plot_templates(g.r), "from sort, open_sorting"),
    "a path for a sorting": (lambda g: xephys.export_phy("sorting.zarr", g.folder / "phy"), "open_sorting"),
    "an array for a whitening": (
        lambda g: xephys.whiten(g.r, whitening=np.eye(8)),
        "labelled Dataset, from estimate_whitening",
    ),
    "an array for a motion": (
        lambda g: xephys.correct_motion(g.r, motion=np.zeros(3)),
        "from estimate_motion or make_motion",
    ),
    "noise levels of others": (
        lambda g: xephys.detect_peaks(g.f, noise_levels=[1.0, 2.0]),
        r"shape \(2,\) for 8 channels",
    ),
    "identifiers for a mask": (lambda g: xephys.interpolate_bad_channels(g.r, bad=[3, 5]), "isin"),
    "other labels": (lambda g: xephys.mark_bad_channels(g.r, ["ok"] * 8), "bad holds 'ok'; give labels"),
    # Places, values, what is missing.
    "by position": (
        lambda g: g.r.ephys.bandpass_filter(300, 6000),
        "by name, such as freq_min_hz=300, freq_max_hz=6000",
    ),
    "twice": (lambda g: xephys.select_channels(g.r, [1], channel_ids=[1]), "twice, by position and by name"),
    "nothing to whiten with": (lambda g: xephys.whiten(g.r), "needs whitening; give it .*estimate_whitening"),
    "nothing to detect with": (lambda g: xephys.detect_peaks(g.f), "estimate_noise_levels"),
    "above Nyquist": (lambda g: xephys.bandpass_filter(g.r, freq_max_hz=20_000), "Nyquist frequency, 15000 Hz"),
    "corners swapped": (lambda g: xephys.bandpass_filter(g.r, freq_min_hz=6000, freq_max_hz=300), "swap them"),
    "a rate in kilohertz": (
        lambda g: xephys.bandpass_filter(xephys.make_recording(g.array, sampling_frequency=30.0)),
        "if its rate is 30 kHz, sampling_frequency is 30000",
    ),
    "corners in kilohertz": (
        lambda g: xephys.sort(g.r, freq_min_hz=0.3, freq_max_hz=6),
        "if 6 kHz is meant, give 6000",
    ),
    "a window outside": (lambda g: g.r.ephys.plot_traces(start_s=100), "lasts from 0 to 2 s"),
    "a slice outside": (lambda g: g.r.ephys.time_slice(5, 6), "give start_s < stop_s within it"),
    "no such channel": (lambda g: g.r.ephys.select_channels([99]), "channels 99 do not exist"),
    "no such shank": (lambda g: g.r.ephys.select_channels(shank=3), "shank 3 does not exist; there is 0"),
    "depths swapped": (lambda g: g.r.ephys.select_channels(depth_um=(100, 0)), "the lower depth first"),
    "one depth": (lambda g: g.r.ephys.select_channels(depth_um=100), "give two depths"),
    "no unit": (lambda g: xephys.select_units(_sorting(g), [7]), "there is no unit 7; the 2 units are"),
    "no such file": (lambda g: xephys.open_recording(g.folder / "raw.bni"), "there is 'raw.bin'"),
    "an unknown format": (
        lambda g: xephys.open_recording(g.folder / "what.xyz"),
        "(?s)no format that is known.*nearest by name.*format=NAME",
    ),
    "a misspelt format": (lambda g: xephys.open_recording(g.folder / "what.xyz", format="inten"), "intan"),
    "a misspelt reader option": (
        lambda g: xephys.open_recording(g.folder / "recording.zarr", strem_id="0"),
        "did you mean 'stream_id'",
    ),
    "a negative threshold": (lambda g: xephys.sort(g.r, detect_threshold=-5), "greater than 0.*lists the limits"),
    "axes that are none": (lambda g: plot.plot_traces(g.r, ax=3), "ax is 3; give Axes, such as plt.gca"),
    "axes in a list": (lambda g: plot.plot_probe(g.r, ax=[None]), r"give one of them, such as axes\[0\]"),
    "a figure of nothing": (lambda g: plot.plot_report(3), "nothing to draw of a int"),
    # Later additions: analysis, curation, joining, resampling.
    "an extension": (lambda g: xephys.analyze(_sorting(g), g.f, extensions=["waveform"]), "did you mean 'waveforms'"),
    "recording and sorting swapped": (
        lambda g: xephys.analyze(g.f, _sorting(g)),
        "sorting is a recording; give a labelled DataTree, from sort",
    ),
    "an array to analyze": (lambda g: xephys.analyze(_sorting(g), g.array), "wrap it first: make_recording"),
    "merging groups": (lambda g: xephys.merge_units(_sorting(g), [["0", "1"]]), "a list; give one flat list of names"),
    "merging texts": (lambda g: xephys.merge_units(_sorting(g), ["0", "1"]), "no unit '0', '1'; the 2 units are 0, 1"),
    "merging a dict": (lambda g: xephys.merge_units(_sorting(g), {0: 1}), "units hold {0: 1}, a dict; give one flat"),
    "merging a recording": (lambda g: xephys.merge_units(g.r, [[0, 1]]), "sorting is a recording"),
    "too few labels of a split": (
        lambda g: xephys.split_unit(_sorting(g), 0, labels=[0, 1]),
        r"labels have shape \(2,\) .* give one label for each of its spikes",
    ),
    "a label for each unit in a list": (
        lambda g: xephys.relabel_units(_sorting(g), labels=["good"]),
        "give a dict by unit, such as {0: 'new'}",
    ),
    "a curation that is no file": (lambda g: xephys.apply_curation(_sorting(g), g.folder / "c.json"), "is not a file"),
    "a curation of numbers": (lambda g: xephys.apply_curation(_sorting(g), [1, 2]), "the path of a JSON file"),
    "a curation of others": (
        lambda g: xephys.apply_curation(_sorting(g), {"format_version": "2", "unit_ids": [0, 7]}),
        "apply it to the sorting for which it was made",
    ),
    "spikes by position": (lambda g: xephys.make_sorting(g.r, [0.5], ["a"]), "give the others by name"),
    "a rate as text": (
        lambda g: xephys.make_sorting(sample_index=[5], labels=["a"], sampling_frequency="30 kHz"),
        "such as sampling_frequency=30000",
    ),
    "one recording beside itself": (lambda g: xephys.aggregate_channels(g.r), "in a list"),
    "recordings of two lengths": (
        lambda g: xephys.aggregate_channels([g.r, g.r[:30_000]]),
        "recording 1 has 30000 samples and recording 0 has 60000",
    ),
    "resample_rate": (lambda g: xephys.resample(g.r, resample_rate=1000), "did you mean 'sampling_frequency_hz'"),
    "a negative rate": (lambda g: xephys.resample(g.r, sampling_frequency_hz=-5), "is -5; it must be greater than 0"),
    "decimation_factor": (lambda g: xephys.decimate(g.r, decimation_factor=2), "did you mean 'factor'"),
    "an unknown type": (lambda g: xephys.astype(g.r, dtype="int99"), "such as 'int16'"),
    "channels as a slice": (lambda g: xephys.select_channels(g.r, slice(0, 3)), "recording.isel"),
    "a radius as text": (
        lambda g: xephys.detect_peaks(g.f, noise_levels=g.levels, radius_um="50um"),
        "radius_um is '50um', a str; give one number",
    ),
    "peaks without columns": (lambda g: xephys.localize_peaks(g.f, np.zeros(3)), "records with sample_index"),
    "several paths": (lambda g: xephys.open_recording(["a.bin", "b.bin"]), "open each, and join them"),
    "a path that is a number": (lambda g: xephys.open_recording(3), "give one path"),
    "no such sorting": (lambda g: xephys.open_sorting(g.folder / "none"), "does not exist; check the path"),
    "the path first": (lambda g: xephys.save_sorting(g.folder / "a.zarr", _sorting(g)), "open_sorting"),
    "places in an array": (
        lambda g: xephys.make_recording(g.array, sampling_frequency=RATE, coordinates=np.zeros((8, 2))),
        "give values by name, such as {'x': ",
    ),
    "periods in a row": (lambda g: xephys.silence_periods(g.r, periods_s=[0.5, 1.5]), r"pairs \(start, stop\)"),
    "list_triggers": (lambda g: xephys.remove_artifacts(g.r, list_triggers=[1]), "did you mean 'trigger_times_s'"),
    "no corner": (lambda g: xephys.bandpass_filter(g.r, freq_max_hz=None), "None; give a value, or leave it out"),
    "a rate with k": (lambda g: xephys.resample(g.r, sampling_frequency_hz="1k"), "such as sampling_frequency_hz=1000"),
    "a window backwards": (lambda g: xephys.extract_waveforms(_sorting(g), g.r, ms_after=-1), "ms_after is -1"),
    "sorter and recording swapped": (lambda g: xephys.run_sorter(g.r, "xephys_default"), "give a name"),
    "one sorter of several": (lambda g: xephys.run_sorters("xephys_default", [g.r]), r"such as \['xephys_default'\]"),
    "one recording of several": (
        lambda g: xephys.run_sorters(["xephys_default"], xephys.append_segments([g.r, g.r])),
        "recordings is one recording; give a list",
    ),
    "a path of traces": (lambda g: xephys.make_recording("a.npy", sampling_frequency=RATE), "open_recording"),
    "a table of traces": (
        lambda g: xephys.make_recording(pd.DataFrame(g.array), sampling_frequency=RATE),
        "such as .to_numpy()",
    ),
    "labelled traces": (lambda g: xephys.make_recording(g.r, sampling_frequency=RATE), "whose labels would be lost"),
    "places that are texts": (
        lambda g: xephys.make_recording(g.array, sampling_frequency=RATE, coordinates={"x": ["a"] * 8}),
        r"'x' holds \['a'\] and so on; give a number",
    ),
    "a figure of a sorting": (lambda g: plot.plot_traces(_sorting(g)), "give the recording that was sorted"),
}

#: Names that do not exist: where each is looked up, and the name that was meant.
NAMES = {
    "bandpass": (lambda g: xephys, "bandpass_filter"),
    "bandpas_filter": (lambda g: g.r.ephys, "bandpass_filter"),
    "compute_metrics": (lambda g: xephys, "compute_quality_metrics"),
}


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_does_not_exist_is_answered_with_the_nearest(name, given):
    where, meant = NAMES[name]
    with pytest.raises(AttributeError, match=f"{name}'; did you mean '{meant}'"):
        getattr(where(given), name)
    assert not hasattr(where(given), "_no_such_name")


def _sorting(given):
    from xephys.simulation.sorting import truth_sorting

    return truth_sorting(given.r, given.truth)


@pytest.mark.parametrize("name", CALLS)
def test_a_wrong_call_is_answered_in_a_sentence(name, given):
    call, sentence = CALLS[name]
    with pytest.raises((ValueError, TypeError, FileNotFoundError, OutputError), match=sentence) as caught:
        call(given)
    text = str(caught.value)
    assert len(text) < 500
    assert text.count("\n") <= (2 if "format" in name else 0)


#: Wrong commands by their topic: words, exit status, and what the sentence must contain.
COMMANDS = {
    "freq_min": (["sort", "RECORDING", "--out", "OUT", "--set", "freq_min=300"], 2, "'freq_min_hz'"),
    "radius_um": (["sort", "RECORDING", "--out", "OUT", "--set", "radius_um=50"], 2, "'exclude_radius_um'"),
    "Th_learned": (["sort", "RECORDING", "--out", "OUT", "--set", "Th_learned=8"], 2, "preset 'kilosort4' has it"),
    "n_jobs": (["sort", "RECORDING", "--out", "OUT", "--set", "n_jobs=4"], 2, "Dask schedules"),
    "kilosort": (["sort", "RECORDING", "--out", "OUT", "--preset", "kilosort"], 2, "did you mean 'kilosort4'"),
    "gpu": (["sort", "RECORDING", "--out", "OUT", "--device", "gpu"], 2, "did you mean 'cuda'"),
    "kilohertz": (["sort", "RECORDING", "--out", "OUT", "--set", "freq_max_hz=6"], 2, "if 6 kHz is meant"),
    "a text for a number": (["sort", "RECORDING", "--out", "OUT", "--set", "seed=x"], 2, "seed is 'x'"),
    "no KEY=VALUE": (["sort", "RECORDING", "--out", "OUT", "--set", "seed"], 2, "is not KEY=VALUE"),
    "no file": (["info", "FOLDER/nothing.bin"], 3, "does not exist"),
    "a rate alone": (["info", "FOLDER/raw.bin", "--n-channels", "4"], 2, "without sampling_frequency"),
    "a reader option": (["info", "RECORDING", "--reader", "strem_id=0"], 2, "did you mean 'stream_id'"),
    "an option as a reader's": (["info", "RECORDING", "--reader", "n_channels=4"], 2, "give it as --n-channels"),
    "parameters of nothing": (["parameters", "kilosort"], 2, "did you mean 'kilosort4'"),
    "a recording for a sorting": (["compare", "RECORDING", "RECORDING"], 3, "sorting"),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_wrong_command_is_answered_in_a_sentence(name, given, tmp_path):
    words, status, sentence = COMMANDS[name]
    places = {"RECORDING": given.folder / "recording.zarr", "OUT": tmp_path / "out"}
    words = [str(places.get(word, word.replace("FOLDER", str(given.folder)))) for word in words]
    assert sentence in refused(*words, status=status)
    assert not (tmp_path / "out").exists()


def test_there_are_a_hundred():
    assert len(CALLS) >= 100
    assert len(COMMANDS) >= 15


def test_right_calls_pass(given):
    assert xephys.bandpass_filter(given.r, freq_min_hz=np.float32(300), order=np.int64(3)).sizes == given.r.sizes
    assert xephys.scale(given.r, gain=np.ones(8)).sizes == given.r.sizes
    assert xephys.highpass_filter(given.r, freq_min_hz=xr.DataArray(300.0)).sizes == given.r.sizes


def test_functions_keep_their_name_and_signature():
    assert pickle.loads(pickle.dumps(xephys.sort)) is xephys.sort
    assert xephys.sort.__name__ == "sort"
    assert "recording" in inspect.signature(xephys.sort).parameters
    assert "Sort the spikes" in xephys.sort.__doc__
    assert issubclass(CallError, TypeError)
    assert issubclass(CallError, xephys.ParameterError)
    assert not issubclass(CallError, RecordingError)
