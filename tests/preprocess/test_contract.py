"""The contract of lazy operations: one task per chunk, a small graph, stable names, labels that are kept."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import pytest

import xephys
from tests.properties.operations import RATE, TABLES, TRANSFORMS, fitted, recording
from xephys.graph.build import count_tasks
from xephys.testing import forbid_compute, simulate_recording

#: ``fitted()`` is made for eight channels; a longer recording of the same kind has more chunks to count.
N_CHUNKS = 10
OPERATIONS = {**TRANSFORMS, **TABLES}
#: Largest size of a graph in bytes; matching with moving templates holds a large table, for any recording.
SIZE_MAX, SIZES_MAX = 200_000, {"match_moving_templates": 1_200_000}
CHANGES_UNIT = {"to_uv": "uV", "directional_derivative": "counts/um"} | dict.fromkeys(
    ("whiten", "whiten global", "chain", "zscore", "normalize_by_quantile"), "noise"
)
DROPS_CHANNELS = {"drop_bad_channels"}
#: These change labels and keep the samples of the remaining channels.
KEEPS_SAMPLES = DROPS_CHANNELS | {"mark_bad_channels"}


@pytest.fixture(scope="module")
def long():
    fitted()
    return simulate_recording(duration_s=2.0 * N_CHUNKS, n_channels=8, n_units=3, seed=11)[0]


def three_stages(rec):
    shifted = xephys.phase_shift(rec)
    return xephys.common_reference(xephys.highpass_filter(shifted, freq_min_hz=100))


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_chain_of_three_and_one_more_operation_are_one_task_per_chunk(long, name):
    with forbid_compute():
        result = OPERATIONS[name](three_stages(long))
    assert count_tasks(result) == N_CHUNKS


@pytest.mark.parametrize("name", OPERATIONS)
def test_the_graph_is_small_and_does_not_grow_with_the_recording(long, name):
    short = getattr(OPERATIONS[name](recording()), "data", None)
    data = OPERATIONS[name](long).data
    size = len(pickle.dumps(data))
    assert size < SIZES_MAX.get(name, SIZE_MAX)
    assert size - len(pickle.dumps(short)) < 200 * N_CHUNKS


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_has_the_same_name_when_built_again(long, name):
    assert OPERATIONS[name](long).data.name == OPERATIONS[name](long).data.name
    assert OPERATIONS[name](long).data.name != OPERATIONS[name](three_stages(long)).data.name


def test_names_are_the_same_in_another_process():
    program = (
        "from tests.properties.operations import TRANSFORMS, recording\n"
        "for operation in TRANSFORMS.values(): print(operation(recording()).data.name)"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=root)
    assert done.stdout.split() == [operation(recording()).data.name for operation in TRANSFORMS.values()]


@pytest.mark.parametrize("name", TRANSFORMS)
def test_labels_are_kept(name):
    source, result = recording(), TRANSFORMS[name](recording())
    assert result.dims == ("time", "channel")
    if name in DROPS_CHANNELS:
        source = source.sel(channel=result.channel)
    assert result.sizes == source.sizes
    assert result.dtype == (source.dtype if name in KEEPS_SAMPLES else "float32")
    assert result.attrs["units"] == CHANGES_UNIT.get(name, "counts")
    assert result.attrs["sampling_frequency"] == RATE
    assert result.attrs["history"]
    for coordinate in ("time", "channel", "x", "y", "shank", "gain_to_uv"):
        assert result[coordinate].variable.equals(source[coordinate].variable), coordinate
    assert source.attrs.get("history") is None  # the input is unchanged


@pytest.mark.parametrize("name", TABLES)
def test_tables_are_ordered_and_typed(name):
    table = TABLES[name](recording())
    records = table.compute()
    assert records.dtype == table.dtype
    assert (records["sample_index"][1:] >= records["sample_index"][:-1]).all()
    assert records["sample_index"].min() >= 0
    assert records["sample_index"].max() < recording().sizes["time"]
