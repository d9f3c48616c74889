"""Settings of pyDANT: a JSON file with comments, or a dictionary, completed by the defaults."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...checks import check_choice, check_positive, hint_for
from ...errors import ParameterError

#: Similarities, in the order of their matrices, and the files that hold them.
FEATURES = {"Waveform": "waveform", "ISI": "ISI", "AutoCorr": "AutoCorr", "PETH": "PETH"}
ALGORITHMS = ("monopolar_triangulation", "center_of_mass")
DEFAULTS: dict[str, Any] = {
    "save_intermediate_results": True,
    "n_jobs": -1,
    "centering_waveforms": False,
    "spikeLocation": {"location_algorithm": ALGORITHMS[0], "n_nearest_channels": 20},
    "waveformCorrection": {
        "n_nearest_channels": 38, "linear_correction": False, "n_templates": 2, "path_to_motion": "",
    },
    "autoCorr": {"window": 300, "binwidth": 1, "gaussian_sigma": 5},
    "ISI": {"window": 100, "binwidth": 1, "gaussian_sigma": 1},
    "motionEstimation": {"features": [["Waveform", "AutoCorr"]], "max_distance": 100},
    "clustering": {"max_distance": 100, "features": ["Waveform", "AutoCorr"], "n_iter": 10, "weight_tol": 1e-8},
    "autoCuration": {"auto_split": True},
}  # fmt: skip
#: Keys without a default, by the group that they are in.
OPTIONAL = {
    "": ("path_to_data", "output_folder", "path_to_python", "save_intermediate_figures"),
    "motionEstimation": ("max_iter", "repeat_last_feature_set", "stop_early"),
}
#: Numbers that have to be positive, by their group.
POSITIVE = {
    "spikeLocation": ("n_nearest_channels",),
    "waveformCorrection": ("n_nearest_channels",),
    "autoCorr": ("window", "binwidth", "gaussian_sigma"),
    "ISI": ("window", "binwidth", "gaussian_sigma"),
    "clustering": ("max_distance", "n_iter"),
}
_STRING = r'"(?:\\.|[^"\\])*"'
#: What JSON does not have, each beside strings, in which it may stand.
_COMMENT = re.compile(_STRING + r"|//[^\n]*|/\*.*?\*/", re.DOTALL)
_LAST_COMMA = re.compile(_STRING + r"|,(?=\s*[}\]])")


def read_settings(user_settings: Mapping[str, Any] | str | Path) -> dict[str, Any]:
    """Settings with their defaults.

    Parameters
    ----------
    user_settings
        A dictionary, or the path of a JSON file, which may contain ``//`` and ``/* */`` comments and trailing commas.

    Returns
    -------
    dict
        With every key that has a default. ``path_to_data`` and ``output_folder`` are relative to the file, if any.

    Raises
    ------
    ParameterError
        If the file is no JSON, or a key or a value is not known.

    Examples
    --------
    >>> read_settings({"clustering": {"n_iter": 5}})["clustering"]["n_iter"]
    5
    """
    given = user_settings
    if not isinstance(given, Mapping):
        file = Path(given)
        text = file.read_text(encoding="utf-8-sig")
        try:
            given = json.loads(_outside_strings(_LAST_COMMA, _outside_strings(_COMMENT, text)))
        except json.JSONDecodeError as error:
            raise ParameterError(f"{file} is not JSON, even without its comments: {error}") from error
        if not isinstance(given, Mapping):
            raise ParameterError(f"{file} holds a {type(given).__name__}; write the settings as one object in braces")
        paths = {name: str(file.parent / given[name]) for name in ("path_to_data", "output_folder") if name in given}
        given = {**given, **paths}
    out = _completed("", given, DEFAULTS)
    for group, default in DEFAULTS.items():
        if isinstance(default, dict):
            out[group] = _completed(group, given.get(group, {}), default)
    for group, names in POSITIVE.items():
        check_positive(**{name: out[group][name] for name in names})
    check_choice("location_algorithm", out["spikeLocation"]["location_algorithm"], ALGORITHMS)
    if out["waveformCorrection"]["n_templates"] not in (1, 2):
        raise ParameterError(f"n_templates is {out['waveformCorrection']['n_templates']!r}; give 1 or 2")
    _check_features(out["clustering"]["features"])
    sets = out["motionEstimation"]["features"]
    if not isinstance(sets, list) or not sets:
        raise ParameterError(f"motionEstimation.features is {sets!r}; give a list of lists of names")
    for names in sets:
        _check_features(names)
    return out


def folders(settings: Mapping[str, Any]) -> tuple[Path, Path]:
    """The folder with the data, and that of the results."""
    missing = [name for name in ("path_to_data", "output_folder") if not settings.get(name)]
    if missing:
        raise ParameterError(f"the settings have no {' and no '.join(missing)}; give the path of a folder")
    return Path(settings["path_to_data"]), Path(settings["output_folder"])


def getMotionFeatureSets(user_settings: Mapping[str, Any] | str | Path) -> tuple[list[list[str]], int]:
    """The feature sets of the rounds of motion estimation, and the largest number of rounds.

    Examples
    --------
    >>> getMotionFeatureSets({"motionEstimation": {"features": [["AutoCorr"], ["Waveform"]]}})
    ([['AutoCorr'], ['Waveform']], 2)
    """
    chosen = read_settings(user_settings)["motionEstimation"]
    sets = [list(names) for names in chosen["features"]]
    default = 15 if chosen.get("repeat_last_feature_set", False) else len(sets)
    n_rounds = int(chosen.get("max_iter", default))
    return sets, n_rounds if chosen.get("repeat_last_feature_set", False) else min(n_rounds, len(sets))


def given_motion(settings: Mapping[str, Any], n_sessions: int) -> NDArray[np.float64] | None:
    """Motion from ``path_to_motion``, ``(2, session)``: linear per mm and constant; None without such a file.

    One value for each session is its displacement; of two, the first is linear in depth.
    """
    path = settings["waveformCorrection"]["path_to_motion"]
    if not path:
        return None
    values = np.asarray(np.load(Path(path), allow_pickle=False), np.float64)
    if values.size == n_sessions and values.ndim <= 2:
        values = np.stack([np.zeros(n_sessions), values.ravel()])
    elif values.shape == (n_sessions, 2) and n_sessions != 2:
        values = values.T
    if values.shape != (2, n_sessions) or not np.isfinite(values).all():
        raise ParameterError(
            f"{path} has shape {values.shape} for {n_sessions} sessions; give one finite value for each, or two"
        )
    return values


def _outside_strings(pattern: re.Pattern[str], text: str) -> str:
    """The text without what a pattern finds beside strings."""
    return pattern.sub(lambda found: found[0] if found[0][0] == '"' else " ", text)


def _check_features(names: Any) -> None:
    if not isinstance(names, list | tuple) or not names:
        raise ParameterError(f"features are {names!r}; give a list of names out of {', '.join(FEATURES)}")
    for name in names:
        check_choice("feature", name, FEATURES)


def _completed(group: str, given: Any, defaults: Mapping[str, Any]) -> dict[str, Any]:
    where = f"settings.{group}" if group else "settings"
    if not isinstance(given, Mapping):
        raise ParameterError(f"{where} is {given!r}; give an object with {', '.join(defaults)}")
    known = {*defaults, *OPTIONAL.get(group, ())}
    for name in given:
        if name not in known:
            raise ParameterError(f"{where} has an unknown key {name!r}{hint_for(name, known)}")
    return {**defaults, **given}
