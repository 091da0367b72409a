"""The cores that affinity and control groups allow."""

import os

import pytest

from x3d import cores
from x3d.cores import count_cores


@pytest.fixture
def groups(tmp_path, monkeypatch):
    """Write control groups of a process that may use eight cores."""

    def write(listed: str, files: dict[str, str]) -> None:
        (tmp_path / "listed").write_text(listed)
        for name, content in files.items():
            (tmp_path / "root" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "root" / name).write_text(content)

    monkeypatch.setattr(cores, "GROUPS", tmp_path / "listed")
    monkeypatch.setattr(cores, "CGROUP_ROOT", tmp_path / "root")
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0: set(range(8))}[process])
    return write


def quota_files(folder: str, quota: int) -> dict[str, str]:
    return {f"{folder}/cpu.cfs_quota_us": f"{quota}\n", f"{folder}/cpu.cfs_period_us": "100000\n"}


@pytest.mark.parametrize(
    ("listed", "files", "expected"),
    [
        ("0::/\n", {"cpu.max": "max 100000\n"}, 8),
        ("0::/\n", {"cpu.max": "200000 100000\n"}, 2),
        ("0::/\n", {"cpu.max": "150000 100000\n"}, 2),
        ("0::/\n", {"cpu.max": "10000 100000\n"}, 1),
        ("0::/\n", {"cpu.max": "9900000 100000\n"}, 8),
        ("0::/a/b\n", {"a/cpu.max": "300000 100000\n", "a/b/cpu.max": "max 100000\n"}, 3),
        ("0::/a/b\n", {"a/cpu.max": "max 100000\n", "a/b/cpu.max": "400000 100000\n"}, 4),
        ("0::/\n", {"cpu.max": "nonsense\n"}, 8),
        ("0::/\n", {}, 8),
        ("", {}, 8),
        ("4:cpu,cpuacct:/docker/1\n0::/\n", quota_files("cpu/docker/1", 300000), 3),
        ("4:cpu,cpuacct:/docker/1\n", quota_files("cpu", 500000), 5),
        ("4:cpuset:/\n3:cpu,cpuacct:/\n", quota_files("cpu", -1), 8),
        ("4:cpuset:/\n", quota_files("cpu", 100000), 8),
    ],
)
def test_the_least_quota_of_the_groups_counts(listed, files, expected, groups):
    groups(listed, files)
    assert count_cores() == expected


def test_without_control_groups_the_affinity_counts(groups):
    assert count_cores() == 8


def test_this_process_has_a_core():
    assert 1 <= count_cores() <= len(os.sched_getaffinity(0))
