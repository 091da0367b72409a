"""Count the CPU cores that this process may use."""

import contextlib
import math
import os
from collections.abc import Iterator
from pathlib import Path

GROUPS = Path("/proc/self/cgroup")
"""Linux's list of the control groups of this process: hierarchy:controllers:path."""
CGROUP_ROOT = Path("/sys/fs/cgroup")


def count_cores() -> int:
    """Count the cores by the affinity of this process and the CPU quota of its control groups, such as a container's.

    Returns:
        At least 1; a quota of 1.5 cores counts as 2.
    """
    return max(1, min([len(os.sched_getaffinity(0)), *map(math.ceil, _quotas())]))


def _quotas() -> Iterator[float]:
    """Yield the quotas, in cores, of the groups of this process and of those that contain them."""
    with contextlib.suppress(OSError):
        for line in GROUPS.read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if not controllers or "cpu" in controllers.split(","):
                root = CGROUP_ROOT / "cpu" if controllers else CGROUP_ROOT
                group = root / path.strip("/")
                yield from (quota for folder in [group, *group.parents] if (quota := _quota(folder)))


def _quota(folder: Path) -> float | None:
    """Read the quota of one group: cpu.max of version 2, or the two files of version 1."""
    with contextlib.suppress(OSError, ValueError):  # no such file, or "max"
        if (folder / "cpu.max").exists():
            quota, period = map(int, (folder / "cpu.max").read_text().split())
        else:
            quota, period = (int((folder / f"cpu.cfs_{name}_us").read_text()) for name in ("quota", "period"))
        return quota / period if quota > 0 and period > 0 else None
    return None
