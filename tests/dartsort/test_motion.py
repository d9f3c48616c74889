"""Motions: the inverse is exact, the registered probe covers the displacement, and what does not fit is refused."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from xephys import ParameterError, make_motion, to_spikeinterface_motion
from xephys.dartsort import DARTsortSorting, MotionInfo

GEOM = np.array([[x, y] for y in range(0, 400, 20) for x in (0.0, 32.0)])
TIMES, DEPTHS = np.arange(10.0) + 0.5, np.array([50.0, 200.0, 350.0])
VALUES = 30 * np.sin(TIMES)[:, None] * np.array([1.0, 0.5, -0.3])


def info() -> MotionInfo:
    return MotionInfo.of_motion(make_motion(VALUES, time_s=TIMES, depth_um=DEPTHS), geom=GEOM)


def test_a_nonrigid_correction_is_undone_exactly() -> None:
    rng = np.random.default_rng(0)
    times, depths = rng.uniform(0, 10, 500), rng.uniform(-50, 450, 500)
    registered = info().correct_s(times, depths)
    assert np.abs(registered - depths).max() > 20
    np.testing.assert_allclose(info().uncorrect_s(times, registered), depths, atol=1e-4)


def test_displacements_are_linear_between_bins_and_clamped() -> None:
    np.testing.assert_allclose(info().disp_at_s(TIMES, 200.0), VALUES[:, 1], atol=1e-4)
    grid = info().disp_at_s(np.array([1.0, 2.0]), np.array([0.0, 200.0, 500.0]), grid=True)
    assert grid.shape == (3, 2)
    np.testing.assert_allclose(grid[2, 0], VALUES[:2, 2].mean(), atol=1e-4)


def test_a_motion_without_inverse_is_refused() -> None:
    wild = make_motion([[0.0, 200.0], [0.0, 200.0]], time_s=[0, 1], depth_um=[0.0, 50.0])
    with pytest.raises(ParameterError, match="grows by up to 4 um per um along the probe"):
        MotionInfo.of_motion(wild, geom=GEOM).uncorrect_s(np.zeros(3), np.array([-10.0, -20.0, -30.0]))


def test_geometry() -> None:
    still, moving = MotionInfo.static(GEOM), info()
    assert not still.drifting and moving.drifting
    assert (still.pitch, still.min_dist) == (20.0, 20.0)
    np.testing.assert_array_equal(still.rgeom, GEOM)
    assert {tuple(row) for row in GEOM} <= {tuple(row) for row in moving.rgeom}
    assert moving.rgeom[:, 1].min() == -20.0 and moving.rgeom[:, 1].max() == 400.0
    assert len(np.unique(moving.rgeom, axis=0)) == len(moving.rgeom)
    zigzag = np.array([[16.0 * (i % 2), 20.0 * i] for i in range(8)])
    assert MotionInfo.static(zigzag).pitch == 40.0
    assert MotionInfo.static(np.array([[0.0, 0.0], [9.0, 25.0]])).pitch == 25.0


def test_pitch_shifts() -> None:
    sorting = DARTsortSorting(
        times_samples=np.array([45_000, 135_000]),
        channels=np.array([20, 20]),
        labels=None,
        ephemeral_features={"point_source_localizations": np.array([[0.0, 9.0, 200.0], [0.0, 9.0, 200.0]])},
    )
    shifts, pitches = info().pitch_shifts(sorting=sorting)
    np.testing.assert_allclose(shifts, -VALUES[[1, 4], 1], atol=1e-4)
    assert pitches.tolist() == np.rint(-VALUES[[1, 4], 1] / 20).tolist()
    by_place = info().pitch_shifts(sorting=sorting, motion_depth_mode="localization", shift_mode="floor")
    assert by_place[1].tolist() == np.trunc(-VALUES[[1, 4], 1] / 20).tolist()
    registered = info().correct_s(np.array([1.5]), np.array([200.0]))
    again = info().pitch_shifts(times_s=np.array([1.5]), reg_depths_um=registered)
    np.testing.assert_allclose(again[0], shifts[:1], atol=1e-3)
    with pytest.raises(ParameterError, match="needs times_s and depths_um"):
        info().pitch_shifts(times_s=np.zeros(2))


def test_estimates_of_others_are_accepted() -> None:
    estimate = SimpleNamespace(displacement=VALUES.T, time_bin_centers_s=TIMES, spatial_bin_centers_um=DEPTHS)
    rigid = SimpleNamespace(displacement=VALUES[:, 0], time_bin_centers_s=TIMES, spatial_bin_centers_um=None)
    times, depths = np.array([2.2, 7.1]), np.array([100.0, 300.0])
    expected = info().disp_at_s(times, depths)
    for found in (
        MotionInfo.from_motion_est(geom=GEOM, dredge_motion_est=estimate),
        MotionInfo.from_motion_est(geom=GEOM, si_motion=to_spikeinterface_motion(info().motion)),
    ):
        np.testing.assert_allclose(found.disp_at_s(times, depths), expected, atol=1e-4)
    assert MotionInfo.from_motion_est(geom=GEOM, dredge_motion_est=rigid).drifting
    assert not MotionInfo.from_motion_est(geom=GEOM).drifting
    assert info().to_spikeinterface().displacement[0].shape == (10, 3)


def test_estimates_of_a_wrong_shape_are_refused() -> None:
    wrong = SimpleNamespace(displacement=VALUES, time_bin_centers_s=TIMES, spatial_bin_centers_um=DEPTHS)
    with pytest.raises(ParameterError, match=r"has shape \(10, 3\) for 3 depths and 10 times; give \(depth, time\)"):
        MotionInfo.from_motion_est(geom=GEOM, dredge_motion_est=wrong)
    with pytest.raises(ParameterError, match="is a ndarray without DREDge's attributes"):
        MotionInfo.from_motion_est(geom=GEOM, dredge_motion_est=VALUES)
    with pytest.raises(ParameterError, match="are both given"):
        MotionInfo.from_motion_est(geom=GEOM, dredge_motion_est=wrong, si_motion=wrong)
    with pytest.raises(ParameterError, match=r"geom has shape \(40,\)"):
        MotionInfo.static(GEOM[:, 0])
    with pytest.raises(ParameterError, match="si_motion is a ndarray; give a Motion of SpikeInterface"):
        MotionInfo.from_motion_est(geom=GEOM, si_motion=VALUES)
    texts = SimpleNamespace(displacement=VALUES, time_bin_centers_s=["now"], spatial_bin_centers_um=None)
    with pytest.raises(ParameterError, match="time_bin_centers_s is no array of numbers"):
        MotionInfo.from_motion_est(geom=GEOM, dredge_motion_est=texts)
    for positions in (np.full((3, 2), np.nan), np.zeros((0, 2)), [["a", "b"]]):
        with pytest.raises(ParameterError, match="geom"):
            MotionInfo.static(positions)


def test_questions_that_cannot_be_answered() -> None:
    with pytest.raises(ParameterError, match=r"times_s has shape \(2,\) and depths_um \(3,\)"):
        info().disp_at_s(np.zeros(2), np.zeros(3))
    with pytest.raises(ParameterError, match=r"times_s has shape \(2,\)"):
        MotionInfo.static(GEOM).uncorrect_s(np.zeros(2), np.zeros(3))
    with pytest.raises(ParameterError, match=r"depths_um is .*give numbers"):
        info().correct_s(0.0, "deep")
    with pytest.raises(ParameterError, match="shift_mode is 'ceil'; it must be one of"):
        info().pitch_shifts(times_s=np.zeros(1), depths_um=np.zeros(1), shift_mode="ceil")  # type: ignore[arg-type]
    spikes = DARTsortSorting(times_samples=np.zeros(1), channels=np.zeros(1), labels=None)
    with pytest.raises(ParameterError, match="no feature 'point_source_localizations'"):
        info().pitch_shifts(sorting=spikes, motion_depth_mode="localization")


def test_files_come_back(tmp_path: Path) -> None:
    assert MotionInfo.try_load(tmp_path) is None
    info().save(tmp_path)
    back = MotionInfo.try_load(tmp_path)
    assert back is not None
    np.testing.assert_array_equal(back.motion["displacement_um"], info().motion["displacement_um"])
    np.testing.assert_array_equal(back.rgeom, info().rgeom)
    (tmp_path / "motion.npz").write_bytes(b"PK damaged")
    with pytest.raises(ParameterError, match="is not a motion"):
        MotionInfo.try_load(tmp_path)
