"""Tables of templates are completed, and what cannot be one is refused in a sentence that says what to give."""

import numpy as np
import pytest
import xarray as xr

from xephys.errors import ParameterError
from xephys.testing import simulate_sessions
from xephys.track.tables import check_table, completed


@pytest.fixture(scope="module")
def table():
    return simulate_sessions(n_sessions=1, n_neurons=10, n_channels=32, seed=0)[0][0]


def test_what_is_optional_is_filled_in_and_the_table_stays_as_it_was(table):
    least = table[["templates"]].drop_vars(["unit_id", "shank"], errors="ignore")
    full = completed(least)
    check_table(full)
    n_units = table.sizes["unit"]
    assert full["unit_id"].values.tolist() == list(range(n_units)) and not full["n_spikes"].any()
    assert full["autocorrelogram"].shape == (n_units, 300) and set(least.variables) == {"templates", "x", "y"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop_vars("x"), "lacks x"),
        (lambda t: t.assign(templates=t["templates"].transpose("unit", "channel", "sample")), "needs templates"),
        (lambda t: t.assign(templates=t["templates"].where(t["unit_id"] != 3)), "template of unit .*3.* is not finite"),
        (lambda t: xr.Dataset(t, attrs={"nbefore": 16}), "sampling_frequency"),
        (lambda t: t.assign_attrs(sampling_frequency=0.0), "sampling_frequency is 0.0; it must be greater than 0"),
        (lambda t: t.assign_attrs(sampling_frequency="fast"), "sampling_frequency is 'fast', a str; give one number"),
        (lambda t: t.assign_attrs(nbefore=900), "nbefore is 900 for templates of 48 samples"),
        (lambda t: t.assign(templates=t["templates"].astype(complex)), "are complex128; give real numbers"),
        (lambda t: t.assign_coords(y=t["y"].where(t["y"] > 0, np.inf)), "x or y of channel 0 is not finite"),
        (lambda t: t.isel(lag=slice(0, 10)), "10 lags; give 300"),
        (lambda t: t.assign(peth=("unit", np.zeros(t.sizes["unit"]))), r"peth has dims \('unit',\); give"),
        (lambda t: t.assign(peth=(("unit", "bin"), np.full((t.sizes["unit"], 4), np.inf))), "are infinite"),
        (lambda t: t.drop_vars("x").assign_coords(x=("other", np.zeros(3))), r"x has dims \('other',\); give"),
        (lambda t: t.assign(autocorrelogram=t["autocorrelogram"].T), "autocorrelogram has dims"),
        (lambda t: t.assign(autocorrelogram=t["autocorrelogram"].astype(str)), "autocorrelogram are <U"),
        (lambda t: t.assign(n_spikes=("lag", np.zeros(300))), "n_spikes has dims"),
        (
            lambda t: t.assign_coords(shank=("channel", np.full(t.sizes["channel"], np.nan))),
            "shank of channel 0 is not",
        ),
        (lambda t: t.isel(channel=[]), "templates have no channel"),
        (lambda t: t.isel(sample=[16]).assign_attrs(nbefore=0), "templates have one sample"),
        (lambda t: t.assign_coords(x=t["x"] / 1e3, y=t["y"] / 1e3), r"all contacts are within 0\.\d+ µm"),
        (lambda t: t.assign(templates=t["templates"] * 1e-6), "give µV, not volts"),
        (lambda t: t.assign_attrs(sampling_frequency=30.0), "at 30 Hz last 1.6 s; give sampling_frequency in Hz"),
    ],
    ids=[
        "positions",
        "dims",
        "nan",
        "no rate",
        "rate of 0",
        "rate in words",
        "nbefore",
        "complex",
        "infinite place",
        "lags",
        "response",
        "infinite response",
        "places of other things",
        "turned autocorrelogram",
        "autocorrelogram in words",
        "numbers of lags",
        "no shank",
        "no channel",
        "one sample",
        "millimeters",
        "volts",
        "kilohertz",
    ],
)
def test_bad_tables_are_refused(table, change, message):
    with pytest.raises(ParameterError, match=message):
        check_table(completed(change(table)))
