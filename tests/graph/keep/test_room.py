"""Free space on disks and in memory, as the operating system reports it."""

from __future__ import annotations

import pytest

from xephys.graph.keep import room
from xephys.graph.keep.room import disk_free_bytes, lies_in_memory, memory_free_bytes


def test_free_space_of_a_folder_that_does_not_exist_yet(tmp_path):
    assert disk_free_bytes(tmp_path / "not" / "yet") == pytest.approx(disk_free_bytes(tmp_path), rel=0.05)


def test_the_innermost_and_latest_mount_decides(tmp_path, monkeypatch):
    inner = tmp_path / "with space" / "inner"
    inner.mkdir(parents=True)
    escaped = str(tmp_path / "with space").replace(" ", "\\040")
    lines = [
        "/dev/sda / ext4 rw 0 0",
        f"one {escaped} ext4 rw 0 0",
        f"two {escaped} tmpfs rw 0 0",
        f"/dev/sdb {tmp_path} xfs rw 0 0",
    ]
    mounts = tmp_path / "mounts"
    mounts.write_text("\n".join(lines))
    monkeypatch.setattr(room, "MOUNTS", mounts)
    assert lies_in_memory(inner)
    assert lies_in_memory(inner / "not" / "yet")
    assert not lies_in_memory(tmp_path)
    monkeypatch.setattr(room, "MOUNTS", tmp_path / "absent")
    assert not lies_in_memory(inner)


@pytest.mark.parametrize(("limit", "free"), [("max", 4096 << 10), ("1000000", 900_000), ("100", 0), (None, 4096 << 10)])
def test_memory_is_that_of_the_machine_or_of_the_group(tmp_path, monkeypatch, limit, free):
    (tmp_path / "meminfo").write_text("MemTotal: 9000 kB\nMemAvailable: 4096 kB\n")
    if limit is not None:
        (tmp_path / "memory.max").write_text(f"{limit}\n")
        (tmp_path / "memory.current").write_text("100000\n")
    monkeypatch.setattr(room, "MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(room, "GROUP", tmp_path)
    assert memory_free_bytes() == free


def test_without_a_report_a_small_amount_is_assumed(tmp_path, monkeypatch):
    monkeypatch.setattr(room, "MEMINFO", tmp_path / "absent")
    monkeypatch.setattr(room, "GROUP", tmp_path)
    assert memory_free_bytes() == room.UNKNOWN_BYTES
