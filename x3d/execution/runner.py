"""Choose where functions run on videos: worker processes here, or a Ray cluster."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, Self, TypeVar

from x3d.dataset.annotations import Video
from x3d.execution.outcome import Outcome
from x3d.execution.process_pool import Workers
from x3d.execution.requirements import Needs

if TYPE_CHECKING:
    from fvcore.common.config import CfgNode

T = TypeVar("T")


class Runner(Protocol):
    """What runs a function on videos: Workers here, RayWorkers on a cluster."""

    def run(self, function: Callable[[Video], T], videos: Sequence[Video]) -> Iterator[Outcome[T]]: ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *error: object) -> None: ...


def open_workers(
    cfg: "CfgNode", needs: Needs, num_workers: int = 0, resources: Mapping[str, float] | None = None
) -> Runner:
    """Make ready what runs functions on videos where X3D_WORKERS says: processes here, or a Ray cluster.

    Args:
        needs: what every node of a cluster must have.
        num_workers: processes here; 0: X3D_WORKERS.NUM.
        resources: what a task on Ray holds, by Ray's names (default: one CPU).
    Raises:
        ValueError: the cluster cannot be reached, or cannot do the work.
    """
    timeout = cfg.X3D_WORKERS.TIMEOUT
    if not cfg.X3D_WORKERS.RAY_ADDRESS:
        return Workers(num_workers or cfg.X3D_WORKERS.NUM, timeout)
    from x3d.execution.ray_cluster import RayWorkers

    return RayWorkers(cfg.X3D_WORKERS.RAY_ADDRESS, timeout, resources or {"CPU": 1}, needs)
