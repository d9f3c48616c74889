"""Properties of clusters, as phy and other programs write them."""

import numpy as np

from xephys.io.read.phy_columns import cluster_columns, listed_clusters, unit_names


def test_types_and_clusters_without_a_value(tmp_path):
    (tmp_path / "cluster_group.tsv").write_text("cluster_id\tgroup\n0\tgood\n7\tmua\n")
    (tmp_path / "cluster_snr.tsv").write_text("cluster_id\tsnr\n0\t3.5\n")
    (tmp_path / "cluster_count.csv").write_text("cluster_id,count\n0,3\n7,4\n9,5\n")
    (tmp_path / "cluster_part.tsv").write_text("cluster_id\tpart\n7\t4\n")
    (tmp_path / "cluster_flag.tsv").write_text("cluster_id\tflag\n0\tTrue\n7\tFalse\n9\tTrue\n")
    (tmp_path / "notes.tsv").write_text("nothing\tof\tthe kind\n1\t2\t3\n")
    (tmp_path / "cluster_empty.tsv").write_text("")
    found = cluster_columns(tmp_path, [0, 7, 9])
    assert found["group"].tolist() == ["good", "mua", ""]
    np.testing.assert_array_equal(found["snr"], [3.5, np.nan, np.nan])
    assert found["count"].dtype == np.int64 and found["count"].tolist() == [3, 4, 5]
    np.testing.assert_array_equal(found["part"], [np.nan, 4, np.nan])
    assert found["flag"].tolist() == [True, False, True]
    assert set(found) == {"group", "snr", "count", "part", "flag"}
    assert listed_clusters(tmp_path) == {0, 7, 9}


def test_a_columns_own_file_takes_precedence_over_phys_table(tmp_path):
    (tmp_path / "cluster_info.tsv").write_text("id\tgroup\tch\tn_spikes\tquality\n0\tmua\t3\t99\tbest\n")
    (tmp_path / "cluster_group.tsv").write_text("cluster_id\tgroup\n0\tgood\n")
    found = cluster_columns(tmp_path, [0])
    assert {name: values.tolist() for name, values in found.items()} == {"group": ["good"], "quality": ["best"]}


def named(folder, column, values):
    lines = [f"{cluster}\t{value}\n" for cluster, value in values.items()]
    (folder / f"cluster_{column}.tsv").write_text(f"cluster_id\t{column}\n" + "".join(lines))


def test_units_are_named_after_clusters(tmp_path):
    assert unit_names(tmp_path, [3, 5]).tolist() == [3, 5]
    named(tmp_path, "unit_name", {0: "a", 1: "d", 4: "b", 5: "b"})
    assert unit_names(tmp_path, [0, 4, 5, 6]).tolist() == ["a", "cluster 4", "cluster 5", "cluster 6"]
    named(tmp_path, "si_unit_id", {0: 5, 1: 1, 2: 30})
    assert unit_names(tmp_path, [0, 1, 2]).tolist() == [5, 1, 30]
    assert unit_names(tmp_path, [0, 3]).tolist() == [5, 31]  # 30 was the name of a cluster that no longer exists
    named(tmp_path, "si_unit_id", {0: 0, 1: 1, 2: 2})
    assert unit_names(tmp_path, [0, 1, 7]).tolist() == [0, 1, 7]  # all names are phy's own numbers
    named(tmp_path, "si_unit_id", {0: 5, 3: 7, 4: 7})
    assert unit_names(tmp_path, [0, 3, 4]).tolist() == [5, 8, 9]
