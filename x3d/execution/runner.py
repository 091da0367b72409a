"""Choose where functions run on videos: worker processes here, or a Ray cluster."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar

from x3d.dataset.annotations import Video
from x3d.execution.outcome import Outcome
from x3d.execution.process_pool import Workers

if TYPE_CHECKING:
    from fvcore.common.config import CfgNode

    from x3d.execution.requirements import NodeRequirements

T = TypeVar("T")


class Runner(Protocol):
    """Runs a function on videos: Workers here, RayWorkers on a cluster."""

    def prepared(self, num_videos: int) -> Any:
        """Return what `prepare` of open_runner returns in a worker process, before any of so many videos is run."""

    def run(self, function: Callable[[Video], T], videos: Sequence[Video]) -> Iterator[Outcome[T]]: ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *error: object) -> None: ...


@dataclass(frozen=True)
class RunnerSettings:
    """Where and how functions run on videos.

    Attributes:
        num_workers: processes here; 0: one for each core this process may use.
        timeout_seconds: limit for one video.
        ray_address: of the cluster; empty: processes here.
    """

    num_workers: int
    timeout_seconds: float
    ray_address: str

    @classmethod
    def from_cfg(cls, cfg: "CfgNode") -> "RunnerSettings":
        """Read X3D_WORKERS."""
        return cls(cfg.X3D_WORKERS.NUM, cfg.X3D_WORKERS.TIMEOUT, cfg.X3D_WORKERS.RAY_ADDRESS)


def open_runner(
    settings: RunnerSettings,
    requirements: Callable[[], "NodeRequirements"],
    resources: Mapping[str, float] | None = None,
    prepare: Callable[[], Any] | None = None,
) -> Runner:
    """Set up worker processes here, or connect to a Ray cluster.

    Args:
        requirements: builds what every node of a cluster must have; called only for a cluster.
        resources: what a task on Ray occupies, by Ray's names (default: one CPU).
        prepare: picklable; each worker process here calls it before its first video.
    Raises:
        InputError: the cluster cannot be reached, or no node of it can be used.
    """
    if not settings.ray_address:
        return Workers(settings.num_workers, settings.timeout_seconds, prepare)
    from x3d.execution.ray_cluster import RayWorkers

    return RayWorkers(settings.ray_address, settings.timeout_seconds, resources or {"CPU": 1}, requirements(), prepare)
