"""Arguments of open_recording beside the path: each takes effect or is refused."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest

from xephys.errors import ParameterError, RecordingError
from xephys.io.read.open import open_recording
from xephys.io.store.save import save_recording
from xephys.preprocess.scale import to_uv
from xephys.schema import make_recording


@pytest.fixture
def two_bands(data: Path, tmp_path: Path) -> tuple[Path, np.ndarray]:
    """A SpikeGLX folder with an LFP file beside the AP file, and the samples of the LFP file."""
    for file in (data / "spikeglx/np_ultra/p5_g0_imec0").iterdir():
        shutil.copyfile(file, tmp_path / file.name)
    samples = np.random.default_rng(0).integers(-500, 500, (416, 385)).astype("int16")
    samples.tofile(tmp_path / "p5_g0_t0.imec0.lf.bin")
    return tmp_path, samples


def test_a_spikeglx_file_is_the_one_that_opens(two_bands: tuple[Path, np.ndarray]) -> None:
    folder, samples = two_bands
    lfp, action = folder / "p5_g0_t0.imec0.lf.bin", folder / "p5_g0_t0.imec0.ap.bin"
    opened = open_recording(lfp)
    assert opened.attrs["sampling_frequency"] == 2500.0
    np.testing.assert_array_equal(opened.values, samples[:, :384])
    np.testing.assert_array_equal(open_recording(lfp, stream_id="imec0.lf-SYNC").values, samples[:, 384:])
    for path in (action, folder):
        assert open_recording(path).attrs["sampling_frequency"] == 30_000.0
    for path, other in ((lfp, "imec0.ap"), (action, "imec0.lf")):
        with pytest.raises(ParameterError, match=rf"stream_id is '{other}' and .*{path.name} holds 'imec0\..*leave"):
            open_recording(path, stream_id=other)


def test_a_spikeglx_file_of_the_analogue_inputs(data: Path) -> None:
    folder = data / "spikeglx/np2_4shank"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the sample file is shorter than its .meta says
        opened = open_recording(folder / "all_chan_g0_t0.nidq.bin")
        expected = open_recording(folder, stream_id="nidq")
    assert opened.channel.values.tolist() == expected.channel.values.tolist()
    np.testing.assert_array_equal(opened.values, expected.values)


def test_a_spikeglx_file_renamed_keeps_its_stream(data: Path, tmp_path: Path) -> None:
    folder = data / "spikeglx/np2_4shank"
    for suffix in (".bin", ".meta"):
        action = folder / f"all_chan_g0_imec0/all_chan_g0_t0.imec0.ap{suffix}"
        shutil.copyfile(action, tmp_path / action.name)
        shutil.copyfile(folder / f"all_chan_g0_t0.nidq{suffix}", tmp_path / f"inputs{suffix}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the sample files are shorter than their .meta say
        assert open_recording(tmp_path / "inputs.bin").attrs["sampling_frequency"] == 25_000.0
    (tmp_path / "inputs.meta").write_text("nSavedChans=2\n")
    with pytest.raises(RecordingError, match=r"inputs\.meta does not say which stream it describes"):
        open_recording(tmp_path / "inputs.bin")


VOLTS = np.random.default_rng(2).normal(0, 5e-5, (2000, 3)).astype("float32")


@pytest.fixture
def real_numbers(tmp_path: Path) -> list[Path]:
    """Volts without a gain in all formats that are opened without a SpikeInterface reader."""
    import spikeinterface.core as si

    theirs = si.NumpyRecording([VOLTS], sampling_frequency=1000.0)
    saved = theirs.save(folder=tmp_path / "theirs", verbose=False, progress_bar=False)
    saved.dump_to_pickle(tmp_path / "theirs.pkl")
    ours = make_recording(VOLTS, sampling_frequency=1000.0, units="uV")
    save_recording(ours, tmp_path / "ours.zarr")
    save_recording(ours, tmp_path / "ours", format="binary")
    return [tmp_path / name for name in ("theirs", "theirs.pkl", "ours.zarr", "ours")]


def test_a_gain_that_is_given_scales_real_numbers(real_numbers: list[Path]) -> None:
    for path in real_numbers:
        assert open_recording(path, trust=True).attrs["units"] == "uV"
        opened = open_recording(path, trust=True, gain_to_uv=1e6, offset_to_uv=2.0)
        assert opened.attrs["units"] == "counts"
        np.testing.assert_allclose(to_uv(opened).values, VOLTS * 1e6 + 2.0, rtol=1e-5, atol=1e-4)
        assert open_recording(path, trust=True, gain_to_uv=1e6).offset_to_uv.values.tolist() == [0.0] * 3


def test_a_scaling_without_effect_is_refused(real_numbers: list[Path], tmp_path: Path) -> None:
    for path in real_numbers:
        with pytest.raises(ParameterError, match="offset_to_uv is given without gain_to_uv; give both"):
            open_recording(path, trust=True, offset_to_uv=2.0)
    counts = open_recording(real_numbers[0], gain_to_uv=1e6)
    for format in ("zarr", "binary"):
        save_recording(counts, tmp_path / f"counts.{format}", format=format)
        again = open_recording(tmp_path / f"counts.{format}", offset_to_uv=2.0)
        assert (again.offset_to_uv.values[0], again.gain_to_uv.values[0]) == (2.0, 1e6)
        save_recording(to_uv(counts), tmp_path / f"scaled.{format}", format=format)
        for given in ({"gain_to_uv": 0.1}, {"offset_to_uv": 2.0}):
            with pytest.raises(ParameterError, match="were saved in uV, with their own gains applied; leave it out"):
                open_recording(tmp_path / f"scaled.{format}", **given)
