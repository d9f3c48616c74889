"""The table of sorters, and the parameters of one."""

import xephys

from .commands import refused, run


def test_every_sorter_is_listed_with_whether_it_is_installed():
    lines = run("sorters").stdout.splitlines()
    names = {line.split()[0]: line for line in lines if line.split()}
    assert set(xephys.available_sorters()) <= set(names)
    assert "yes" in names["simple"].split()[1:2]
    assert "yes" not in names["mountainsort4"].split()[1:2]


def test_the_parameters_of_one():
    text = run("sorters", "simple").stdout
    assert all(row.name in text for row in xephys.sorter_parameters("simple").rows)
    assert "did you mean" in refused("sorters", "simpel", status=2)
