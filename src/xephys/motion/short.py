"""Motion along a short shank, which few neurons show: it is believed only if they are seen at several displacements."""

from __future__ import annotations

import numpy as np

from .shank_peaks import Course, ShankPeaks

#: Shanks from this height on show so many neurons that some always fire on.
LONG_UM = 100.0
#: Smallest likeness of peaks at different displacements for a motion to be believed, and smallest gain of registering
#: over the likeness of what was seen. In 13 simulated recordings of resting tissue whose neurons start and stop, the
#: gain of the motion that was found was at most 0.043. Of 20 in which the tissue moved, 12 are believed; among these
#: are 10 of the 11 in which the motion that was found spans 11 µm or more.
LIKENESS_MIN, GAIN_MIN = 0.55, 0.05


def believed(peaks: ShankPeaks, course: Course) -> Course:
    """The course itself, or, on a short shank that shows other neurons at each displacement, one that is unknown."""
    if peaks.height_um >= LONG_UM:
        return course
    seen, registered = likeness_along(peaks, course)
    return course if registered >= LIKENESS_MIN and registered - seen >= GAIN_MIN else unknown(peaks)


def likeness_along(peaks: ShankPeaks, course: Course) -> tuple[float, float]:
    """How alike peaks at different displacements are, as seen and along a course; both 0 if they are at one."""
    from ..kernels.motion.evidence import likeness

    of_bin = course.displacement_um.mean(axis=1)
    rows, bins = peaks.bins_of(0, peaks.n_times)
    return likeness(peaks.depth_um[rows], peaks.amplitude[rows], of_bin[bins])


def unknown(peaks: ShankPeaks) -> Course:
    """A course of which nothing is known."""
    shape = (peaks.n_times, 1)
    middle = np.array([sum(peaks.contacts_um) / 2])
    return Course(np.zeros(shape), np.full(shape, np.nan), np.zeros(shape, bool), middle)
