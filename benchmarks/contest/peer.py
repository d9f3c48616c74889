"""The program of a peer's process; it runs in the peers' environment, which has SpikeInterface but not xephys.

    python peer.py SORTER FOLDER OUT N_JOBS

FOLDER holds ``recording`` and ``told.json``. Known bad channels are removed, sampling delays are corrected, and the
sorter runs with its defaults; SORTER may also be ``truth+wobble`` or ``truth+circus-omp``: SpikeInterface's matchers
with the true templates; or ``dartsort``, in an environment that has it. Writes ``sorting.npz`` (sample, unit, version)
into OUT.
"""

import importlib.util
import json
import os
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

RADIUS_UM = 100.0  # around the peak of a template, as in Lupin and SpykingCircus2
#: Settings of dartsort beside its defaults. By default it trains a network for each recording, which takes hours on a
#: CPU; with the other kind of network, it can start from weights that it brings along. ``still``: these weights, and no
#: motion, for recordings that have none.
_PRETRAINED = {"nn_denoiser_class_name": "SingleChannelWaveformDenoiser"}
DARTSORT = {
    "dartsort": {},
    "dartsort-pretrained": _PRETRAINED,
    "dartsort-still": {**_PRETRAINED, "do_motion_estimation": False},
}


def main(sorter: str, folder: str, out: str, n_jobs: str) -> None:
    from spikeinterface import set_global_job_kwargs

    set_global_job_kwargs(n_jobs=int(n_jobs), progress_bar=False)
    Path(out).mkdir(parents=True, exist_ok=True)
    recording = prepared(Path(folder))
    if sorter in DARTSORT:
        sample, unit = sorted_by_dartsort(sorter, recording, Path(out))
    elif sorter.startswith("truth+"):
        sample, unit = matched(recording, Path(folder), sorter.removeprefix("truth+"))
    else:
        sample, unit = sorted_by(sorter, recording, Path(out))
    name = {"kilosort4": "kilosort", **dict.fromkeys(DARTSORT, "dartsort")}.get(sorter, "spikeinterface")
    np.savez(Path(out) / "sorting.npz", sample=sample, unit=unit, version=f"{name} {version(name)}")


def prepared(folder: Path) -> Any:
    """The recording as a peer receives it."""
    import spikeinterface.preprocessing as preprocessing
    from spikeinterface import load

    told = json.loads((folder / "told.json").read_text(encoding="utf-8"))
    recording = load(folder / "recording")
    if told["bad_channels"]:
        recording = recording.remove_channels(recording.channel_ids[told["bad_channels"]])
    return preprocessing.phase_shift(recording) if told["delays"] else recording


def sorted_by(sorter: str, recording: Any, out: Path) -> tuple[Any, Any]:
    """Run a sorter with its defaults, except for a corner above the Nyquist frequency, which it refuses:

    it is lowered.
    """
    from spikeinterface.sorters import get_default_sorter_params, run_sorter

    parameters: dict[str, Any] = {"torch_device": "cpu"} if sorter == "kilosort4" else {}
    defaults, highest_hz = get_default_sorter_params(sorter), 0.45 * recording.sampling_frequency
    if defaults.get("freq_max", 0.0) > highest_hz:
        parameters["freq_max"] = highest_hz
    if defaults.get("filtering", {}).get("freq_max", 0.0) > highest_hz:
        parameters["filtering"] = defaults["filtering"] | {"freq_max": highest_hz}
    found = run_sorter(sorter, recording, folder=out / "run", verbose=False, remove_existing_folder=True, **parameters)
    spikes = found.to_spike_vector()
    return spikes["sample_index"], spikes["unit_index"]


def sorted_by_dartsort(sorter: str, recording: Any, out: Path) -> tuple[Any, Any]:
    """Run dartsort itself on a saved recording, as it asks for; it corrects delays by itself and is not given them."""
    import logging
    import shutil

    from dartsort import DARTsortUserConfig, dartsort

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", filename=out / "log.txt")
    settings: dict[str, Any] = dict(DARTSORT[sorter])
    if settings:
        settings |= weights()
    if "inter_sample_shift" in recording.get_property_keys():
        recording.delete_property("inter_sample_shift")
    recording = recording.save(folder=out / "run" / "recording", overwrite=True)
    found = dartsort(recording, out / "run" / "out", DARTsortUserConfig(device="cpu", **settings), overwrite=True)
    sorting = found["sorting"] if isinstance(found, dict) else found.sorting
    sorting = sorting.drop_missing()
    shutil.rmtree(out / "run")
    return sorting.times_samples, np.unique(sorting.labels, return_inverse=True)[1]


def weights() -> dict[str, Any]:
    """The setting that names the published weights."""
    from dartsort.config import default_pretrained_path

    return {"nn_denoiser_pretrained_path": default_pretrained_path}


def matched(recording: Any, folder: Path, method: str) -> tuple[Any, Any]:
    """Spikes of the true templates, found on traces whose noise is whitened with its known covariance."""
    import spikeinterface.preprocessing as preprocessing
    from spikeinterface.core.sparsity import ChannelSparsity
    from spikeinterface.core.template import Templates
    from spikeinterface.sortingcomponents.matching import find_spikes_from_templates

    truth = np.load(folder / "truth.npz")
    whitening = recording.get_channel_gains()[0] * truth["whitening"]
    traces = preprocessing.whiten(recording, W=whitening, dtype="float32")
    full = truth["templates"]
    places = recording.get_channel_locations()
    peaks = np.abs(full).max(axis=1).argmax(axis=1)
    near = np.linalg.norm(places[peaks][:, None] - places[None], axis=2) <= RADIUS_UM
    units = np.arange(len(full))
    templates = Templates(
        templates_array=full,
        sampling_frequency=recording.sampling_frequency,
        nbefore=int(truth["nbefore"]),
        channel_ids=recording.channel_ids,
        unit_ids=units,
        probe=recording.get_probe(),
        is_in_uV=False,
    ).to_sparse(ChannelSparsity(near, units, recording.channel_ids))
    spikes = find_spikes_from_templates(traces, templates, method=method, method_kwargs={})
    return spikes["sample_index"], spikes["cluster_index"]


if __name__ == "__main__":
    if sys.argv[1] == "--installed" and sys.argv[2] in DARTSORT:
        sys.exit(importlib.util.find_spec("dartsort") is None)
    if sys.argv[1] == "--installed":
        from spikeinterface.sorters import sorter_dict

        sys.exit(not sorter_dict[sys.argv[2]].is_installed())
    os.setpgrp()
    main(*sys.argv[1:])
