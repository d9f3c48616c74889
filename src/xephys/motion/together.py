"""Shanks of one probe move together: a short one that tells nothing by itself takes the course of the others.

Few neurons are seen along a short shank, and the course that suits them best may be chance. That of the other shanks is
not fitted to its peaks, so that little evidence is enough: chance hardly makes them look more alike along it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..recording.geometry import shank_labels
from .shank_peaks import Course, ShankPeaks
from .short import LONG_UM, likeness_along

#: Smallest gain in likeness along the course of the other shanks. In seven simulated recordings with four shanks of
#: 45 µm, five of the nine shanks that were unknown by themselves gain 0.027 or more along the course of the others.
#: Along the courses of other recordings, unlike their own (a correlation below 0.3), none of 64 shanks gains 0.015.
GAIN_MIN = 0.02
#: Shanks differ by about this, whatever the uncertainty of each: localization is biased by where neurons happen to be.
BIAS_UM = 1.0


def moved_together(
    shanks: Sequence[ShankPeaks], courses: Sequence[Course], probes: NDArray[np.integer[Any]]
) -> list[Course]:
    """The courses, with that of the other shanks of a probe where a short one is unknown and its peaks agree with them.

    Parameters
    ----------
    shanks
        Peaks of each.
    courses
        Course of each by itself.
    probes
        Number of the probe of each shank.
    """
    found = list(courses)
    known = np.array([bool(course.known.any()) for course in courses])
    for i in np.flatnonzero(~known).tolist():
        others = [courses[j] for j in np.flatnonzero(known & (probes == probes[i])).tolist()]
        if not others or shanks[i].height_um >= LONG_UM:
            continue
        common = mean_course(others, depth_um=sum(shanks[i].contacts_um) / 2)
        seen, registered = likeness_along(shanks[i], common)
        if registered - seen >= GAIN_MIN:
            found[i] = common
    return found


def mean_course(courses: Sequence[Course], *, depth_um: float) -> Course:
    """The mean of courses at one depth, weighted by how well each is known; known where one of them is.

    Examples
    --------
    >>> one, depth = np.array([[-1.0], [1.0]]), np.array([20.0])
    >>> course = Course(one, np.zeros((2, 1)), np.ones((2, 1), bool), depth)
    >>> mean_course([course, course._replace(displacement_um=3 * one)], depth_um=30.0).displacement_um.tolist()
    [[-2.0], [2.0]]
    """
    here = [course.at_depths(np.array([depth_um])) for course in courses]
    known = np.asarray(np.stack([course.known for course in here]).any(axis=0))
    # A method without uncertainties has NaN.
    variance = np.nan_to_num(np.stack([course.uncertainty_um for course in here])) ** 2 + BIAS_UM**2
    weight = 1 / variance
    mean = (weight * np.stack([course.displacement_um for course in here])).sum(axis=0) / weight.sum(axis=0)
    middle = np.median(mean[known]) if known.any() else 0.0
    return Course(mean - middle, np.sqrt(1 / weight.sum(axis=0)), known, np.array([depth_um]))


def probes_of_shanks(recording: xr.DataArray) -> NDArray[np.int64]:
    """Number of the probe of each shank, in the order of their sorted names; all 0 if the recording names no probe."""
    shanks, first = np.unique(shank_labels(recording), return_index=True)
    if "probe" not in recording.coords:
        return np.zeros(len(shanks), np.int64)
    probes = recording.coords["probe"].values.astype(str)[first]
    return np.unique(probes, return_inverse=True)[1].astype(np.int64)
