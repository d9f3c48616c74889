"""``xephys simulate``: write a recording with a known truth."""

from __future__ import annotations

from typing import Annotated

import typer

from ..console import console
from ..folders import check_result_folder
from ..options import Debug, Out, Overwrite, Settings
from ..settings import literal, split_settings


def simulate(
    out: Out,
    preset: Annotated[str, typer.Option("--preset", help="easy, or hard: like a real recording.")] = "easy",
    duration_s: Annotated[float, typer.Option("--duration-s", help="Length in seconds.")] = 60.0,
    n_channels: Annotated[int, typer.Option("--n-channels", help="Channels of the probe.")] = 32,
    n_units: Annotated[
        int | None, typer.Option("--n-units", help="Units to be found; by default in proportion to the channels.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Seed of everything random.")] = 0,
    settings: Settings = [],  # noqa: B006 - Typer reads it and never changes it
    file_format: Annotated[str, typer.Option("--format", help="binary or zarr.")] = "binary",
    overwrite: Overwrite = False,
    debug: Debug = False,
) -> None:
    """Write a simulated recording and its truth. DIR gets recording/ (or recording.zarr) and truth.zarr."""
    from ...checks import check_choice
    from ...errors import ParameterError

    check_choice("--format", file_format, ("binary", "zarr"))
    name = "recording" if file_format == "binary" else "recording.zarr"
    given = {key: literal(value) for key, value in split_settings(settings).items()}
    own = [key for key in given if key in ("duration_s", "n_channels", "n_units", "preset", "seed")]
    if own:
        raise ParameterError(f"--set {own[0]}={given[own[0]]}: give it as --{own[0].replace('_', '-')}")
    check_result_folder(out, (name, "truth.zarr"), overwrite=overwrite)

    from ...io.store.save import save_recording
    from ...io.store.sorting import save_sorting
    from ...simulation.sorting import truth_sorting
    from ...testing import simulate_recording

    recording, truth = simulate_recording(
        duration_s=duration_s, n_channels=n_channels, n_units=n_units, preset=preset, seed=seed, **given
    )
    with console(stderr=True).status("writing the recording"):
        save_recording(recording, out / name, format=file_format, overwrite=overwrite)
        save_sorting(truth_sorting(recording, truth), out / "truth.zarr", overwrite=overwrite)
        truth.write_score_files(out)
    screen = console()
    screen.print(f"{out / name}: {n_channels} channels, {duration_s:g} s")
    screen.print(f"{out / 'truth.zarr'}: {truth.n_units} units, {len(truth.spikes)} spikes")
