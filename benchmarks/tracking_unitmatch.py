"""UnitMatchPy on the sessions of the tracking benchmark, in a process of its own and for measuring only.

Its licence forbids use at work, so nothing of it is used elsewhere. It takes two mean waveforms of each unit, from the
halves of a session. The simulated templates are means of whole sessions, so each half is the template with noise added
to one and subtracted from the other: their mean is the template, and each has twice the variance of its noise.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from harness import run_process

#: Samples of a waveform that it expects, and where the trough is.
N_SAMPLES, TROUGH = 82, 40
#: The program of its process: argument 1 is the folder with its input, into which the tracks go as well.
PEER = """
import sys, warnings
warnings.simplefilter("ignore")
import numpy as np
import UnitMatchPy.assign_unique_id as assign, UnitMatchPy.bayes_functions as bayes, UnitMatchPy.utils as utils
import UnitMatchPy.default_params as defaults, UnitMatchPy.overlord as overlord
given = np.load(sys.argv[1] + "/halves.npz")
waveform, session, positions = given["waveform"], given["session"], given["positions"]
param = utils.get_probe_geometry(positions[:, 1:], defaults.get_default_param({"n_xchannelpos": 4}))
n_units, session_id, switch, n_sessions = utils.get_session_data(np.bincount(session))
param |= {"n_units": n_units, "n_sessions": n_sessions, "n_channels": waveform.shape[2], "remove_over_merges": False}
within = utils.get_within_session(session_id, param)
about = {"session_switch": switch, "session_id": session_id, "original_ids": np.arange(n_units)[:, None]}
found = overlord.extract_parameters(waveform, [positions] * n_sessions, about, param)
_, candidates, scores, predictors = overlord.extract_metric_scores(found, switch, within, param, niter=2)
prior = 1 - param["n_expected_matches"] / n_units**2
labels = candidates.astype(int)
kinds = np.unique(labels)
kernels = bayes.get_parameter_kernels(scores, labels, kinds, param, add_one=1)
chance = bayes.apply_naive_bayes(kernels, np.array((prior, 1 - prior)), predictors, param, kinds)
ids = assign.assign_unique_id(chance[:, 1].reshape(n_units, n_units), param, about)
np.savez(sys.argv[1] + "/found.npz", **{str(k): np.ravel(one) for k, one in enumerate(ids)}, p=chance[:, 1])
"""


def halves(sessions: Any, *, noise_uv: float) -> Any:
    """(unit, sample, channel, half) of all sessions on its time axis."""
    rng = np.random.default_rng(0)
    templates = np.concatenate([session["templates"].values for session in sessions])
    start = TROUGH - int(sessions[0].attrs["nbefore"])
    whole = np.zeros((len(templates), N_SAMPLES, templates.shape[2]))
    whole[:, start : start + templates.shape[1]] = templates
    apart = noise_uv * rng.standard_normal(whole.shape)
    return np.stack([whole + apart, whole - apart], axis=3)


def by_unitmatch(sessions: Any, python: str, *, noise_uv: float) -> Any:
    """Track of each unit in its intermediate strictness; None if it ended with an error."""
    session = np.repeat(np.arange(len(sessions)), [one.sizes["unit"] for one in sessions])
    x, y = (sessions[0][name].values for name in ("x", "y"))
    with tempfile.TemporaryDirectory() as name:
        positions = np.column_stack([np.ones(len(x)), x, y])
        waveform = halves(sessions, noise_uv=noise_uv)
        np.savez(Path(name) / "halves.npz", waveform=waveform, session=session, positions=positions)
        try:
            run_process([python, "-c", PEER, name], OMP_NUM_THREADS="1")
        except RuntimeError:
            return None
        with np.load(Path(name) / "found.npz") as found:
            return found["1"]
